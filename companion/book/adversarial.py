"""Adversarial training beside the paper's methods: what it shares with score-matching (chapter 20)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from companion.book import seeds, style, tables
from companion.book.axes import legend_below, logarithmic, say_not_run
from companion.book.words import interval_text, listed
from companion.claims.rule import Comparison
from companion.experiments import attacked, studies
from companion.experiments.methods import KIN, METHODS, known
from companion.metrics import Interval

NAMES = (*METHODS, *KIN)
"""The networks of this comparison, in the order in which they are drawn."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """What is compared of the networks.

    Attributes:
        label: what it is called.
        scale: what its numbers are multiplied by.
        ratio: whether networks are compared by ratios, on a logarithmic axis.
        unit: of the numbers, as a difference from another network is written.
    """

    label: str
    scale: float = 1.0
    ratio: bool = False
    unit: str = ""


NO_BREAK = "\N{NO-BREAK SPACE}"
PROPERTIES: Mapping[str, Property] = {
    "test_accuracy": Property(label="accuracy", scale=100, unit="points"),
    "right_0.1": Property(label="accuracy under attack", scale=100, unit="points"),
    "squared_norm": Property(label="squared gradient norm", ratio=True),
    "map_spatial_smoothness": Property(label="smoothness of the map"),
    "map_edge_correlation": Property(label="edge correlation"),
    "gan_test": Property(label="GAN-test", scale=100, unit="points"),
    "perturbation_own_gradient": Property(label="own perturbation area", scale=100, unit="points"),
    "perturbation_common_gradient": Property(label="common perturbation area", scale=100, unit="points"),
    "log_ratio_0.2": Property(label="mean log-ratio, σ = 0.2"),
    "left_whole": Property(label="noise left, σ = 0.1", scale=100, unit="points"),
}
"""The metrics of the records and the columns of the study that are compared, in the order of the figure."""
SHARED = {
    (1, 1): "both raise it",
    (-1, -1): "both lower it",
    (1, -1): "opposite",
    (-1, 1): "opposite",
    (0, 1): "adversarial training alone raises it",
    (0, -1): "adversarial training alone lowers it",
    (1, 0): "score-matching alone raises it",
    (-1, 0): "score-matching alone lowers it",
    (0, 0): "undecided",
}
"""What the signs of score-matching's and of adversarial training's difference from the baseline say."""


def measured() -> pd.DataFrame:
    """Return what is known of every network, one row each.

    Returns:
        Columns model, seed, `PROPERTIES`, and the other columns of the study; nan where a network has no
        weights here, which the study needs.

    Example:
        >>> from companion.experiments.presets import KIN_SEEDS
        >>> found = measured()
        >>> sorted(found.loc[found["model"] == "adversarial", "seed"]) == list(KIN_SEEDS)
        True
    """
    study = studies.read("attacked").rename(columns={"method": "model"})
    metrics = [name for name in PROPERTIES if name not in study]
    found = tables.run_metrics(*attacked.PLACE, metrics, NAMES)
    return found.merge(study, on=["model", "seed"], how="left")


def difference(found: pd.DataFrame, name: str, model: str, other: str = "baseline") -> Comparison:
    """Return how far a property of one kind of network lies above that of another, paired by seed.

    Args:
        found: as from `measured`.
        name: one of `PROPERTIES`.
        model: one of `NAMES`.
        other: what is subtracted, or divided by.
    """
    asked = PROPERTIES[name]

    def values(kind: str) -> dict[int, float]:
        rows = found.loc[found["model"] == kind].dropna(subset=[name])
        return {
            int(seed): math.log(value) if asked.ratio else float(value)
            for seed, value in zip(rows["seed"], rows[name], strict=True)
        }

    interval = seeds.paired(values(model), values(other))
    return Comparison(label=asked.label, interval=interval, ratio=asked.ratio, scale=asked.scale)


def nearer(found: pd.DataFrame, name: str) -> int:
    """Say whom adversarial training is nearer to in a property: 1 the gradient norm, -1 score-matching.

    Of each seed the distance from one is subtracted from the distance from the other; 0 where the 95 %
    interval of that difference over seeds does not exclude 0.

    Args:
        found: as from `measured`.
        name: one of `PROPERTIES`.
    """
    values = found.pivot_table(index="seed", columns="model", values=name).dropna()
    if PROPERTIES[name].ratio:
        values = values.map(math.log)
    apart = {
        other: (values["adversarial"] - values[other]).abs().to_dict()
        for other in ("score_matching", "gradient_norm")
    }
    return seeds.paired(apart["score_matching"], apart["gradient_norm"]).sign()


def shared(found: pd.DataFrame) -> pd.DataFrame:
    """Say of each property what score-matching and adversarial training do to it, beside the baseline.

    Args:
        found: as from `measured`.

    Returns:
        A row a property, in words: the two differences from the baseline with their 95 % intervals over
        seeds, what they have in common (`SHARED`), how far apart the two are, and whether adversarial
        training is nearer to score-matching or to the gradient norm.
    """
    rows = {}
    for name, asked in PROPERTIES.items():
        one, other = (difference(found, name, model) for model in ("score_matching", "adversarial"))
        apart = difference(found, name, "adversarial", "score_matching")
        rows[f"{asked.label}{f', {asked.unit}' if asked.unit else ''}"] = {
            "score-matching": _brief(one),
            "adversarial training": _brief(other),
            "in common": SHARED[one.interval.sign(), other.interval.sign()],
            "adversarial beside score-matching": _brief(apart),
            "nearer to": {1: "gradient norm", -1: "score-matching", 0: "undecided"}[nearer(found, name)],
        }
    return pd.DataFrame(rows).T


def told(table: pd.DataFrame) -> dict[str, str]:
    """Return words for the prose: which properties both trainings move, and which one alone.

    Args:
        table: as from `shared`.

    Returns:
        Lists in words, `none` where there is nothing: `common_agree` (both, the same way), `common_against`,
        `common_one` (score-matching alone), `common_other` (adversarial training alone), `common_unclear`;
        and `common_count`, how many the first are of how many.
    """
    said = table["in common"].str
    kinds = {
        "agree": said.startswith("both"),
        "against": said.startswith("opposite"),
        "one": said.startswith("score-matching alone"),
        "other": said.startswith("adversarial training alone"),
        "unclear": said.startswith("undecided"),
    }
    ways = {"raise": " (raised)", "lower": " (lowered)"}
    words = {}
    for kind, chosen in kinds.items():
        labels = [
            label.split(",")[0] + next((way for verb, way in ways.items() if verb in text), "")
            for label, text in table.loc[chosen, "in common"].items()
        ]
        words[f"common_{kind}"] = listed(labels) or "none"
    return words | {"common_count": f"{kinds['agree'].sum()} of {len(table)}"}


def _brief(compared: Comparison) -> str:
    return str(compared).removeprefix(f"{compared.label} ")


def properties(found: pd.DataFrame) -> Figure:
    """Draw every network's properties, a panel each: marks are seeds, bars the means over them.

    Args:
        found: as from `measured`.
    """
    figure, axes = plt.subplots(2, 5, figsize=(8.4, 5.6), layout="constrained")
    for ax, (name, asked) in zip(axes.flat, PROPERTIES.items(), strict=True):
        for place, model in enumerate(NAMES):
            look = style.model_style(model)
            values = asked.scale * found.loc[found["model"] == model, name].dropna().to_numpy(dtype=float)
            at = place + np.linspace(-0.22, 0.22, max(1, len(values)))[: len(values)]
            ax.plot(at, values, linestyle="none", marker=look["marker"], color=look["color"], markersize=3.5)
            if len(values):
                mean = np.exp(np.log(values).mean()) if asked.ratio else values.mean()
                ax.hlines(mean, place - 0.35, place + 0.35, color=look["color"], linewidth=2)
        if asked.ratio:
            logarithmic(ax)
        label = f"{asked.label}{', %' if asked.scale == 100 else ''}"
        kept = label.replace(" = ", f"{NO_BREAK}={NO_BREAK}").replace(", %", f",{NO_BREAK}%")
        ax.set_title(fill(kept, 20), fontsize=9)
        ax.set_xticks([])
        ax.tick_params(labelsize=9)
        if found.empty:
            say_not_run(ax)
    for model in NAMES:
        axes[0, 0].plot([], [], **style.model_style(model) | {"linestyle": "none"})
    legend_below(figure, axes[0, 0], columns=5)
    return figure


def under_attack(found: pd.DataFrame) -> Figure:
    """Draw the accuracy over the size of the attack: thin lines are seeds, thick ones their means.

    Args:
        found: as from `measured`.
    """
    sizes = (0.0, *attacked.EPS)
    columns = [f"right_{eps:g}" for eps in sizes]
    figure, ax = plt.subplots(figsize=(6.4, 3.9), layout="constrained")
    for model in NAMES:
        look = style.model_style(model)
        rows = 100 * found.loc[found["model"] == model, columns].dropna()
        for values in rows.to_numpy():
            ax.plot(sizes, values, color=look["color"], linewidth=0.7, alpha=0.5)
        ax.plot(sizes, rows.mean(), **look)
    ax.set(xlabel="how far a pixel may move, ε", ylabel="classified rightly, %", ylim=(-2, 102))
    legend_below(figure, ax, columns=3)
    return figure


def _share(taken: Interval) -> str:
    if max(abs(taken.low), abs(taken.high)) < 0.05:
        return "less than 0.05"
    return interval_text(taken, "{:.1f}")


def parts(found: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the noise that parts of the logit take away, a row a method and a column a part.

    Args:
        found: as from `measured`.

    Returns:
        Texts in percent: the mean over seeds with Student's 95 % interval.
    """
    titles = {"whole": "the logit", "free": "the mean logit alone", "centred": "the centred logit"}
    rows = {}
    for model in NAMES:
        mine = found.loc[found["model"] == model]
        rows[known()[model].title] = {
            title: _share(seeds.mean_over_seeds(100 - 100 * mine[f"left_{part}"].dropna()))
            for part, title in titles.items()
        }
    return pd.DataFrame(rows).T
