"""The claims about what happens during training: the noise of the estimate, and the collapse.

Of a curve the mean over epochs counts for a level, and the last whole epoch for where a run ends. A trace t
of a collapse counts as log(1 + max(0, -t)), since traces of collapsing runs differ by orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from companion.claims.evidence.records import Quantity, Reading, Shelf, compare, mean_value, used
from companion.claims.rule import Finding
from companion.experiments.records import RecordError, Run

DEPTH = "Depth: 1 + max(0, -trace), on training images."
NOISE = 0.01
"""The sigma of the paper's Taylor estimate."""


def small_gradients(shelf: Shelf) -> Finding:
    """Judge both halves of appendix B's remark: a low gradient norm, and with it an estimate of little noise.

    "Small in practice" is read as smaller than what is estimated: one forward sample's excess standard
    deviation, 2 |grad f| / sigma, below the trace's own size.
    """
    norm = curve_mean("squared_norm_validation")
    ours, theirs = shelf.values("score_matching", norm), shelf.values("baseline", norm)
    traces = shelf.values("score_matching", curve_mean("trace_validation"))
    sizes = {seed: Reading.plain(abs(reading.value)) for seed, reading in traces.items()}
    noises = {seed: Reading.plain(2 * math.sqrt(reading.value) / NOISE) for seed, reading in ours.items()}
    return Finding(
        comparisons=[
            compare("squared gradient norm, baseline / score-matching", theirs, ours, ratio=True),
            compare("trace / standard deviation of one sample", sizes, noises, ratio=True),
        ],
        note=(
            "Means over the epochs, on validation images. The deviation is the forward sample's excess, "
            f"2 |grad f| / sigma, at the paper's sigma of {NOISE:g}: on average {mean_value(noises):.3g}, "
            f"beside a trace of {mean_value(traces):.3g}."
        ),
        runs=used(shelf, "score_matching", "baseline"),
    )


def curve_mean(column: str) -> Quantity:
    """Return the mean of a column of the training history over its epochs; nan without an epoch."""
    return lambda run: Reading.plain(_column(run, column)[0])


def depth(*, end: bool = True) -> Quantity:
    """Return 1 + max(0, -t) of the trace on training images, at the end or the beginning.

    At the end it is infinite for a run that stopped at once.
    """

    def read(run: Run) -> Reading:
        if _stopped_at_once(run):
            return Reading.plain(math.inf if end else 1.0)
        return Reading.plain(1 + max(0.0, -_column(run, "trace_train")[1 if end else 2]))

    return read


def _stopped_at_once(run: Run) -> bool:
    return run.record.diverged is not None and run.record.diverged["epoch"] == 1


def _column(run: Run, column: str) -> tuple[float, float, float]:
    """Return the mean of a column of the history, its last value, and its first."""
    history = run.history()
    if history.empty:
        return math.nan, math.nan, math.nan
    if column not in history:
        raise RecordError(
            f"{run.directory / 'history.csv'} has no column {column!r}; it has {', '.join(history)}. Restore "
            "it from the repository, or train the run again"
        )
    values = [float(value) for value in history[column]]
    return math.fsum(values) / len(values), values[-1], values[0]


def collapsed(shelf: Shelf, name: str) -> Finding:
    """Judge whether the trace on training images falls through training, and below the stabilised runs'."""
    ends, begins = (shelf.values(name, depth(end=end)) for end in (True, False))
    stable = shelf.values("collapse-stable", depth())
    return Finding(
        comparisons=[
            compare("depth of the trace, last epoch / first", ends, begins, ratio=True),
            compare("final depth, this / stabilised", ends, stable, ratio=True),
        ],
        note=f"{DEPTH} {diverged(shelf, name)}",
        runs=used(shelf, name, "collapse-stable"),
    )


def stabilised(shelf: Shelf) -> Finding:
    """Judge whether the squared trace's penalty keeps the trace higher, and its fall smaller."""
    names = ("collapse-naive", "collapse-stable")
    naive, stable = (shelf.values(name, depth()) for name in names)
    falls = [
        _divided(ends, shelf.values(name, depth(end=False)))
        for name, ends in zip(names, (naive, stable), strict=True)
    ]
    return Finding(
        comparisons=[
            compare("final depth of the trace, naive / stabilised", naive, stable, ratio=True),
            compare("last depth / first, naive / stabilised", *falls, ratio=True),
        ],
        note=f"{DEPTH} {diverged(shelf, 'collapse-stable')}",
        runs=used(shelf, *names),
    )


def _divided(first: Mapping[int, Reading], second: Mapping[int, Reading]) -> dict[int, Reading]:
    return {
        seed: Reading.plain(first[seed].value / second[seed].value) for seed in first.keys() & second.keys()
    }


def diverged(shelf: Shelf, name: str) -> str:
    """Say how many runs of one name diverged."""
    found = shelf.runs(name)
    count = sum(run.record.diverged is not None for run in found)
    return f"{count} of {len(found)} {name} runs stopped because a number was no longer finite."
