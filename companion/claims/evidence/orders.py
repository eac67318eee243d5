"""The claims about directions: each function returns the comparisons that the claim asserts.

Which measure, at which noise level, is fixed here by a rule and for every tier alike:

- density ratios (figure 1): the mean log-ratio over noise levels, all of `SIGMAS` for "noisy
  inputs", the lower half of them for "smaller noise" and the upper half for "larger noise"; no single level
  is picked;
- pixel perturbation (figures 3 and 5): the area under the accuracy curve over all fractions;
- gradient maps and samples (figures 2 and 4): both measures that `claims.toml` names;
- curves through training: the mean over epochs for a level, the last whole epoch for where a run ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from companion.claims.evidence import networks
from companion.claims.evidence.records import (
    Quantity,
    Shelf,
    against_zero,
    compare,
    mean_metric,
    metric,
)
from companion.claims.rule import Comparison, Finding
from companion.experiments.measurements import SIGMAS
from companion.experiments.methods import METHODS
from companion.experiments.records import RecordError, Run

ORDER_FIGURE_3 = (
    ("score_matching", "baseline"),
    ("gradient_norm", "baseline"),
    ("baseline", "anti_score_matching"),
)
"""Score-matching and gradient norm above the baseline, anti-score-matching below it: the order of figures 3
to 6."""
SIGNS = {1: "above 0", 0: "undecided", -1: "below 0"}
"""What an interval says of a difference."""
HALF = len(SIGMAS) // 2
ALL_NOISE = [f"log_ratio_{sigma:g}" for sigma in SIGMAS]
SMALL_NOISE, LARGE_NOISE = ALL_NOISE[:HALF], ALL_NOISE[HALF:]


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
        values = [{s: sign * v for s, v in shelf.values(name, quantity).items()} for name in (first, second)]
        higher, lower = (first, second) if sign > 0 else (second, first)
        minus = f"{METHODS[higher].label} - {METHODS[lower].label}"
        found.append(compare(f"{what}, {minus}", *values, scale=scale))
    return found


def used(shelf: Shelf, *names: str) -> list[Run]:
    """Return all runs of some names."""
    return [run for name in names for run in shelf.runs(name)]


def density_baseline(shelf: Shelf) -> Finding:
    """Judge whether the baseline's log-ratio, over all noise levels, is above 0."""
    values = shelf.values("baseline", mean_metric(ALL_NOISE))
    return Finding(
        comparisons=[against_zero("baseline, mean log-ratio", values)],
        note=f"Mean over noise {SIGMAS[0]:g} to {SIGMAS[-1]:g}. The ideal ratio is 1.",
        runs=used(shelf, "baseline"),
    )


def density_anti(shelf: Shelf) -> Finding:
    """Judge whether anti-score-matching's log-ratio at small noise is above 0, and above the baseline's."""
    quantity = mean_metric(SMALL_NOISE)
    anti = shelf.values("anti_score_matching", quantity)
    return Finding(
        comparisons=[
            against_zero("anti-score-matching, mean log-ratio", anti),
            compare("anti-score-matching - baseline", anti, shelf.values("baseline", quantity)),
        ],
        note=f"Mean over noise up to {SIGMAS[HALF - 1]:g}.",
        runs=used(shelf, "anti_score_matching", "baseline"),
    )


def density_regularised(shelf: Shelf) -> Finding:
    """Judge whether |log-ratio| at large noise is smaller for the two regularised models."""
    pairs = [("score_matching", "baseline"), ("gradient_norm", "baseline")]
    return Finding(
        comparisons=ordering(shelf, pairs, "|log-ratio|", mean_metric(LARGE_NOISE, absolute=True), sign=-1),
        note=f"Mean over noise from {SIGMAS[HALF]:g}; robust means near the ideal log-ratio, 0.",
        runs=used(shelf, "score_matching", "gradient_norm", "baseline"),
    )


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
        Comparison(label=label + c.label, interval=c.interval, scale=c.scale)
        for label, part in zip(labels, parts, strict=True)
        for c in part.comparisons
    ]
    return Finding(comparisons=comparisons, paper_data=True, runs=parts[0].runs)


def small_gradients(shelf: Shelf) -> Finding:
    """Judge whether score-matching keeps the gradient norm below the baseline's (appendix B)."""
    quantity = curve_mean("squared_norm_validation")
    ours, theirs = shelf.values("score_matching", quantity), shelf.values("baseline", quantity)
    noise = math.sqrt(math.fsum(ours.values()) / len(ours))
    level = math.fsum(shelf.values("score_matching", curve_mean("trace_validation")).values()) / len(ours)
    return Finding(
        comparisons=[compare("squared gradient norm, baseline / score-matching", theirs, ours, ratio=True)],
        note=(
            "Mean over the epochs, on validation images. One forward sample's excess variance is "
            f"4 |grad f|^2 / sigma^2: at sigma 0.01 a standard deviation of {200 * noise:.3g}, beside a mean "
            f"trace of {level:.3g}."
        ),
        runs=used(shelf, "score_matching", "baseline"),
    )


def curve_mean(column: str) -> Quantity:
    """Return the mean of a column of the training history over its epochs; nan without an epoch."""
    return lambda run: _column(run, column)[0]


def curve_end(column: str) -> Quantity:
    """Return a column's last value; minus infinity for a run that diverged before its first whole epoch."""
    return lambda run: -math.inf if _stopped_at_once(run) else _column(run, column)[1]


def curve_fall(column: str) -> Quantity:
    """Return a column's first value minus its last; infinity where `curve_end` is minus infinity."""
    return lambda run: math.inf if _stopped_at_once(run) else _column(run, column)[2]


def _stopped_at_once(run: Run) -> bool:
    return run.record.diverged is not None and run.record.diverged["epoch"] == 1


def _column(run: Run, column: str) -> tuple[float, float, float]:
    """Return the mean of a column of the history, its last value, and its first minus its last."""
    history = run.history()
    if history.empty:
        return math.nan, math.nan, math.nan
    if column not in history:
        raise RecordError(
            f"{run.directory / 'history.csv'} has no column {column!r}; it has {', '.join(history)}. Restore "
            "it from the repository, or train the run again"
        )
    values = [float(value) for value in history[column]]
    return math.fsum(values) / len(values), values[-1], values[0] - values[-1]


def collapsed(shelf: Shelf, name: str) -> Finding:
    """Judge whether the trace on training images falls through training, and below the stabilised runs'."""
    end, fall = curve_end("trace_train"), curve_fall("trace_train")
    comparisons = [
        against_zero("trace, first epoch - last", shelf.values(name, fall)),
        compare(
            "final trace, stabilised - this", shelf.values("collapse-stable", end), shelf.values(name, end)
        ),
    ]
    return Finding(
        comparisons=comparisons, note=diverged(shelf, name), runs=used(shelf, name, "collapse-stable")
    )


def stabilised(shelf: Shelf) -> Finding:
    """Judge whether the squared trace's penalty keeps the trace higher, and its fall smaller."""
    names = ("collapse-stable", "collapse-naive")
    ends, falls = ([shelf.values(n, q("trace_train")) for n in names] for q in (curve_end, curve_fall))
    comparisons = [
        compare("final trace, stabilised - naive", *ends),
        compare("trace, first epoch - last, naive - stabilised", falls[1], falls[0]),
    ]
    return Finding(comparisons=comparisons, note=diverged(shelf, "collapse-stable"), runs=used(shelf, *names))


def diverged(shelf: Shelf, name: str) -> str:
    """Say how many runs of one name diverged."""
    found = shelf.runs(name)
    count = sum(run.record.diverged is not None for run in found)
    return f"{count} of {len(found)} {name} runs stopped because a number was no longer finite."


def confident_loss_gradients(shelf: Shelf) -> Finding:
    """Judge appendix A.1's remark on confident samples, in the baseline."""
    found = networks.with_weights(shelf, "baseline")
    per_seed = {run.record.seed: networks.loss_gradients_by_confidence(run) for run in found}
    rows = {seed: row for seed, row in per_seed.items() if not any(map(math.isnan, row.values()))}
    if not rows:
        return Finding(note="No run has both confident and other samples.", runs=found)

    def by_seed(name: str) -> dict[int, float]:
        return {seed: row[name] for seed, row in rows.items()}

    half = dict.fromkeys(rows, 0.5)
    share = math.fsum(by_seed("confident").values()) / len(rows)
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
            compare("share drowned - 50 %", by_seed("drowned_confident"), half, scale=100),
        ],
        note=(
            f"Confident: probability of the label at least {networks.CONFIDENT:g} ({share:.0%}). "
            f"Noise: a ripple in the loss, amplitude {networks.RIPPLE[0]:g}, m = {networks.RIPPLE[1]:g}; in "
            "a real classifier, with the ripple in one logit, both gradients shrink together."
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
            Comparison(label=labels[name], interval=networks.median_interval(values), ratio=True)
            for name, values in ratios.items()
        ],
        note="Medians; both times include the forward pass that the two share. Timed just now.",
        unit="repetitions",
        runs=[run] if run else [],
    )


def adversarial(shelf: Shelf) -> Finding:
    """Judge one shared property: accuracy under a one-step attack, score-matching against the baseline."""
    found = {name: networks.with_weights(shelf, name) for name in ("score_matching", "baseline")}
    values = [{r.record.seed: networks.attacked_accuracy(r).value for r in rs} for rs in found.values()]
    return Finding(
        comparisons=[compare("attacked accuracy, score-matching - baseline", *values, scale=100)],
        note=(
            f"Percentage points, fast gradient sign, eps {networks.ATTACK[shelf.dataset]:.3g}, "
            f"{networks.IMAGES[shelf.tier]} test images. It tests robustness, one shared property, and "
            "not the conjecture: no network here was trained adversarially, and one step is a weak attack."
        ),
        runs=[run for rs in found.values() for run in rs],
    )
