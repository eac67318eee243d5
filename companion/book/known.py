"""Figures of networks on a known density, and of the denoising yardstick where the density is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from companion.book import style
from companion.book.axes import legend_below, say_not_run
from companion.book.seeds import steady_correlation
from companion.experiments import studies
from companion.experiments.denoising import PARTS
from companion.experiments.known_density import SIGMAS, TRUTH
from companion.experiments.methods import METHODS
from companion.metrics.intervals import normal_quantile

PART_TITLES = {
    "whole": "the logit",
    "own": r"$\log p_i$",
    "others": r"$-$ mean $\log p_j$",
    "free": r"mean $f_j$ (free)",
    "centred": "centred logit",
}
"""How the parts of a logit are written under an axis."""
_SIZES = (18, 90)
"""Areas of the marks of the weakest penalty and of the strongest."""


def networks() -> tuple[pd.DataFrame, pd.Series]:
    """Return the networks trained on the known density, one row each, and what the density itself attains.

    Added to the study's columns: `true_error` and `turn_<sigma>`, 1 less the mean cosine of the gradient with
    the true score and with the way back from noise; `gain` and `gain_centred`, the areas that the two
    gradients win over a random order; `best`, eq. 2's objective at its best scale; and `judged`, with the
    better of the two step sizes.
    """
    table = studies.read("known_density")
    table = table.loc[table["status"] == "finished"].rename(columns={"method": "model"})
    scale = (-table["trace"] / table["squared_norm"]).clip(lower=0)
    table = table.assign(
        true_error=1 - table["true_cosine"],
        **{f"turn_{sigma:g}": 1 - table[f"cosine_{sigma:g}"] for sigma in SIGMAS},
        gain=table["own_gradient"] - table["random"],
        gain_centred=table["own_centred"] - table["random"],
        best=-(scale**2) * table["squared_norm"] / 2,
        judged=table[["judged_0.1", "judged_0.01"]].max(axis=1),
    )
    return table.loc[table["model"] != TRUTH], table.loc[table["model"] == TRUTH].iloc[0]


def correlations(frame: pd.DataFrame, x: str, columns: Sequence[str]) -> pd.DataFrame:
    """Correlate the ranks of one column with others over networks.

    Args:
        frame: as `networks` returns it.
        x: a column.
        columns: other columns.

    Returns:
        column, and the columns of `seeds.steady_correlation`.
    """
    return pd.DataFrame({"column": column, **steady_correlation(frame, x, column)} for column in columns)


def scatter(frame: pd.DataFrame, truth: pd.Series, x: str, panels: Mapping[str, str], label: str) -> Figure:
    """Draw several columns against one, a panel each: a mark a network, a star for the true density.

    Args:
        frame: as `networks` returns it.
        truth: likewise.
        x: the column of the abscissae.
        panels: the columns of the ordinates, and what they are called.
        label: what the horizontal axis says.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(8.8, 3.5), layout="constrained")
    for ax, (column, title) in zip(axes, panels.items(), strict=True):
        sns.scatterplot(
            frame, x=x, y=column, hue="model", style="model", size="strength", ax=ax,
            palette=style.MODEL_COLOURS, markers={name: m.marker for name, m in METHODS.items()},
            sizes=_SIZES, size_norm=LogNorm(), alpha=0.75, linewidth=0, legend=False,
        )  # fmt: skip
        ax.scatter(truth[x], truth[column], s=160, marker="*", color="#000000", label="True density")
        ax.set_title(title, fontsize=10)
        ax.set(ylabel="")
        ax.set_xlabel(label, fontsize=9)
    for name in METHODS:
        axes[0].plot([], [], **style.model_style(name) | {"linestyle": "none"})
    legend_below(figure, axes[0], columns=5)
    return figure


def intervals(found: pd.DataFrame, names: Mapping[str, str], label: str) -> Figure:
    """Draw correlations, a row each: the interval as a line, ticks for the extremes without one kind.

    Args:
        found: as `correlations` returns it.
        names: what the rows are called.
        label: what the horizontal axis says.
    """
    figure, ax = plt.subplots(figsize=(7.2, 0.33 * len(found) + 1.1), layout="constrained")
    for place, row in enumerate(found.to_dict("records")):
        ax.plot([row["low"], row["high"]], [-place] * 2, color="#222222", linewidth=1.6)
        ax.plot([row["least"], row["most"]], [-place] * 2, "|", color="#222222", markersize=7)
        ax.plot(row["value"], -place, "o", color="#222222", markersize=5)
    ax.axvline(0, color="#777777", linewidth=1, zorder=1)
    ax.set_yticks([-place for place in range(len(found))], [names[name] for name in found["column"]])
    ax.set(xlim=(-1.05, 1.05), xlabel=label)
    ax.grid(visible=False, axis="y")
    return figure


def measured(tier: str, dataset: str, *, part: str | None = None, sigma: float | None = None) -> pd.DataFrame:
    """Return the denoising yardstick of every network.

    Args:
        tier: which tier.
        dataset: which data set.
        part: one of `denoising.PARTS` alone.
        sigma: one noise level alone.
    """
    table = studies.read("denoising").rename(columns={"method": "model"})
    chosen = (table["tier"] == tier) & (table["dataset"] == dataset)
    if part is not None:
        chosen &= table["part"] == part
    if sigma is not None:
        chosen &= np.isclose(table["sigma"], sigma)
    return table.loc[chosen]


def curves(shelves: Mapping[str, tuple[str, str]]) -> Figure:
    """Draw the noise left against the noise, a panel a data set: thin lines are seeds, thick ones their mean.

    Args:
        shelves: tier and data set of each panel, by its title.
    """
    figure, axes = plt.subplots(1, len(shelves), figsize=(8.8, 3.6), sharex=True, layout="constrained")
    for ax, (title, shelf) in zip(np.atleast_1d(axes), shelves.items(), strict=True):
        rows = measured(*shelf, part="whole")
        ax.set_title(title, fontsize=9)
        for name in (known for known in METHODS if known in set(rows["model"])):
            look = style.model_style(name)
            mine = rows.loc[rows["model"] == name]
            for _, one in mine.groupby("seed"):
                ax.plot(one["sigma"], 100 * one["loss"], color=look["color"], linewidth=0.7, alpha=0.5)
            mean = 100 * mine.groupby("sigma")["loss"].mean()
            ax.plot(mean.index, mean, **look | {"markersize": 4})
        if rows.empty:
            say_not_run(ax)
        ax.set_xscale("log")
        ax.set_xticks(SIGMAS, [f"{sigma:g}" for sigma in SIGMAS], fontsize=9)
        ax.minorticks_off()
        ax.set_xlabel("noise σ", fontsize=9)
    np.atleast_1d(axes)[0].set_ylabel("noise that is left, %")
    legend_below(figure, np.atleast_1d(axes)[0])
    return figure


def parts(shelves: Mapping[str, tuple[str, str]], sigma: float) -> Figure:
    """Draw how much of the noise each part of the logit takes away by itself, a panel a data set.

    A mark is a network; with one network of a kind a line is its interval over images.

    Args:
        shelves: tier and data set of each panel, by its title.
        sigma: the noise level.
    """
    figure, axes = plt.subplots(1, len(shelves), figsize=(8.8, 3.9), layout="constrained")
    for ax, (title, shelf) in zip(np.atleast_1d(axes), shelves.items(), strict=True):
        ax.set_title(title, fontsize=9)
        every = measured(*shelf, sigma=sigma)
        for place, part in enumerate(PARTS):
            rows = every.loc[every["part"] == part]
            for shift, name in enumerate(METHODS):
                look = style.model_style(name)
                mine = 100 * rows.loc[rows["model"] == name, ["loss", "loss_standard_error"]]
                at = np.full(len(mine), place + 0.18 * (shift - 1.5))
                reach = normal_quantile(0.95) * mine["loss_standard_error"] if len(mine) == 1 else None
                ax.errorbar(
                    at, 100 - mine["loss"], yerr=reach, color=look["color"], marker=look["marker"],
                    markersize=4.5, linestyle="none", label=look["label"] if place == 0 else None,
                )  # fmt: skip
        ax.set_xticks(
            range(len(PARTS)), [PART_TITLES[part] for part in PARTS], rotation=50, ha="right", fontsize=9
        )
        ax.axhline(0, color="#777777", linewidth=1, zorder=1)
    np.atleast_1d(axes)[0].set_ylabel(f"noise taken away, %, σ = {sigma:g}")
    legend_below(figure, np.atleast_1d(axes)[0])
    return figure


def taken(tier: str, dataset: str, sigma: float) -> pd.DataFrame:
    """Return the share of the noise that each part takes away, the mean over seeds: a row a kind.

    Args:
        tier: which tier.
        dataset: which data set.
        sigma: the noise level.
    """
    found = measured(tier, dataset, sigma=sigma)
    return 1 - found.pivot_table(index="model", columns="part", values="loss", aggfunc="mean")
