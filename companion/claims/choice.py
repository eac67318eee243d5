"""The paper's advice (section 6), beside what was measured on the four models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd

from companion._support import choose
from companion.claims.evidence import networks
from companion.claims.evidence.numbers import percent
from companion.claims.evidence.records import Shelf, over_seeds
from companion.claims.rule import NotYetRun, three_digits
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


def advice(tier: str = "quick", seed: int = 0, *, places: tuple[str, ...] = COMMITTED_FIRST) -> pd.DataFrame:
    """Measure what a choice between the four models rests on, with intervals over seeds.

    Args:
        tier: whose records, one of `TIERS`.
        seed: as in `table`.
        places: where runs are looked for, see `runs.find_all`.

    Returns: One row for each model and quantity that has a record: `model`, `quantity`, `value`, `low`,
        `high`, `n` (runs). With one run the interval is over its images, and nan where there is none.

    Raises:
        ValueError: an unknown tier.
    """
    choose("tier", tier, TIERS)
    shelf = Shelf(tier=tier, dataset=presets.DATASETS[tier][0], seed=seed, places=places)
    rows = []
    for name in METHODS:
        for quantity, read in QUANTITIES.items():
            intervals = _intervals(shelf, name, read)
            if intervals:
                i = over_seeds(intervals)
                ends = {"value": i.value, "low": i.low, "high": i.high, "n": len(intervals)}
                rows.append({"model": name, "quantity": quantity, **ends})
    return pd.DataFrame(rows, columns=["model", "quantity", "value", "low", "high", "n"])


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
    """Write the advice's numbers as a table for reading: a row a quantity, a column a model."""
    text = [
        three_digits(value) + ("" if math.isnan(low) else f" ({three_digits(low)} to {three_digits(high)})")
        for value, low, high in frame[["value", "low", "high"]].to_numpy(dtype=float)
    ]
    cells = frame.assign(text=text, model=[METHODS[name].label for name in frame["model"]])
    pivot = cells.pivot(index="quantity", columns="model", values="text")
    columns = [method.label for method in METHODS.values()]
    return pivot.reindex(index=list(QUANTITIES), columns=columns).fillna("no record")


def support(frame: pd.DataFrame) -> pd.DataFrame:
    """Set beside each sentence of the advice the verdicts of the claims that it rests on.

    Args:
        frame: the table of claims.

    Returns:
        `advice`, `claim`, `verdict`: one row for each claim.
    """
    verdicts = dict(zip(frame["id"], frame["verdict"], strict=True))
    rows = [
        {"advice": text, "claim": name, "verdict": verdicts.get(name, "not judged")}
        for text, names in ADVICE
        for name in names
    ]
    return pd.DataFrame(rows)
