"""The claims about figure 1, density ratios.

The measure is fixed by a rule, for every tier alike: the logarithm of the mean ratio, which the figure
draws, averaged over noise levels: all of `SIGMAS` for "noisy inputs", the lower half of them for "smaller
noise" and the upper half for "larger noise"; no single level is picked. The notes say what the mean log-ratio
says, which a few images cannot decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from companion.claims.evidence.records import (
    Quantity,
    Reading,
    Shelf,
    against,
    compare,
    mean_reading,
    used,
)
from companion.claims.rule import Comparison, Finding, three_digits
from companion.experiments.measurements import SIGMAS
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.metrics.intervals import Interval, normal_quantile

HALF = len(SIGMAS) // 2
SMALL_NOISE, LARGE_NOISE = SIGMAS[:HALF], SIGMAS[HALF:]


def mean_ratio(sigmas: Sequence[float]) -> Quantity:
    """Return the logarithm of the mean density ratio, averaged over noise levels: figure 1's own measure."""

    def read(run: Run) -> Reading:
        if not (run.directory / "density_ratio.csv").exists():
            return Reading.plain(math.nan)
        rows = run.table("density_ratio").set_index("sigma").loc[list(sigmas)]
        z = normal_quantile(0.95)
        intervals = [
            Interval(value=value, low=value - z * error, high=value + z * error, n=int(n))
            for value, error, n in rows[["log_mean_ratio", "log_mean_ratio_standard_error", "n"]].itertuples(
                index=False
            )
        ]
        return mean_reading(intervals)

    return read


def mean_log_ratio(sigmas: Sequence[float]) -> Quantity:
    """Return the mean log-ratio, averaged over noise levels."""
    names = [f"log_ratio_{sigma:g}" for sigma in sigmas]

    def read(run: Run) -> Reading:
        if any(name not in run.record.metrics for name in names):
            return Reading.plain(math.nan)
        return mean_reading([run.interval(name) for name in names])

    return read


def carriers(found: Sequence[Run], sigma: float) -> str:
    """Say how many images carry the mean ratio at a noise level: its effective sample size."""
    tables = [run.table("density_ratio").set_index("sigma").loc[sigma] for run in found]
    sizes = [float(row["effective_sample_size"]) for row in tables]
    return (
        f"{three_digits(min(sizes))} to {three_digits(max(sizes))}"
        if len(sizes) > 1
        else three_digits(sizes[0])
    )


def density_baseline(shelf: Shelf) -> Finding:
    """Judge whether the baseline's mean density ratio, over all noise levels, is above 1."""
    found = used(shelf, "baseline")
    log_ratio = against("mean log-ratio", shelf.values("baseline", mean_log_ratio(SIGMAS)))
    return Finding(
        comparisons=[against("baseline, mean ratio", shelf.values("baseline", mean_ratio(SIGMAS)), log=True)],
        note=(
            f"Geometric mean over noise {SIGMAS[0]:g} to {SIGMAS[-1]:g} of the ratios that figure 1 draws, "
            f"means over images; at {SIGMAS[-1]:g}, {carriers(found, SIGMAS[-1])} images carry it. By the "
            f"{log_ratio}, which no few images decide, noise has {_more_or_less(log_ratio)} density."
        ),
        runs=found,
    )


def _more_or_less(comparison: Comparison) -> str:
    return {1: "the higher", -1: "the lower", 0: "neither clearly the higher nor the lower"}[
        comparison.interval.sign()
    ]


def density_anti(shelf: Shelf) -> Finding:
    """Judge whether anti-score-matching's mean ratio at small noise is above 1, and above the baseline's."""
    quantity = mean_ratio(SMALL_NOISE)
    anti = shelf.values("anti_score_matching", quantity)
    by_logs = compare(
        "mean log-ratio, anti-score-matching - baseline",
        *(shelf.values(n, mean_log_ratio(SMALL_NOISE)) for n in ("anti_score_matching", "baseline")),
    )
    return Finding(
        comparisons=[
            against("anti-score-matching, mean ratio", anti, log=True),
            compare(
                "mean ratio, anti-score-matching / baseline",
                anti,
                shelf.values("baseline", quantity),
                log=True,
            ),
        ],
        note=f"Geometric mean over noise up to {SIGMAS[HALF - 1]:g}. By the {by_logs}.",
        runs=used(shelf, "anti_score_matching", "baseline"),
    )


def density_regularised(shelf: Shelf) -> Finding:
    """Judge whether the two regularised models' mean ratios at large noise are below the baseline's."""
    names = ("score_matching", "gradient_norm")
    plain = {q: shelf.values("baseline", q(LARGE_NOISE)) for q in (mean_ratio, mean_log_ratio)}
    by_logs = [
        compare(
            f"baseline - {METHODS[name].label}",
            plain[mean_log_ratio],
            shelf.values(name, mean_log_ratio(LARGE_NOISE)),
        )
        for name in names
    ]
    return Finding(
        comparisons=[
            compare(
                f"mean ratio, baseline / {METHODS[name].label}",
                plain[mean_ratio],
                shelf.values(name, mean_ratio(LARGE_NOISE)),
                log=True,
            )
            for name in names
        ],
        note=(
            f"Geometric mean over noise from {SIGMAS[HALF]:g}: robust is a ratio that noise does not raise. "
            f"By mean log-ratios, {'; '.join(map(str, by_logs))}."
        ),
        runs=used(shelf, *names, "baseline"),
    )
