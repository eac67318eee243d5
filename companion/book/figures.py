"""The experiments' figures, drawn from the records of one tier and data set, the same for every data set.

Curves and bars are means over seeds with Student's 95 % interval; where there is a single seed, the run's own
values with the interval over its images or samples. A model without such a record is left out, and a panel
without any says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from companion import data
from companion.book import curves, plots, seeds, style, tables
from companion.book.axes import legend_below, say_not_run
from companion.experiments import shelf
from companion.experiments.methods import METHODS
from companion.experiments.records import Run

MAP_QUALITIES = {"smoothness": "map_spatial_smoothness", "edge correlation": "map_edge_correlation"}
"""What is measured of a gradient map: title and metric."""
FILLS = ("full", "none", "left")
"""How the marks of a first, second and third data set are filled."""


def density_ratios(tier: str, dataset: str) -> Figure:
    """Draw Fig. 1 and three other summaries of the same ratios, over the noise level."""
    rows = tables.run_rows(tier, dataset, "density_ratio")
    if len(rows):
        rows["log_median_ratio"] = np.log(rows["median_ratio"].clip(lower=1e-300))
    panels = {
        "log_mean_ratio": "logarithm of the mean ratio (Figure 1)",
        "log_median_ratio": "logarithm of the median ratio",
        "log_ratio": "mean log-ratio: the one we judge by",
        "effective_sample_size": "effective sample size of the mean",
    }
    figure, axes = plt.subplots(2, 2, figsize=(8.8, 6.4), sharex=True)
    for ax, (column, title) in zip(axes.flat, panels.items(), strict=True):
        error = f"{column}_standard_error" if f"{column}_standard_error" in rows else None
        ax.set_title(title)
        _curves(ax, rows, "sigma", column, error)
        if column == "effective_sample_size":
            ax.set(yscale="log", ylim=(0.8, None))
        else:
            ax.axhline(0.0, color="#8C8C8C", linestyle=":", zorder=0)
    if len(rows):
        axes[0, 0].legend()
    for ax in axes[1]:
        ax.set_xlabel("noise level σ, in units of the range of a pixel")
    return figure


def samples(tier: str, dataset: str, seed: int = 0) -> Figure:
    """Draw Fig. 2: samples of the four models, a column a class; real images below, where the data are."""
    rows: dict[str, Tensor] = {
        METHODS[name].title: run.pictures()["samples"] for name, run in evaluated(tier, dataset, seed).items()
    }
    titles = [name.replace(" ", "\n") for name in data.DATASETS[dataset].first_classes]
    with suppress(data.DataError):
        images = data.load(dataset)
        firsts = [images.x_test[images.y_test == label][0] for label in range(len(titles))]
        rows["Real"] = data.to_float(torch.stack(firsts))
    return _picture_rows(
        {label: (pictures[: len(titles)], False) for label, pictures in rows.items()}, titles
    )


def gan_test(tier: str, dataset: str, chance: float) -> Figure:
    """Draw Table 1: each run with its Wilson interval, the mean over seeds, and the paper's number.

    The paper has numbers for CIFAR-100 alone; they stand beside every data set but CIFAR-10.

    Args:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        chance: the share that a judge who guesses would recognise.
    """
    each = tables.run_table(tier, dataset, "gan_test")
    means = tables.beside_reported(tables.seed_table(tier, dataset, "gan_test"), "cifar100.gan_test")
    printed = dataset != "cifar10"
    figure, ax = plt.subplots(figsize=(7.2, 3.8))
    for place, row in enumerate(means.to_dict("records")):
        colour, mine = METHODS[row["model"]].colour, each.loc[each["model"] == row["model"]]
        for k, one in enumerate(mine.to_dict("records")):
            ends = [[one["value"] - one["low"]], [one["high"] - one["value"]]]
            at = place - 0.3 + 0.1 * k
            ax.errorbar(at, one["value"], yerr=ends, fmt="o", markersize=4, color=colour, alpha=0.6)
        if row["n"] > 1:
            reach = row["high"] - row["value"]
            ax.errorbar(place + 0.1, row["value"], yerr=reach, fmt="s", markersize=8, color=colour)
        if printed:
            ax.plot(place + 0.28, row["paper"], "D", markersize=8, fillstyle="none", color=colour)
    ax.axhline(chance, color="#8C8C8C", linestyle=":", linewidth=1)
    ax.text(3.45, chance + 0.01, "chance, here", fontsize=8, color="#666666", ha="right")
    ax.set_xticks(range(len(means)), [METHODS[name].title for name in means["model"]])
    ax.set(xlim=(-0.5, 3.5), ylim=(-0.02, 1.05), ylabel="share recognised by the judge")
    if printed:
        ax.plot([], [], "D", fillstyle="none", color="#555555", label="the paper, CIFAR-100")
        legend_below(figure, ax)
    return figure


def pixel_perturbation(tier: str, dataset: str) -> Figure:
    """Draw Figs. 3a and 3b (Fig. 5 for CIFAR-10): accuracy over the fraction of pixels removed."""
    rows = tables.run_rows(tier, dataset, "pixel_perturbation")
    if len(rows):
        first = rows.groupby(["model", "seed", "experiment", "attribution"])["value"].transform("first")
        rows["relative"] = rows["value"] / first.clip(lower=1e-9)
        rows["relative_error"] = rows["standard_error"] / first.clip(lower=1e-9)
    panels = {
        ("own", "value"): "own gradients, own network",
        ("own", "relative"): "the same, relative to clean",
        ("common", "value"): "all gradients, one baseline",
    }
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.9), sharey=True)
    axes[0].set_ylabel("accuracy")
    for ax, ((experiment, column), title) in zip(axes, panels.items(), strict=True):
        ax.set(title=title, xlabel="fraction of pixels removed", ylim=(0, 1.04))
        if rows.empty:
            say_not_run(ax)
            continue
        error = "relative_error" if column == "relative" else "standard_error"
        read_by = rows.set_index(["experiment", "attribution"]).sort_index()
        _curves(ax, read_by.loc[(experiment, "gradient")], "fraction", column, error)
        chance = read_by.loc[("common", "random")]
        chance = seeds.over_seeds(chance.loc[chance["model"] == "baseline"], ["fraction"], column, error)
        curves.curve_with_band(ax, chance, model="random", label="Random order")
    if len(rows):
        axes[0].legend(loc="lower left" if dataset == "mnist5k" else "upper right")
    return figure


def gradient_maps(tier: str, dataset: str, seed: int = 0, columns: int = 8) -> Figure:
    """Draw Fig. 4 (Fig. 6 for CIFAR-10): signed logit-gradients; the images above, where the data are."""
    rows: dict[str, tuple[Tensor, bool]] = {}
    with suppress(data.DataError):
        rows["Image"] = data.to_float(data.load(dataset).x_test[:columns]), False
    for name, run in evaluated(tier, dataset, seed).items():
        rows[METHODS[name].title] = run.pictures()["gradients"][:columns], True
    return _picture_rows(rows)


def map_qualities(tier: str, dataset: str) -> Figure:
    """Draw smoothness and edge correlation of the gradient maps, a bar a model."""
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.5))
    for ax, (title, metric) in zip(axes, MAP_QUALITIES.items(), strict=True):
        frame = tables.model_table(tier, dataset, metric)
        ax.set(title=title, ylabel="correlation")
        if bool(frame["value"].notna().any()):
            curves.bars_with_intervals(ax, frame)
            ax.tick_params(axis="x", labelsize=8)
        else:
            say_not_run(ax)
    return figure


def networks(frames: Mapping[str, pd.DataFrame], across: Mapping[str, str], up: Mapping[str, str]) -> Figure:
    """Draw networks as points, one panel for each pair of metrics, a row for each of `up`.

    Args:
        frames: one to three, by what the legend calls them, as from `tables.run_metrics`; the first one's
            marks are filled, the second's hollow, the third's half of each.
        across: axis label by metric. A metric with negative values has an axis that is linear around 0.
        up: likewise, for the other axis, which is linear.

    Raises:
        ValueError: no frame, or more than three.
    """
    if not 1 <= len(frames) <= len(FILLS):
        raise ValueError(f"networks of one to {len(FILLS)} data sets can be told apart; got {len(frames)}")
    figure, axes = plt.subplots(
        len(up), len(across), figsize=(8.8, 3 * len(up)), sharex="col", sharey="row", squeeze=False
    )
    looks = {name: style.model_style(name) | {"linestyle": "none"} for name in METHODS}
    fills = dict(zip(frames, FILLS, strict=False))
    for row, (y, y_label) in zip(axes, up.items(), strict=True):
        row[0].set_ylabel(y_label)
        for ax, x in zip(row, across, strict=True):
            if min(frame[x].to_numpy().min() for frame in frames.values()) < 0:
                ax.set_xscale("symlog", linthresh=10)
            else:
                ax.set_xscale("log")
            for name, frame in frames.items():
                for model, mine in frame.groupby("model"):
                    ax.plot(mine[x], mine[y], fillstyle=fills[name], **looks[str(model)] | {"label": None})
    for ax, label in zip(axes[-1], across.values(), strict=True):
        ax.set_xlabel(label)
    for look in looks.values():
        axes[0, 0].plot([], [], **look)
    for name, fill in fills.items():
        axes[0, 0].plot([], [], "o", color="#555555", fillstyle=fill, label=name)
    legend_below(figure, axes[0, 0])
    return figure


def evaluated(tier: str, dataset: str, seed: int = 0) -> Mapping[str, Run]:
    """Return the runs of one seed whose pictures were kept, by model."""
    found = {name: shelf.find_all(tier, dataset, name) for name in METHODS}
    return {
        name: run
        for name, members in found.items()
        for run in members
        if run.record.seed == seed and (run.directory / "pictures.safetensors").exists()
    }


def _curves(ax: Axes, rows: pd.DataFrame, x: str, value: str, error: str | None) -> None:
    """Draw the four models' curves over seeds, those that there are."""
    if rows.empty:
        say_not_run(ax)
        return
    frame = seeds.over_seeds(rows, ["model", x], value, error)
    for model in METHODS:
        mine = frame.loc[frame["model"] == model]
        if len(mine):
            curves.curve_with_band(ax, mine, x=x, model=model)


def _picture_rows(rows: Mapping[str, tuple[Tensor, bool]], titles: Sequence[str] = ()) -> Figure:
    """Draw pictures, or signed maps where the flag says so, a labelled row each."""
    columns = max((len(pictures) for pictures, _ in rows.values()), default=1)
    count = max(1, len(rows))
    height = 8.4 / columns * count + 0.3 if rows else 1.2
    figure, axes = plt.subplots(count, columns, figsize=(8.8, height), squeeze=False)
    if not rows:
        axes[0, 0].set_axis_off()
        say_not_run(axes[0, 0])
    for row, (label, (pictures, signed)) in zip(axes, rows.items(), strict=False):
        (plots.signed_maps if signed else plots.show_images)(row, pictures)
        label = label.replace("-score", "-\nscore")
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=8, loc="center", linespacing=0.9)
    return figure
