"""The figures of chapter 07's section on anti-score-matching's clamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from companion.book.axes import NOT_RUN, symmetric
from companion.experiments.methods import METHODS

Histories = Mapping[str, Sequence[pd.DataFrame]]
"""Histories of training, one a seed, by what the legend calls them."""
MARKS = ("o", "s", "^", "D")
DASHES = ("-", "--", ":", "-.")
THRESHOLD: Any = {"color": "#222222", "linestyle": "--", "linewidth": 1}
CLAMP_COLOURS = (METHODS["anti_score_matching"].colour, "#CC79A7", "#56B4E9", "#0B6E4F")
"""The paper's clamp has the colour of the book's anti-score-matching; the others have no other meaning."""


def through_training(histories: Histories, *, tau: float, sigma: float) -> Figure:
    """Draw the trace through training, and how many spreads of the forward estimate it lies above tau.

    Args:
        histories: of anti-score-matching, by data set; measured on validation images.
        tau: the threshold.
        sigma: of the noise; the spread is 2 |grad f| / sigma.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.9))
    colour = METHODS["anti_score_matching"].colour
    for (label, seeds), mark, dashes in zip(histories.items(), MARKS, DASHES, strict=False):
        for number, history in enumerate(seeds):
            spread = 2 * history["squared_norm_validation"] ** 0.5 / sigma
            done = history["epoch"] / history["epoch"].max()
            style = {"color": colour, "marker": mark, "markevery": [-1], "linewidth": 0.9}
            style["linestyle"] = dashes
            style["label"] = None if number else label
            left.plot(done, history["trace_validation"], **style)
            right.plot(done, (history["trace_validation"] - tau) / spread, **style)
    _trace_axis(left, tau)
    left.set(ylabel="mean trace", title="The trace passes the threshold")
    right.axhline(0, color="#555555", linewidth=0.8, zorder=0)
    right.set(ylabel="(trace − τ) / spread of h", title="... by several spreads of the noise")
    for ax in (left, right):
        ax.set(xlabel="share of the training done", xlim=(0, 1.03))
    _finish(figure, left, histories)
    return figure


def draws(
    h: Tensor,
    trace: Tensor,
    *,
    tau: float,
    thresholds: Tensor,
    expected: Tensor,
    balance: float,
) -> Figure:
    """Draw a batch's noisy estimates beside its traces, and the share of both below each of many thresholds.

    Args:
        h: (P, B), draws of the forward estimate.
        trace: (B,), the traces.
        tau: the threshold of the training.
        thresholds: (K,), for the panel on the right.
        expected: (K,), the share of draws that the closed form puts below each.
        balance: the share at which push and pull are equal; not drawn unless positive.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.9))
    noisy, exact = h.flatten().double().cpu().numpy(), trace.double().cpu().numpy()
    ends = min(0.0, noisy.min()), noisy.max()
    colour = METHODS["anti_score_matching"].colour
    left.hist(noisy, np.linspace(*ends, 50), density=True, color=colour, alpha=0.45, label="h, one draw")
    coarse = np.linspace(*ends, 20)
    left.hist(exact, coarse, density=True, histtype="step", color="#222222", label="t, the trace")
    left.set(xlabel="h", ylabel="density", yticks=[], title="The digits of one batch")
    points = thresholds.double().cpu().numpy()
    measured = np.array([(noisy < point).mean() for point in points])
    right.plot(points, measured, "o", color=colour, markersize=4, label="h, measured")
    right.plot(points, expected.double().cpu().numpy(), color=colour, linewidth=1.2, label="h, closed form")
    without = np.array([(exact < point).mean() for point in points])
    right.plot(points, without, color="#222222", linewidth=1.2, drawstyle="steps-post", label="t, no noise")
    if balance > 0:
        right.axhline(balance, color="#555555", linestyle=":", label="push = pull")
    right.set(yscale="log", ylim=(0.5 / noisy.size, 1.5), xlabel="threshold", ylabel="share below")
    right.set_title("What still pushes, for any threshold")
    for ax in (left, right):
        ax.axvline(tau, **THRESHOLD)
        ax.text(tau, 0.97, f" τ = {tau:,g}", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
    left.legend(loc="upper right")
    right.legend(loc="center right")
    return figure


def other_clamps(histories: Histories, *, tau: float) -> Figure:
    """Draw trace and squared gradient norm on validation images through training, for each clamp.

    Args:
        histories: of one data set, by clamp; the first is the paper's.
        tau: the threshold.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.9))
    for (label, seeds), mark, colour in zip(histories.items(), MARKS, CLAMP_COLOURS, strict=False):
        for number, history in enumerate(seeds):
            style = {"color": colour, "marker": mark, "markevery": [-1], "linewidth": 0.8}
            style["label"] = None if number else label
            left.plot(history["epoch"], history["trace_validation"], **style)
            right.plot(history["epoch"], history["squared_norm_validation"], **style)
    _trace_axis(left, tau)
    left.set(ylabel="mean trace", title="What holds the trace at τ")
    right.set(yscale="log", ylabel="squared gradient norm", title="What it does to the gradient")
    for ax in (left, right):
        ax.set_xlabel("epoch")
    _finish(figure, left, histories)
    return figure


def _trace_axis(ax: Axes, tau: float) -> None:
    """Draw tau as a dashed line, and make the axis linear up to it; its name is a tick's."""
    ax.axhline(tau, **THRESHOLD)
    powers = {times * tau: f"{times * tau:,g}" for times in (10, 100)}
    symmetric(ax.yaxis, tau, {0: "0", tau: f"τ = {tau:,g}", **powers})


def _finish(figure: Figure, ax: Axes, histories: Histories) -> None:
    if not any(histories.values()):
        ax.text(0.5, 0.5, NOT_RUN, transform=ax.transAxes, ha="center")
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
