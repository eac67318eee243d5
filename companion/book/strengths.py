"""Two penalties from weak to strong: what accuracy each strength costs, and what it buys (chapter 14)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from companion.book import seeds, style, tables
from companion.book.axes import legend_below, say_not_run
from companion.book.words import direction
from companion.claims.rule import Comparison
from companion.experiments import presets, search, series

PLACE = ("quick", "mnist5k")
"""The tier and data set of the networks, where no others are named."""
PENALTIES = tuple(series.STRENGTH_WEIGHTS[PLACE[0]])
"""The two methods whose weight is varied."""
QUALITIES: Mapping[str, str] = {
    "gan_test": "GAN-test",
    "perturbation_own_gradient": "own perturbation area",
    "perturbation_common_gradient": "common perturbation area",
}
"""The metrics of the records that are compared, in percent, and their names."""
BUDGETS = (0.005, 0.01, 0.02, 0.05)
"""How much accuracy a penalty may cost, from frugal to generous."""


def measured(tier: str = PLACE[0]) -> pd.DataFrame:
    """Return what the records say of every network, one row each, the baselines of the same seeds first.

    Args:
        tier: one of those of `series.strengths`.

    Returns:
        Columns method, λ (nan for the baseline), seed, validation_accuracy, test_accuracy, and `QUALITIES`.
    """
    kinds = {run.name: (run.method, run.penalty["weight"]) for run in series.strengths(tier)}
    columns = ["validation_accuracy", "test_accuracy", *QUALITIES]
    found = tables.run_metrics(tier, presets.DATASETS[tier][0], columns, ["baseline", *kinds])
    found = found.loc[found["seed"].isin(list(series.STRENGTH_SEEDS))].reset_index(drop=True)
    named = [kinds.get(name, ("baseline", math.nan)) for name in found["model"]]
    found[["method", "λ"]] = pd.DataFrame(named, columns=["method", "λ"])
    return found.loc[:, ["method", "λ", "seed", *columns]]


def means(found: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return a method's means over seeds, a row a weight; only weights at which every seed has a network."""
    mine = found.loc[found["method"] == method]
    columns = [name for name in mine if name not in ("method", "λ", "seed")]
    whole = {
        weight: rows.loc[:, columns].mean()
        for weight, rows in mine.groupby("λ", dropna=False)
        if len(rows) == found["seed"].nunique()
    }
    return pd.DataFrame(whole, index=columns).T


def strongest_within(found: pd.DataFrame, budget: float) -> dict[str, float]:
    """Return each penalty's largest weight that costs at most so much accuracy, on validation images.

    Args:
        found: as from `measured`.
        budget: how far the mean accuracy over seeds may lie below the baseline's.

    Example:
        >>> rows = [("baseline", float("nan"), 0.98), *((method, weight, right)
        ...         for method in PENALTIES for weight, right in ((0.1, 0.98), (1.0, 0.96)))]
        >>> found = pd.DataFrame(
        ...     [(*row[:2], seed, row[2]) for row in rows for seed in range(3)],
        ...     columns=["method", "λ", "seed", "validation_accuracy"])
        >>> strongest_within(found, 0.01)
        {'score_matching': 0.1, 'gradient_norm': 0.1}
        >>> strongest_within(found, 0.02)
        {'score_matching': 1.0, 'gradient_norm': 1.0}
    """
    least = means(found, "baseline")["validation_accuracy"].mean() - budget - 1e-9
    chosen = {}
    for method in PENALTIES:
        rows = means(found, method)
        admitted = rows.loc[rows["validation_accuracy"] >= least]
        if len(admitted):
            chosen[method] = float(max(admitted.index))
    return chosen


def price(found: pd.DataFrame, method: str, weight: float) -> float:
    """Return how much accuracy a penalty costs: the baseline's mean minus its own, on validation images.

    Args:
        found: as from `measured`.
        method: one of the two.
        weight: its lambda.
    """
    baseline = means(found, "baseline")["validation_accuracy"].mean()
    right = means(found, method)["validation_accuracy"].to_dict()
    return float(baseline - right.get(weight, math.nan))


def difference(
    found: pd.DataFrame, metric: str, first: tuple[str, float], second: tuple[str, float]
) -> Comparison:
    """Return how far a metric of one kind of network lies above that of another, in points, paired by seed.

    Args:
        found: as from `measured`.
        metric: one of `QUALITIES`.
        first: a method and a weight.
        second: what is subtracted.
    """

    def values(method: str, weight: float) -> dict[int, float]:
        rows = found.loc[(found["method"] == method) & (found["λ"] == weight)]
        return dict(zip(rows["seed"], rows[metric], strict=True))

    interval = seeds.paired(values(*first), values(*second))
    return Comparison(label=QUALITIES[metric], interval=interval, scale=100)


def at_equal_cost(found: pd.DataFrame, budget: float) -> list[Comparison]:
    """Return score-matching minus gradient norm, for each quality, where both cost at most the budget.

    The weights are those of `strongest_within`; without one of both the list is empty.
    """
    chosen = strongest_within(found, budget)
    if len(chosen) < 2:
        return []
    score_matching, gradient_norm = chosen.items()
    return [difference(found, metric, score_matching, gradient_norm) for metric in QUALITIES]


def bought(found: pd.DataFrame, method: str, budget: float) -> list[Comparison]:
    """Return, for each quality, the strongest weight within the budget minus the weakest of all."""
    chosen, weakest = strongest_within(found, budget), series.STRENGTH_WEIGHTS["quick"][method][0]
    if chosen.get(method, weakest) == weakest:
        return []
    return [difference(found, metric, (method, chosen[method]), (method, weakest)) for metric in QUALITIES]


def in_words(compared: list[Comparison]) -> str:
    """Say which differences are clear, which are not, and how large one would have had to be.

    Example:
        >>> from companion.metrics import seed_interval
        >>> clear, open_ = seed_interval([0.1, 0.11, 0.12]), seed_interval([-0.1, 0.1, 0.1])
        >>> in_words([Comparison(label="GAN-test", interval=clear, scale=100)])
        'GAN-test +11 (+8.52 to +13.5), higher'
        >>> in_words([Comparison(label="GAN-test", interval=open_, scale=100)])
        'GAN-test +3.33 (-25.4 to +32), undecided (35.8 would have shown four times in five)'
    """
    said = []
    for one in compared:
        open_ = f"undecided ({one.detectable} would have shown four times in five)"
        said.append(f"{one}, {direction(one.interval, neither=open_)}")
    return "; ".join(said)


def told(price: str, compared: list[Comparison]) -> str:
    """Say what a comparison at one price found, in a sentence.

    Args:
        price: the sentence's beginning, such as `At that price`.
        compared: as from `at_equal_cost`.

    Example:
        >>> told("At that price", [])
        'At that price no pair can be compared.'
    """
    if not compared:
        return f"{price} no pair can be compared."
    return f"{price}, score-matching minus gradient norm, in points: {in_words(compared)}."


def beside_baseline(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the two penalties with the metrics of the baseline of the same seed subtracted."""
    metrics = ["validation_accuracy", *QUALITIES]
    plain = found.loc[found["method"] == "baseline"].set_index("seed").loc[:, metrics]
    rows = found.loc[found["method"] != "baseline"].sort_values("λ").reset_index(drop=True)
    rows[metrics] -= plain.reindex(rows["seed"]).to_numpy()
    return rows


def curves(found: pd.DataFrame) -> Figure:
    """Draw accuracy and qualities over the weights, less the baseline's of each seed; thin lines are seeds.

    Args:
        found: as from `measured`.
    """
    panels = {"validation_accuracy": "validation accuracy", **QUALITIES}
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.6), sharex=True)
    rows = beside_baseline(found)
    for ax, (metric, label) in zip(axes.flat, panels.items(), strict=True):
        ax.axhline(0, color=style.MODEL_COLOURS["baseline"], linewidth=1, zorder=0)
        for method in PENALTIES:
            look, mine = style.model_style(method), rows.loc[rows["method"] == method]
            for _, each in mine.groupby("seed"):
                ax.plot(each["λ"], 100 * each[metric], color=look["color"], linewidth=0.7, alpha=0.45)
            mean = means(mine, method)
            ax.plot(mean.index, 100 * mean[metric], **look)
            own = mean.loc[mean.index == presets.preset(*PLACE, method).penalty["weight"]]
            ring = {"facecolors": "none", "edgecolors": look["color"], "s": 130, "zorder": 3}
            ax.scatter(own.index, 100 * own[metric], **ring)
        ax.set(xscale="log", title=f"{label[0].upper()}{label[1:]}")
        if found.empty:
            say_not_run(ax)
    axes[0, 0].axhspan(-100 * search.SLACK, 0, color="#0072B2", alpha=0.08, linewidth=0)
    for ax in axes[:, 0]:
        ax.set_ylabel("minus the baseline, points")
    for ax in axes[1]:
        ax.set_xlabel("λ")
    legend_below(figure, axes[0, 0])
    return figure
