"""Figures of training: curves, the density as it changes, the search on validation data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from companion.book import curves
from companion.book.axes import legend_below, logarithmic, say_not_run
from companion.experiments import shelf
from companion.experiments.methods import METHODS
from companion.experiments.search import fewest_right

USUAL_SIGMA = 0.01
"""The noise of the authors' code, which most candidates have."""


def learning(tier: str, dataset: str) -> Figure:
    """Draw the cross-entropy of the training batches and of the validation images, and validation errors."""
    history = histories(tier, dataset)
    panels = {
        "loss": ("cross-entropy", "Training batches"),
        "validation_loss": ("cross-entropy", "Validation images"),
        "wrong": ("wrong, %", "Validation errors"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2))
    for ax, (column, (label, title)) in zip(axes, panels.items(), strict=True):
        _training_curves(ax, history, column)
        ax.set(ylabel=label, title=title)
        logarithmic(ax)
    legend_below(figure, axes[0])
    return figure


def density_in_training(tier: str, dataset: str) -> Figure:
    """Draw squared gradient norm and Hessian trace of the true logit after each epoch."""
    history = histories(tier, dataset)
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey="row")
    for column, (split, title) in enumerate({"train": "Training", "validation": "Validation"}.items()):
        for row, quantity in enumerate(("squared_norm", "trace")):
            _training_curves(axes[row, column], history, f"{quantity}_{split}")
            axes[row, column].set(xlabel="epoch" if row else "", ylabel="")
        axes[0, column].set_title(f"{title} images")
        logarithmic(axes[0, column])
        axes[1, column].set_yscale("symlog", linthresh=100)
        axes[1, column].axhline(0, color="#555555", linewidth=0.8, zorder=0)
    axes[0, 0].set_ylabel("squared gradient norm")
    axes[1, 0].set_ylabel("trace")
    legend_below(figure, axes[0, 0])
    return figure


def search(found: pd.DataFrame) -> Figure:
    """Draw a search's candidates, a row each: mistakes on the left, what the rule compares on the right.

    Args:
        found: as from `search.by_rule`.
    """
    methods = list(METHODS)[1:]
    groups = {method: found.loc[found["method"] == method] for method in methods}
    heights = [max(len(rows), 1) + 1.2 for rows in groups.values()]
    figure, axes = plt.subplots(3, 2, figsize=(9, 0.31 * sum(heights) + 0.8), height_ratios=heights)
    base = found.iloc[0]
    limit = float(base["of"]) - fewest_right(found)
    for row, (method, rows) in zip(axes, groups.items(), strict=True):
        quantity, end = METHODS[method].sought
        wrong, values = rows["of"] - rows["right"], rows[quantity]
        _candidates(row[0], method, rows, wrong)
        _candidates(row[1], method, rows, values)
        row[0].set_xlabel("validation images wrong")
        row[1].set_xlabel(f"{quantity.replace('norm', 'gradient norm')} {'←' if end == 'lowest' else '→'}")
        row[0].set_title(METHODS[method].title)
        row[1].tick_params(labelleft=False)
        if rows["objective"].notna().any():
            finished = wrong[rows["objective"].notna()]
            low, high = finished.min(), max(finished.max(), limit)
            wide = high > 3 * low
            margin = max(1.03, (high / low) ** 0.1)
            row[0].set(xscale="log" if wide else "linear", xlim=(low / margin, high * margin))
            row[0].xaxis.set_major_locator(
                LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5, integer=True)
            )
            row[0].axvspan(low / margin, limit + 0.5, color="#0072B2", alpha=0.08, linewidth=0)
            row[1].axvline(base[quantity], color="#8C8C8C", linewidth=1, zorder=0)
            if values.max() > 30 * values.min() > 0:
                row[1].set_xscale("log")
                row[1].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            for ax in row:
                ax.xaxis.set_major_formatter("{x:,g}")
                ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            say_not_run(row[0])
            say_not_run(row[1])
    return figure


def candidate_words(row: pd.Series) -> str:
    """Name what a candidate tried, in the width of an axis label; sigma where it is not the paper's code's.

    Example:
        >>> row = {"number": "03", "λ": 0.01, "μ": 0.1, "σ": 0.03, "h": "central", "batch norm": "joint"}
        >>> candidate_words(pd.Series(row))
        '03: λ 0.01, μ 0.1, σ 0.03, central, joint'
    """
    tried = row.to_dict()
    words = [f"{name} {tried[name]:g}" for name in ("λ", "μ") if math.isfinite(tried[name])]
    if math.isfinite(tried["σ"]) and tried["σ"] != USUAL_SIGMA:
        words.append(f"σ {tried['σ']:g}")
    words += [tried[name] for name in ("h", "batch norm") if tried[name]]
    return f"{tried['number']}: {', '.join(words)}"


def histories(tier: str, dataset: str) -> pd.DataFrame:
    """Return the histories of the runs that finished; `wrong` are the validation errors in percent."""
    found = [run for name in METHODS for run in shelf.find_all(tier, dataset, name)]
    whole = [
        run.history().assign(model=run.record.name, seed=run.record.seed)
        for run in found
        if run.record.status == "finished"
    ]
    if not whole:
        return pd.DataFrame()
    history = pd.concat(whole, ignore_index=True)
    return history.assign(wrong=100 * (1 - history["validation_accuracy"]))


def _training_curves(ax: Axes, history: pd.DataFrame, column: str) -> None:
    if history.empty:
        say_not_run(ax)
        return
    curves.training_curves(ax, history, y=column, model="model")
    epochs = sorted(history["epoch"].unique())
    ax.set_xticks(epochs[:: max(1, len(epochs) // 6)])


def _candidates(ax: Axes, method: str, rows: pd.DataFrame, values: pd.Series) -> None:
    """Mark a value a candidate, the first on top: full if admitted, ringed if chosen."""
    heights = np.arange(len(rows))[::-1]
    known = values.notna().to_numpy() & rows["objective"].notna().to_numpy()
    style: dict[str, Any] = {"linestyle": "none", "marker": METHODS[method].marker}
    style["color"] = METHODS[method].colour
    admitted = rows["admitted"].to_numpy() & known
    ax.plot(values[admitted], heights[admitted], **style)
    ax.plot(values[known & ~admitted], heights[known & ~admitted], markerfacecolor="none", **style)
    chosen = rows["chosen"].to_numpy() & known
    ax.plot(values[chosen], heights[chosen], "o", markersize=13, markerfacecolor="none", color="#222222")
    ax.set_yticks(heights, [candidate_words(row) for _, row in rows.iterrows()], fontsize=9)
    ax.set_ylim(-0.8, len(rows) - 0.2)
    for height, outcome in zip(heights, rows["outcome"], strict=True):
        if outcome.startswith("diverged"):
            style = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": 8}
            ax.text(0.01, height, "diverged", **style)
