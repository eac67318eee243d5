"""The claims that are printed numbers: accuracies, Table 1 and Table 2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from companion.claims.evidence.orders import ordering
from companion.claims.evidence.records import Shelf, metric, over_seeds, used
from companion.claims.rule import Comparison, Estimate, Finding, NotYetRun
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.experiments.series import SWEEP_MUS, SWEEP_WEIGHTS
from companion.metrics.intervals import Interval, independent_difference_interval

TABLE_1 = ("baseline", "anti_score_matching", "gradient_norm", "score_matching")
"""The order in which `claims.toml` lists Table 1's numbers."""
PAPER_NETWORK = ("resnet18", 64)
"""The paper's network, and its width."""
BEST, FAILING = (1e-5, 1e-3), (1e-2, 1e-5)
"""(lambda, mu) that Table 2 is said to show as best; the largest lambda with the smallest mu."""


def percent(interval: Interval) -> Interval:
    """Return an interval of a fraction in percent."""
    return Interval(
        value=100 * interval.value, low=100 * interval.low, high=100 * interval.high, n=interval.n
    )


def measured(shelf: Shelf, name: str, quantity: str) -> Interval:
    """Return a metric of one model in percent, over its seeds; for one seed, over its images.

    Raises:
        NotYetRun: no run has it.
    """
    shelf.values(name, metric(quantity))
    return percent(
        over_seeds([run.interval(quantity) for run in shelf.runs(name) if quantity in run.record.metrics])
    )


def accuracy(shelf: Shelf, claim: Mapping[str, float], name: str) -> Finding:
    """Judge one model's test accuracy."""
    interval = measured(shelf, name, "test_accuracy")
    found = shelf.runs(name)
    return Finding(
        estimates=[Estimate(label="test accuracy", reported=claim["value"], interval=interval)],
        paper_data=shelf.paper_data,
        paper_network=_is_the_papers(found),
        note=_setting(found[0]),
        unit="seeds" if len(found) > 1 else "images",
        runs=found,
    )


def gan_test(shelf: Shelf, claim: Mapping[str, Sequence[float]]) -> Finding:
    """Judge Table 1, number by number and in its order."""
    pairs = [
        ("gradient_norm", "score_matching"),
        ("score_matching", "baseline"),
        ("baseline", "anti_score_matching"),
    ]
    found = used(shelf, *TABLE_1)
    return Finding(
        estimates=[
            Estimate(label=METHODS[name].label, reported=value, interval=measured(shelf, name, "gan_test"))
            for name, value in zip(TABLE_1, claim["value"], strict=True)
        ],
        comparisons=ordering(shelf, pairs, "points", metric("gan_test"), scale=100),
        paper_data=shelf.paper_data,
        paper_network=_is_the_papers(found),
        note=_setting(found[0]),
        unit=_unit([len(shelf.runs(name)) for name in TABLE_1]),
        runs=found,
    )


def _unit(runs_of_each: Sequence[int]) -> str:
    """Return what the intervals range over: one run's own is over its samples, that of several over them."""
    kinds = ["samples" if 1 in runs_of_each else "", "seeds" if max(runs_of_each) > 1 else ""]
    return " or ".join(kind for kind in kinds if kind)


def sweep(shelf: Shelf, claim: Mapping[str, Sequence[float]]) -> Finding:
    """Judge Table 2: its best cell by GAN-test, and that a large lambda with a small mu fails to train.

    "Fails" means less than half of the best cell's accuracy. There is one run a cell, so the unit is the
    image.
    """
    cells = {(w, mu): _cell(shelf, w, mu) for w in SWEEP_WEIGHTS for mu in SWEEP_MUS}
    best = {name: cells[BEST].interval(name) for name in ("test_accuracy", "gan_test")}
    rival = max((c for c in cells if c != BEST), key=lambda c: cells[c].interval("gan_test").value)
    half = Interval(
        **{e: getattr(best["test_accuracy"], e) / 2 for e in ("value", "low", "high")},
        n=best["test_accuracy"].n,
    )
    comparisons = [
        Comparison(
            label=f"GAN-test, best cell - best other (lambda {rival[0]:.0e}, mu {rival[1]:.0e})",
            interval=independent_difference_interval(best["gan_test"], cells[rival].interval("gan_test")),
            scale=100,
        ),
        Comparison(
            label="half the best cell's accuracy - that of lambda 1e-2, mu 1e-5",
            interval=independent_difference_interval(half, cells[FAILING].interval("test_accuracy")),
            scale=100,
        ),
    ]
    labels = ("accuracy", "GAN-test")
    return Finding(
        estimates=[
            Estimate(label=label, reported=value, interval=percent(interval))
            for label, value, interval in zip(labels, claim["value"], best.values(), strict=True)
        ],
        comparisons=comparisons,
        paper_data=shelf.paper_data,
        paper_network=_is_the_papers(list(cells.values())),
        note=(
            "One seed, and the best other cell was picked among 19: read the order with that in mind. "
            "In Table 2 itself other cells have a higher accuracy; it is best by GAN-test."
        ),
        unit="images and samples",
        runs=list(cells.values()),
    )


def _cell(shelf: Shelf, weight: float, mu: float) -> Run:
    name = f"sweep-weight{weight:.0e}-mu{mu:.0e}"
    run = shelf.runs(name)[0]
    for needed in ("test_accuracy", "gan_test"):
        if math.isnan(metric(needed)(run).value):
            raise NotYetRun(shelf.command(name))
    return run


def _is_the_papers(found: Sequence[Run]) -> bool:
    """Say whether runs are of the paper's network, for however many epochs."""
    return all((run.settings.network, run.settings.width) == PAPER_NETWORK for run in found)


def _setting(run: Run) -> str:
    s = run.settings
    ours = f"Measured on {s.dataset} with a {s.network} of width {s.width}, trained for {s.epochs} epochs"
    return f"{ours}; the paper has a ResNet-18 of width 64, and its code 200 epochs."
