"""The experiments' figures, drawn from the records of one tier and data set, the same for every data set.

Curves and bars are means over seeds with Student's 95 % interval; where there is a single seed, the run's own
values with the interval over its images or samples. A model without such a record is left out, and a panel
without any says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from companion import data
from companion.book import curves, one_network, plots, style, tables
from companion.book.axes import legend_below, say_not_run
from companion.book.class_names import CIFAR100
from companion.experiments import shelf
from companion.experiments.methods import METHODS, known
from companion.experiments.records import Run

MAP_QUALITIES = {"smoothness": "map_spatial_smoothness", "edge correlation": "map_edge_correlation"}
"""What is measured of a gradient map: title and metric."""
KEPT_CLASSES = {"cifar100": CIFAR100[:20]}
"""Names of the classes whose samples are kept, where the data set itself names fewer."""
FILLS = ("full", "none", "left")
"""How the marks of a first, second and third data set are filled."""


def samples(
    tier: str,
    dataset: str,
    seed: int = 0,
    first: int = 0,
    columns: int = 10,
    names: Collection[str] = METHODS,
) -> Figure:
    """Draw Fig. 2: samples of the models, a column a class; real images below, where the data are.

    Args:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        seed: of the networks.
        first: the first class; of each network, the samples of the first twenty classes are kept.
        columns: how many classes, from the first on.
        names: the models' names.

    Example:
        >>> figure = samples("quick", "mnist5k", columns=2)
        >>> [ax.get_ylabel() for ax in figure.axes[:4:2]], [ax.get_title() for ax in figure.axes[:2]]
        (['Baseline', 'Score-matching'], ['0', '1'])
        >>> plt.close(figure)
    """
    rows: dict[str, Tensor] = {
        known()[name].title: run.pictures()["samples"]
        for name, run in evaluated(tier, dataset, seed, names).items()
    }
    class_names = KEPT_CLASSES.get(dataset, data.DATASETS[dataset].first_classes)
    classes = range(first, min(first + columns, len(class_names)))
    with suppress(data.DataError):
        images = data.load(dataset)
        firsts = [images.x_test[images.y_test == label][:1] for label in range(len(class_names))]
        rows["Real"] = data.to_float(torch.cat(firsts))
    return _picture_rows(
        {label: (pictures[classes.start : classes.stop], False) for label, pictures in rows.items()},
        [class_names[label].replace(" ", "\n") for label in classes],
    )


def gan_test(tier: str, dataset: str, chance: float) -> Figure:
    """Draw Table 1: each run, the differences from the baseline, and for CIFAR-100 the paper's numbers.

    Left: each run with its Wilson interval over samples, and the mean over seeds with Student's. Middle: less
    the baseline of the same seed; with one seed, paired sample by sample.

    Args:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        chance: the share that a judge who guesses would recognise.

    Example:
        >>> figure = gan_test("quick", "mnist5k", chance=0.1)
        >>> [ax.get_title() for ax in figure.axes]
        ['share recognised (dotted: chance)', 'points above the baseline']
        >>> plt.close(figure)
    """
    each = tables.run_table(tier, dataset, "gan_test")
    means = tables.beside_reported(tables.seed_table(tier, dataset, "gan_test"), "cifar100.gan_test")
    printed = dataset == "cifar100"
    figure, axes = plt.subplots(1, 3 if printed else 2, figsize=(9.0, 3.6), squeeze=False)
    score, apart, *papers = axes[0]
    for place, row in enumerate(means.to_dict("records")):
        colour, mine = METHODS[row["model"]].colour, each.loc[each["model"] == row["model"]]
        for k, one in enumerate(mine.to_dict("records")):
            ends = [[one["value"] - one["low"]], [one["high"] - one["value"]]]
            at = place - (0.32 - 0.32 * k / max(1, len(mine) - 1) if len(mine) > 1 else 0)
            score.errorbar(at, one["value"], yerr=ends, fmt="o", markersize=4, color=colour, alpha=0.6)
        if row["n"] > 1:
            reach = row["high"] - row["value"]
            score.errorbar(place + 0.22, row["value"], yerr=reach, fmt="s", markersize=8, color=colour)
        for ax in papers:
            ax.plot(place, row["paper"], "D", markersize=9, fillstyle="none", color=colour)
    score.axhline(chance, color="#8C8C8C", linestyle=":", linewidth=1)
    score.set_title("share recognised (dotted: chance)")
    names = list(means["model"])
    for ax in (score, *papers):
        ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(-0.02, 1.05))
        _name_models(ax, names)
    for ax in papers:
        ax.set_title("the paper's Table 1")
    _differences(apart, tier, dataset, each)
    return figure


def gradient_maps(
    tier: str, dataset: str, seed: int = 0, columns: int = 8, names: Collection[str] = METHODS
) -> Figure:
    """Draw Fig. 4 (Fig. 6 for CIFAR-10): signed logit-gradients; the images above, where the data are.

    Example:
        >>> figure = gradient_maps("quick", "mnist5k", columns=2)
        >>> len(figure.axes)  # the images and four models, two columns each
        10
        >>> plt.close(figure)
    """
    rows: dict[str, tuple[Tensor, bool]] = {}
    with suppress(data.DataError):
        rows["Image"] = data.to_float(data.load(dataset).x_test[:columns]), False
    for name, run in evaluated(tier, dataset, seed, names).items():
        rows[known()[name].title] = run.pictures()["gradients"][:columns], True
    return _picture_rows(rows)


def map_qualities(tier: str, dataset: str) -> Figure:
    """Draw smoothness and edge correlation of the gradient maps, a bar a model.

    Example:
        >>> figure = map_qualities("quick", "mnist5k")
        >>> [ax.get_title() for ax in figure.axes]
        ['smoothness', 'edge correlation']
        >>> plt.close(figure)
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.5))
    for ax, (title, metric) in zip(axes, MAP_QUALITIES.items(), strict=True):
        frame = tables.model_table(tier, dataset, metric)
        ax.set(title=title, ylabel="correlation")
        if bool(frame["value"].notna().any()):
            curves.bars_with_intervals(ax, frame)
            ax.tick_params(axis="x", labelsize=9)
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

    Example:
        >>> across, up = {"test_squared_norm": "squared norm"}, {"gan_test": "share recognised"}
        >>> frame = tables.run_metrics("quick", "mnist5k", [*across, *up])
        >>> figure = networks({"MNIST-5k": frame}, across, up)
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
        ('squared norm', 'share recognised')
        >>> plt.close(figure)
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


def evaluated(tier: str, dataset: str, seed: int = 0, names: Collection[str] = METHODS) -> Mapping[str, Run]:
    """Return the runs of one seed whose pictures were kept, by model.

    Example:
        >>> list(evaluated("quick", "mnist5k", seed=0))
        ['baseline', 'score_matching', 'anti_score_matching', 'gradient_norm']
    """
    found = {name: shelf.find_all(tier, dataset, name) for name in names}
    return {
        name: run
        for name, members in found.items()
        for run in members
        if run.record.seed == seed and (run.directory / "pictures.safetensors").exists()
    }


def _differences(ax: Axes, tier: str, dataset: str, each: pd.DataFrame) -> None:
    """Draw the GAN-test less the baseline's, in percentage points, a mark a method."""
    several = len(set(each["seed"])) > 1
    found = (
        tables.paired_differences(tier, dataset, "gan_test")
        if several
        else one_network.compared(tier, dataset, "gan_test")
    )
    ax.set_title("points above the baseline")
    ax.axhline(0.0, color="#000000", linewidth=1)
    for place, row in enumerate(found.to_dict("records")):
        method = METHODS[row["model"]]
        reach = [[100 * (row["value"] - row["low"])], [100 * (row["high"] - row["value"])]]
        ax.errorbar(place, 100 * row["value"], yerr=reach, color=method.colour, marker=method.marker)
    ax.set_xlim(-0.6, len(found) - 0.4)
    _name_models(ax, list(found["model"]))


def _name_models(ax: Axes, names: Sequence[str]) -> None:
    """Write the methods' names below an axis, a word a line."""
    titles = [METHODS[name].title.replace("-score-", "-score-\n").replace(" ", "\n") for name in names]
    ax.set_xticks(range(len(names)), [t.replace("e-m", "e-\nm") for t in titles], fontsize=8)
    ax.grid(visible=False, axis="x")


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
