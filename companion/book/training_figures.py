"""Figures of training: curves, the density as it changes, the search on validation data."""

from __future__ import annotations

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
    """Draw a search's candidates: mistakes across, what the rule compares upwards, in a band the admitted.

    Args:
        found: as from `search.by_rule`.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 4.2))
    base = found.iloc[0]
    limit = float(base["of"]) - fewest_right(found)
    for ax, method in zip(axes, list(METHODS)[1:], strict=True):
        quantity, end = METHODS[method].sought
        ax.set(xlabel="validation images wrong", title=METHODS[method].title)
        ax.set_ylabel(f"{quantity.replace('norm', 'gradient norm')} {'↓' if end == 'lowest' else '↑'}")
        rows = found.loc[(found["method"] == method) & found["objective"].notna()]
        if rows.empty:
            say_not_run(ax)
            continue
        across, up = (rows["of"] - rows["right"]).to_numpy(), rows[quantity].to_numpy()
        ax.plot(across, up, linestyle="none", marker=METHODS[method].marker, color=METHODS[method].colour)
        ring = rows["chosen"].to_numpy()
        ax.plot(across[ring], up[ring], "o", markersize=13, markerfacecolor="none", color="#222222")
        left, right = across.min(), max(across.max(), limit)
        margin = max(1.03, (right / left) ** 0.2)
        ends = (left / margin, right * margin)
        for k, number in enumerate(rows["number"]):
            side = _label_side(across, up, k, ends)
            ax.annotate(number, (across[k], up[k]), textcoords="offset points", fontsize=8, **side)
        ax.axhline(base[quantity], color="#8C8C8C", linewidth=1, zorder=0)
        ax.axvspan(ends[0], limit + 0.5, color="#0072B2", alpha=0.08, linewidth=0)
        wide = right > 3 * left
        ax.set(xscale="log" if wide else "linear", xlim=ends)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(4, integer=True))
        ax.xaxis.set_major_formatter("{x:,g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    return figure


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


def _label_side(across: np.ndarray, up: np.ndarray, k: int, ends: tuple[float, float]) -> dict[str, Any]:
    """Say where a label goes on a logarithmic axis: right, left of a neighbour or the edge, or below."""
    width = np.log(ends[1] / ends[0])
    reach = np.log(across / across[k]) / width
    apart = np.abs(up - up[k]) / (up.max() - up.min())
    crowded = ((apart <= 0.06) & (reach > 0) & (reach < 0.2)).any() or np.log(
        ends[1] / across[k]
    ) / width < 0.1
    if not crowded:
        return {"xytext": (8, -3), "ha": "left"}
    if ((apart <= 0.03) & (reach < 0) & (reach > -0.1)).any():
        return {"xytext": (0, -17), "ha": "center"}
    return {"xytext": (-8, -3), "ha": "right"}
