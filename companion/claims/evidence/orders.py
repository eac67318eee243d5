"""The claims about directions: each function returns the comparisons that the claim asserts.

Which measure, at which noise level, is fixed here by a rule and for every tier alike:

- pixel perturbation (figures 3 and 5): the area under the accuracy curve over all fractions;
- gradient maps and samples (figures 2 and 4): both measures that `claims.toml` names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from companion.claims.evidence import networks
from companion.claims.evidence.records import (
    Quantity,
    Reading,
    Shelf,
    against,
    compare,
    mean_value,
    metric,
    negative,
    used,
)
from companion.claims.rule import Comparison, Finding
from companion.experiments.methods import METHODS
from companion.metrics.intervals import median_interval

ORDER_FIGURE_3 = (
    ("score_matching", "baseline"),
    ("gradient_norm", "baseline"),
    ("baseline", "anti_score_matching"),
)
"""Score-matching and gradient norm above the baseline, anti-score-matching below it: the order of figures 3
to 6."""
SIGNS = {1: "above 0", 0: "undecided", -1: "below 0"}
"""What an interval says of a difference."""


def ordering(
    shelf: Shelf,
    pairs: Sequence[tuple[str, str]],
    what: str,
    quantity: Quantity,
    *,
    scale: float = 1.0,
    sign: int = 1,
) -> list[Comparison]:
    """Compare pairs of models in one quantity; `sign` is -1 where less of it is claimed for the first."""
    found = []
    for first, second in pairs:
        values = [shelf.values(name, quantity) for name in (first, second)]
        if sign < 0:
            values = [{seed: negative(reading) for seed, reading in of_one.items()} for of_one in values]
        higher, lower = (first, second) if sign > 0 else (second, first)
        minus = f"{METHODS[higher].label} - {METHODS[lower].label}"
        found.append(compare(f"{what}, {minus}", *values, scale=scale))
    return found


def samples(shelf: Shelf) -> Finding:
    """Judge whether samples of the two regularised models are smoother, by both measures."""
    pairs = [(a, b) for a in ("score_matching", "gradient_norm") for b in ("baseline", "anti_score_matching")]
    measures = {
        "total variation": "sample_total_variation",
        "high-frequency share": "sample_high_frequency_share",
    }
    found = [
        c for what, name in measures.items() for c in ordering(shelf, pairs, what, metric(name), sign=-1)
    ]
    return Finding(comparisons=found, runs=used(shelf, *METHODS))


def perturbation(shelf: Shelf, experiment: str) -> Finding:
    """Judge the order of the areas under the curves of figure 3a (`own`) or 3b (`common`)."""
    found = ordering(shelf, ORDER_FIGURE_3, "area", metric(f"perturbation_{experiment}_gradient"), scale=100)
    note = "Areas in percentage points."
    if experiment == "own":
        relative = ordering(shelf, ORDER_FIGURE_3, "area", metric("relative_perturbation_own_gradient"))
        ends = "; ".join(f"{c.label.removeprefix('area, ')} {SIGNS[c.interval.sign()]}" for c in relative)
        note += f" Divided by each model's clean accuracy: {ends}."
    return Finding(comparisons=found, note=note, runs=used(shelf, *METHODS))


def gradient_maps(shelf: Shelf) -> Finding:
    """Judge the order in smoothness and in correlation with the image's edges."""
    measures = {"smoothness": "map_spatial_smoothness", "edge correlation": "map_edge_correlation"}
    found = [
        c for what, name in measures.items() for c in ordering(shelf, ORDER_FIGURE_3, what, metric(name))
    ]
    return Finding(comparisons=found, runs=used(shelf, *METHODS))


def cifar10(shelf: Shelf) -> Finding:
    """Judge figures 5 and 6, on CIFAR-10, at the tiers that have it."""
    if shelf.dataset != "cifar10":
        return Finding(other_tier=True, note="This tier has no CIFAR-10.")
    parts = [perturbation(shelf, "own"), perturbation(shelf, "common"), gradient_maps(shelf)]
    labels = ("own model, ", "baseline, ", "")
    comparisons = [
        replace(c, label=label + c.label)
        for label, part in zip(labels, parts, strict=True)
        for c in part.comparisons
    ]
    return Finding(comparisons=comparisons, paper_data=True, runs=parts[0].runs)


def confident_loss_gradients(shelf: Shelf) -> Finding:
    """Judge appendix A.1's remark on confident samples, in the baseline."""
    found = networks.with_weights(shelf, "baseline")
    per_seed = {run.record.seed: networks.loss_gradients_by_confidence(run) for run in found}
    rows = {seed: row for seed, row in per_seed.items() if not any(map(math.isnan, row.values()))}
    if not rows:
        return Finding(note="No run has both confident and other samples.", runs=found)

    def by_seed(name: str) -> dict[int, Reading]:
        return {seed: Reading.plain(row[name]) for seed, row in rows.items()}

    share = mean_value(by_seed("confident"))
    return Finding(
        comparisons=[
            compare(
                "loss, others / confident", by_seed("loss_others"), by_seed("loss_confident"), ratio=True
            ),
            compare(
                "gradient, others / confident",
                by_seed("gradient_others"),
                by_seed("gradient_confident"),
                ratio=True,
            ),
            against("share drowned - 50 %", by_seed("drowned"), 0.5, scale=100),
        ],
        note=(
            f"Confident: probability of the label at least {networks.CONFIDENT:g} ({share:.0%}). Noise: a "
            f"ripple of amplitude {networks.RIPPLE[0]:g}, m = {networks.RIPPLE[1]:g}, in the label's logit, "
            "as a classifier can have it: both gradients shrink together. Added to the loss itself, as "
            "printed, which no classifier does, it would drown "
            f"{mean_value(by_seed('drowned_as_printed')):.0%} of them."
        ),
        runs=found,
    )


def cost(shelf: Shelf) -> Finding:
    """Judge which of the two samples takes longer, on this machine, now."""
    model, x, y, run = networks.subject(shelf, count=16)
    ratios = networks.cost_ratios(model.float(), x.float(), y, networks.REPETITIONS[shelf.tier])
    labels = {"estimate": "time, Hutchinson / Taylor", "derivative": "with the derivative for training"}
    return Finding(
        comparisons=[
            Comparison(label=labels[name], interval=median_interval(values), ratio=True)
            for name, values in ratios.items()
        ],
        note="Medians; both times include the forward pass that the two share. Timed just now.",
        unit="repetitions",
        runs=[run] if run else [],
    )


def adversarial(shelf: Shelf) -> Finding:
    """Judge one shared property: accuracy under a one-step attack, score-matching against the baseline."""
    found = {name: networks.with_weights(shelf, name) for name in ("score_matching", "baseline")}
    values = [
        {run.record.seed: Reading(interval=networks.attacked_accuracy(run)) for run in runs}
        for runs in found.values()
    ]
    return Finding(
        comparisons=[compare("attacked accuracy, score-matching - baseline", *values, scale=100)],
        note=(
            f"Percentage points, fast gradient sign, eps {networks.ATTACK[shelf.dataset]:.3g}, "
            f"{networks.IMAGES[shelf.tier]} test images. It tests robustness, one shared property, and "
            "not the conjecture: one step is a weak attack. Networks that were trained against attacks are "
            "in chapter 20."
        ),
        runs=[run for rs in found.values() for run in rs],
    )
