"""Is it the density? Yardsticks of how near a network's density is to the data's, against its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.book import known, style, tables
from companion.book.axes import legend_below, say_not_run, symmetric
from companion.book.seeds import steady_correlation
from companion.book.words import listed
from companion.experiments.methods import METHODS

MEASURED = ("test_objective", "test_trace", "test_squared_norm")
"""The metrics of a record that the yardsticks are made of."""
SIGMA = 0.1
"""The noise of the denoising yardstick, where one level has to stand for all."""
QUALITIES: Mapping[str, str] = {
    "perturbation_own_gradient": "own gradients",
    "perturbation_common_gradient": "common reader",
    "map_edge_correlation": "edge correlation",
    "map_spatial_smoothness": "smoothness",
    "gan_test": "GAN-test",
}
"""What is measured of a network's gradients, and what it is called."""
CONTROL = "perturbation_own_random"
"""How long a network reads on when pixels are removed at random: no merit of its gradients."""
SHELVES: Mapping[str, tuple[str, str]] = {
    "digits": ("quick", "mnist5k"),
    "CIFAR-100, ResNet-9": ("small", "cifar100"),
    "CIFAR-10, ResNet-9": ("small", "cifar10"),
    "CIFAR-100, ResNet-18": ("paper", "cifar100"),
}
"""Tier and data set of the networks that are asked, by the titles of their panels."""
YARDSTICKS: Mapping[str, str] = {
    "denoising": "noise left by denoising",
    "objective": "objective of eq. 2",
    "best": "objective at its best scale",
    "off": "distance of −t/n from 1",
    "norm": "squared gradient norm",
}
"""What is asked to predict: the smaller, the nearer to the data, or in the last case the smaller alone."""
_LOOKS = {
    "denoising": ("^", "full", "#D55E00"),
    "objective": ("o", "full", "#222222"),
    "best": ("o", "none", "#222222"),
    "off": ("s", "full", "#8C8C8C"),
    "norm": ("D", "full", "#56B4E9"),
}


def of_networks(tier: str, dataset: str) -> pd.DataFrame:
    """Return every network's yardsticks and qualities, one row each.

    Args:
        tier: which tier.
        dataset: which data set.

    Returns:
        Columns model, seed, those of `yardsticks`, `QUALITIES`, `CONTROL`, and `gain`: the area that a
        network's own gradients win over a random order. `denoising` is nan where the weights were not kept.
    """
    frame = tables.run_metrics(tier, dataset, [*MEASURED, *QUALITIES, CONTROL])
    table = known.measured(tier, dataset, part="whole", sigma=SIGMA).rename(columns={"loss": "denoising"})
    gain = frame["perturbation_own_gradient"] - frame[CONTROL]
    frame = frame.assign(gain=gain).merge(table[["model", "seed", "denoising"]], how="left")
    return yardsticks(frame)


def yardsticks(frame: pd.DataFrame) -> pd.DataFrame:
    r"""Add the yardsticks to networks' metrics.

    With logits multiplied by :math:`s`, eq. 2's objective is :math:`s\,t + s^2 n / 2`, where :math:`t` is the
    mean Hessian trace and :math:`n` the mean squared gradient norm. It is smallest at :math:`s = -t / n`,
    where it is :math:`-t^2 / 2n`. A density that vanishes at the border has :math:`t = -n` under itself, and
    so a best scale of 1.

    Args:
        frame: one row a network, with the columns `MEASURED`, as from `tables.run_metrics`.

    Returns:
        The frame with `scale`, the best scale, below 0 where the trace is positive, and `YARDSTICKS`: `best`
        is 0 where no positive scale lowers the objective, and `off` is :math:`|1 - s|`.

    Example:
        >>> frame = yardsticks(pd.DataFrame([dict.fromkeys(MEASURED, -4.0) | {"test_squared_norm": 2.0}]))
        >>> frame[["scale", "best", "off"]].values.tolist()
        [[2.0, -4.0, 1.0]]
    """
    trace, norm = frame["test_trace"], frame["test_squared_norm"]
    scale = -trace / norm
    return frame.assign(
        objective=frame["test_objective"],
        scale=scale,
        best=-(scale.clip(lower=0) ** 2) * norm / 2,
        off=(1 - scale).abs(),
        norm=norm,
    )


def rank_table(frame: pd.DataFrame, qualities: Mapping[str, str]) -> pd.DataFrame:
    """Correlate the ranks of each yardstick and each quality over networks.

    Args:
        frame: as `yardsticks` returns it, with the qualities as columns and the kind in `model`.
        qualities: what they are called, by column.

    Returns:
        yardstick, quality, and the columns of `seeds.steady_correlation`.
    """
    return pd.DataFrame(
        {"yardstick": x, "quality": y, **steady_correlation(frame, x, y)}
        for x in YARDSTICKS
        for y in qualities
    )


def steadily(table: pd.DataFrame, yardstick: str, qualities: Mapping[str, str]) -> str:
    """Say what is steadily better and worse where a yardstick is smaller: with either sign, or with none.

    Args:
        table: as `rank_table` returns it.
        yardstick: one of `YARDSTICKS`.
        qualities: those that count, and what they are called.

    Example:
        >>> rows = [("norm", "gain", -1), ("norm", "edge", 1), ("norm", "other", 0)]
        >>> table = pd.DataFrame(rows, columns=["yardstick", "quality", "sign"])
        >>> steadily(table, "norm", {"gain": "gain over random", "edge": "edges", "other": "another"})
        'better gain over random, worse edges'
        >>> steadily(table.assign(sign=0), "norm", {"gain": "gain over random"})
        'nothing'
    """
    mine = table.loc[table["yardstick"] == yardstick].set_index("quality")["sign"]
    words = []
    for word, sign in (("better", -1), ("worse", 1)):
        names = [label for name, label in qualities.items() if mine[name] == sign]
        words += [f"{word} {listed(names)}"] if names else []
    return ", ".join(words) or "nothing"


def from_baseline(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return what each network has more than the baseline of its seed; the baselines themselves are left out.

    Example:
        >>> frame = pd.DataFrame({"model": ["baseline", "gradient_norm"], "seed": 0, "gain": [1.0, 3.0]})
        >>> from_baseline(frame, ["gain"]).values.tolist()
        [['gradient_norm', 0, 2.0]]
    """
    base = frame.loc[frame["model"] == "baseline"].set_index("seed")
    others = frame.loc[(frame["model"] != "baseline") & frame["seed"].isin(base.index)]
    found = others[["model", "seed"]].reset_index(drop=True)
    for column in columns:
        same_seed = base[column].reindex(others["seed"]).to_numpy()
        found[column] = others[column].to_numpy() - same_seed
    return found


def against_baseline(frames: Mapping[str, pd.DataFrame], quality: str, label: str) -> Figure:
    """Draw each network's gain in a quality over its seed's baseline, a column of panels a data set.

    From above: against the difference in the noise left by denoising, in points; against the difference in
    eq. 2's objective; against the ratio of squared gradient norms.

    Args:
        frames: as `of_networks` returns them, by their titles.
        quality: a column, a fraction.
        label: what the vertical axis says.
    """
    across = {
        "denoising": "noise left, points,\nless the baseline's",
        "objective": "objective,\nless the baseline's",
        "norm": "squared gradient norm,\nby the baseline's",
    }
    figure, axes = plt.subplots(
        3, len(frames), figsize=(8.8, 7.6), sharey="col", squeeze=False, layout="constrained"
    )
    for column, (title, frame) in enumerate(frames.items()):
        changed = frame.assign(norm=np.log(frame["norm"]), denoising=100 * frame["denoising"])
        apart = from_baseline(changed, [*across, quality])
        apart["norm"] = np.exp(apart["norm"])
        axes[0, column].set_title(title, fontsize=9)
        for ax, x in zip(axes[:, column], across, strict=True):
            _points(ax, apart.dropna(subset=[x]), x, quality)
            ax.set_xlabel(across[x], fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel(label, fontsize=9)
    for name in METHODS:
        if name != "baseline":
            axes[0, 0].plot([], [], **style.model_style(name) | {"linestyle": "none"})
    figure.suptitle("Each network beside the baseline of its seed")
    legend_below(figure, axes[0, 0])
    return figure


def _points(ax: Axes, differences: pd.DataFrame, x: str, quality: str) -> None:
    if x == "norm":
        ax.set_xscale("log")
    if differences.empty:
        say_not_run(ax)
        return
    ax.axhline(0, color="#777777", linewidth=1, zorder=1)
    ax.axvline(1 if x == "norm" else 0, color="#777777", linewidth=1, zorder=1)
    for model, mine in differences.groupby("model"):
        looks: dict[str, Any] = style.model_style(str(model)) | {"linestyle": "none", "label": None}
        ax.plot(mine[x], 100 * mine[quality], markersize=6, alpha=0.85, **looks)
    if x == "objective":
        symmetric(ax.xaxis, 100, {-1e4: "−10⁴", -100: "−100", 0: "0", 100: "100", 1e4: "10⁴"})


def ranks(found: Mapping[str, pd.DataFrame], qualities: Mapping[str, str]) -> Figure:
    """Draw rank correlations, a panel a data set, a row a quality, a mark a yardstick.

    A line is the bootstrap interval; ticks are the extremes when one kind of network is left out.

    Args:
        found: as `rank_table` returns them, by their titles.
        qualities: what the rows are called, by column.
    """
    figure, axes = plt.subplots(
        1, len(found), figsize=(8.8, 0.55 * len(qualities) + 1.5), sharex=True, sharey=True, squeeze=False
    )
    places = {name: -place for place, name in enumerate(qualities)}
    for ax, (title, table) in zip(axes[0], found.items(), strict=True):
        ax.set_title(title, fontsize=10)
        ax.axvline(0, color="#777777", linewidth=1, zorder=1)
        for shift, (yardstick, (marker, fill, colour)) in enumerate(_LOOKS.items()):
            for row in table.loc[table["yardstick"] == yardstick].to_dict("records"):
                y = places[row["quality"]] + 0.32 - 0.16 * shift
                ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.4)
                ends = [row["least"], row["most"]]
                ax.plot(ends, [y, y], linestyle="none", marker="|", markersize=6, color=colour)
                ax.plot(row["value"], y, marker=marker, fillstyle=fill, markersize=5, color=colour)
        ax.set(xlim=(-1.05, 1.05), xlabel="rank correlation: left, the smaller the better")
        ax.grid(visible=False, axis="y")
    axes[0, 0].set_yticks(list(places.values()), list(qualities.values()))
    for name, (marker, fill, colour) in _LOOKS.items():
        axes[0, 0].plot([], [], marker, fillstyle=fill, color=colour, label=YARDSTICKS[name])
    legend_below(figure, axes[0, 0])
    return figure
