"""The paper's advice (section 6), beside what was measured on the four models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from companion._support import choose
from companion.claims.evidence import networks
from companion.claims.evidence.numbers import percent
from companion.claims.evidence.records import Shelf, over_seeds
from companion.claims.page.names import short
from companion.claims.page.strength import STRONGEST_FIRST, strongest
from companion.claims.rule import NotYetRun, three_digits
from companion.data import DATASETS
from companion.experiments import presets
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.experiments.settings import TIERS
from companion.experiments.shelf import COMMITTED_FIRST
from companion.metrics.intervals import Interval

ADVICE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Avoid explanations by logit-gradients: they show an implicit density, not the decision.",
        ("shift-invariance", "bayes", "perturbation-is-density-ratio"),
    ),
    (
        "If they are unavoidable, use gradient-norm regularised or score-matched models only: their "
        "gradients estimate the gradient of the data's density more reliably.",
        ("density-regularised", "samples", "perturbation-own", "perturbation-baseline", "gradient-maps"),
    ),
)
"""The two sentences of section 6, shortened, and the claims that each rests on."""


def _of_record(
    name: str, scale: Callable[[Interval], Interval] = lambda interval: interval
) -> Callable[[Run], Interval]:
    def read(run: Run) -> Interval:
        if name not in run.record.metrics:
            raise NotYetRun(name)
        return scale(run.interval(name))

    return read


QUANTITIES: Mapping[str, Callable[[Run], Interval]] = {
    "test accuracy, %": _of_record("test_accuracy", percent),
    "squared gradient norm": _of_record("squared_norm"),
    "perturbation, own model, %": _of_record("perturbation_own_gradient", percent),
    "perturbation, baseline, %": _of_record("perturbation_common_gradient", percent),
    "GAN-test, %": _of_record("gan_test", percent),
    "accuracy under attack, %": lambda run: percent(networks.attacked_accuracy(run)),
}
"""What the table of advice shows. Perturbation: area under the accuracy curve, least relevant pixels
first."""


def advice(
    tiers: Sequence[str] = STRONGEST_FIRST, seed: int = 0, *, places: tuple[str, ...] = COMMITTED_FIRST
) -> pd.DataFrame:
    """Measure what a choice between the four models rests on, the strongest evidence first.

    Args:
        tiers: whose records, each one of `TIERS`; the rows are in this order.
        seed: as in `table`.
        places: where runs are looked for, see `runs.find_all`.

    Returns: One row for each tier, model and quantity that has a record: `tier`, `dataset` (the tier's
        first), `model`, `quantity`, `value`, `low`, `high`, `n` (runs). With several runs the interval is
        over seeds; with one it is over its images, and nan where there is none.

    Raises:
        ValueError: an unknown tier.
    """
    rows = []
    for tier in tiers:
        dataset = presets.DATASETS[choose("tier", tier, TIERS)][0]
        shelf = Shelf(tier=tier, dataset=dataset, seed=seed, places=places)
        for name in METHODS:
            for quantity, read in QUANTITIES.items():
                intervals = _intervals(shelf, name, read)
                if intervals:
                    i = over_seeds(intervals)
                    ends = {"value": i.value, "low": i.low, "high": i.high, "n": len(intervals)}
                    about = {"tier": tier, "dataset": dataset, "model": name, "quantity": quantity}
                    rows.append(about | ends)
    columns = ["tier", "dataset", "model", "quantity", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _intervals(shelf: Shelf, name: str, read: Callable[[Run], Interval]) -> list[Interval]:
    """Return one interval a run, leaving out a run without the metric or its weights."""
    try:
        found = (
            networks.with_weights(shelf, name)
            if read is QUANTITIES["accuracy under attack, %"]
            else shelf.runs(name)
        )
    except NotYetRun:
        return []
    intervals = []
    for run in found:
        try:
            intervals.append(read(run))
        except NotYetRun:
            continue
    return intervals


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """Write the advice's numbers as a table for reading: a row a tier and quantity, a column a model.

    A quantity without any record has no row.
    """
    text = [
        three_digits(value) + ("" if math.isnan(low) else f" ({three_digits(low)} to {three_digits(high)})")
        for value, low, high in frame[["value", "low", "high"]].to_numpy(dtype=float)
    ]
    tiers = dict(zip(frame["tier"], frame["dataset"], strict=True))
    titles = {tier: f"{tier}: {DATASETS[dataset].title}" for tier, dataset in tiers.items()}
    there = set(zip(frame["tier"], frame["quantity"], strict=True))
    keys = [(titles[tier], name) for tier in tiers for name in QUANTITIES if (tier, name) in there]
    cells = frame.assign(
        text=text,
        model=[METHODS[name].label for name in frame["model"]],
        evidence=[titles[tier] for tier in frame["tier"]],
    )
    pivot = cells.pivot(index=["evidence", "quantity"], columns="model", values="text")
    index = pd.MultiIndex.from_tuples(keys, names=["evidence", "quantity"])
    columns = [method.label for method in METHODS.values()]
    return pivot.reindex(index=index, columns=columns).fillna("no record")


def support(frame: pd.DataFrame) -> pd.DataFrame:
    """Set beside each sentence of the advice the verdicts of the claims that it rests on.

    Args:
        frame: as `by_tier` returns it; of each claim the strongest evidence counts.

    Returns:
        `advice`, `claim`, `verdict`, `tier` (empty for a fact): one row for each claim.
    """
    best = {row["id"]: row for row in strongest(frame).to_dict("records")}
    rows = []
    for text, names in ADVICE:
        for name in names:
            found = best.get(name, {"verdict": "not judged", "tier": ""})
            about = {"advice": text, "claim": short(name)}
            rows.append(about | {key: found[key] for key in ("verdict", "tier")})
    return pd.DataFrame(rows)
