"""Curves of several trainings, a thin line each, and below them what the baseline of the same seed lacks.

Upper panels: a thin line a seed, a thick one for the mean; with one seed, the interval over its images as a
narrow band. Lower panels: each method less the baseline of the same seed. A small mark is one pair of
trainings, a large one their mean with Student's 95 % interval; with one seed there is one pair, and the
interval is over images, of the two networks' errors as if they were independent. (They share the images, so
that this is the wider interval as long as the two find the same images hard.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.book import style, tables
from companion.book.axes import legend_below, say_not_run
from companion.book.seeds import mean_over_seeds, paired
from companion.experiments.methods import METHODS
from companion.metrics.intervals import normal_quantile

Dodge = Callable[[np.ndarray, float], np.ndarray]
"""Moves abscissae by a share, from -1 to 1, of the room between them."""


def seed_curves(ax: Axes, rows: pd.DataFrame, x: str, value: str, error: str | None = None) -> None:
    """Draw a thin line a seed and a thick one for their mean, for each method that has rows.

    Args:
        ax: where to draw.
        rows: columns model, seed, x and value: one row a point and a seed.
        x: column of the abscissae.
        value: column of the ordinates.
        error: column of standard errors over images: the band of a method with a single seed.

    Example:
        >>> from matplotlib import pyplot as plt
        >>> rows = pd.DataFrame({"model": "baseline", "seed": [0, 0, 1, 1], "x": [1, 2, 1, 2], "y": 1.0})
        >>> _, ax = plt.subplots()
        >>> seed_curves(ax, rows, "x", "y")
        >>> len(ax.lines)
        3
        >>> plt.close()
    """
    for name in (known for known in style.MODEL_LABELS if known in set(rows["model"])):
        look = style.model_style(name)
        mine = rows.loc[rows["model"] == name]
        several = mine["seed"].nunique() > 1
        if several:
            for _, one in mine.groupby("seed"):
                ax.plot(_of(one, x), _of(one, value), color=look["color"], linewidth=0.7, alpha=0.5)
        mean = mine.groupby(x, sort=True)[value].mean()
        ax.plot(mean.index.to_numpy(dtype=float), mean.to_numpy(dtype=float), **look)
        if error and not several:
            reach = normal_quantile(0.95) * _of(mine, error)
            ends = _of(mine, value) - reach, _of(mine, value) + reach
            ax.fill_between(_of(mine, x), *ends, color=look["color"], alpha=0.2, linewidth=0)


def differences(rows: pd.DataFrame, x: str, value: str, error: str | None = None) -> pd.DataFrame:
    """Return each method less the baseline of the same seed, at every abscissa.

    Args:
        rows: as for `seed_curves`.
        x: column of the abscissae.
        value: column of the ordinates.
        error: column of standard errors over images, for methods with a single seed.

    Returns:
        Columns model, x, value, low, high and n (pairs); low and high are nan where one pair has no error.

    Example:
        >>> models = ["baseline", "gradient_norm"] * 2
        >>> rows = pd.DataFrame({"model": models, "seed": [0, 0, 1, 1], "x": 1.0, "y": [1, 2, 5, 7]})
        >>> differences(rows, "x", "y")[["model", "value", "n"]].values.tolist()
        [['gradient_norm', 1.5, 2]]
    """
    found = []
    for at, here in rows.groupby(x, sort=True):
        values = {name: mine.set_index("seed")[value].to_dict() for name, mine in here.groupby("model")}
        for name in (other for other in METHODS if other != "baseline" and other in values):
            apart = paired(values[name], values.get("baseline", {}))
            ends = apart.low, apart.high
            if apart.n == 1 and error:
                (seed,) = set(values[name]) & set(values["baseline"])
                pair = here.loc[(here["seed"] == seed) & here["model"].isin([name, "baseline"]), error]
                reach = normal_quantile(0.95) * float(np.hypot(*pair))
                ends = apart.value - reach, apart.value + reach
            found.append((name, at, apart.value, *ends, apart.n))
    return pd.DataFrame(found, columns=["model", x, "value", "low", "high", "n"])


def difference_curves(
    ax: Axes, rows: pd.DataFrame, x: str, value: str, error: str | None = None, *, dodge: Dodge
) -> None:
    """Draw each method less the baseline of the same seed: marks a seed, the mean, its interval.

    The vertical axis holds every pair; where an interval goes further, it runs off the panel.

    Args:
        ax: where to draw.
        rows: as for `seed_curves`.
        x: column of the abscissae.
        value: column of the ordinates.
        error: column of standard errors over images, for methods with a single seed.
        dodge: sets the methods side by side.
    """
    ax.axhline(0.0, color="#000000", linewidth=1)
    found = differences(rows, x, value, error)
    base = rows.loc[rows["model"] == "baseline"].set_index(["seed", x])[value]
    others = [name for name in METHODS if name in set(found["model"])]
    seen: list[float] = [0.0]
    for place, name in enumerate(others):
        look = style.model_style(name)
        mine, shift = found.loc[found["model"] == name], place - (len(others) - 1) / 2
        at = dodge(_of(mine, x), 2 * shift / max(1, len(others)))
        reach = np.stack([_of(mine, "value") - _of(mine, "low"), _of(mine, "high") - _of(mine, "value")])
        thin = {"color": look["color"], "elinewidth": 1.1, "capsize": 2, "linewidth": 0}
        ax.errorbar(at, _of(mine, "value"), yerr=reach, marker=look["marker"], **thin)
        seen += [*_of(mine, "value")]
        if int(mine["n"].max()) == 1:
            seen += [*_of(mine, "low"), *_of(mine, "high")]
            continue
        each = rows.loc[rows["model"] == name].set_index(["seed", x])[value].sub(base).dropna().reset_index()
        for _, one in each.groupby("seed"):
            ax.plot(dodge(_of(one, x), 2 * shift / len(others)), _of(one, value), ".", markersize=3,
                    color=look["color"], alpha=0.6)  # fmt: skip
        seen += [*_of(each, value)]
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    room = 0.25 * (high - low) or 1.0
    ax.set_ylim(low - room, high + room)


def density_ratios(tier: str, dataset: str) -> Figure:
    """Draw Fig. 1's curve beside the mean log-ratio, both less the baseline's, and two more summaries."""
    rows = tables.run_rows(tier, dataset, "density_ratio")
    if len(rows):
        rows["log_median_ratio"] = np.log(rows["median_ratio"].clip(lower=1e-300))
    figure, axes = plt.subplots(3, 2, figsize=(8.8, 9.0), sharex=True)
    panels = {
        "log_mean_ratio": "log of the mean ratio: Figure 1's curve",
        "log_ratio": "mean log-ratio: the typical image",
    }
    for (above, below, _), (column, title) in zip(axes.T, panels.items(), strict=True):
        above.set_title(title)
        below.set_title("the same, less the baseline's")
        if rows.empty:
            say_not_run(above)
            say_not_run(below)
            continue
        error = f"{column}_standard_error"
        seed_curves(above, rows, "sigma", column, error)
        above.axhline(0.0, color="#8C8C8C", linestyle=":", zorder=0)
        difference_curves(below, rows, "sigma", column, error, dodge=_by_factor)
    more = {"log_median_ratio": "log of the median ratio", "effective_sample_size": "images behind the mean"}
    for ax, (column, title) in zip(axes[2], more.items(), strict=True):
        ax.set(title=title, xlabel="noise level σ (a pixel runs from 0 to 1)")
        if rows.empty:
            say_not_run(ax)
        else:
            seed_curves(ax, rows, "sigma", column)
    axes[2, 0].axhline(0.0, color="#8C8C8C", linestyle=":", zorder=0)
    axes[2, 1].set(yscale="log", ylim=(0.8, None), ylabel="effective sample size")
    if len(rows):
        _noise_axis(axes[0, 0], rows)
        legend_below(figure, axes[0, 0])
    return figure


def figure_one(tier: str, dataset: str) -> Figure:
    """Draw Fig. 1's curve beside the mean log-ratio, large."""
    rows = tables.run_rows(tier, dataset, "density_ratio")
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 4.6), sharex=True)
    panels = {"log_mean_ratio": "Figure 1: log of the mean ratio", "log_ratio": "Mean log-ratio"}
    for ax, (column, title) in zip(axes, panels.items(), strict=True):
        ax.set(title=title, xlabel="noise level σ (a pixel runs from 0 to 1)")
        if rows.empty:
            say_not_run(ax)
            continue
        seed_curves(ax, rows, "sigma", column, f"{column}_standard_error")
        ax.axhline(0.0, color="#000000", linestyle=":", linewidth=1, zorder=0)
    if len(rows):
        # Linear around 0, so that the side of 0 on which a small value lies can be seen.
        axes[0].set_yscale("symlog", linthresh=1)
        ticks = (-10, -1, 0, 1, 10)
        axes[0].set_yticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])
        _noise_axis(axes[0], rows)
        legend_below(figure, axes[0])
    return figure


def pixel_perturbation(tier: str, dataset: str) -> Figure:
    """Draw Figs. 3a and 3b (Fig. 5 for CIFAR-10): accuracy over the fraction removed, less the baseline's."""
    rows = tables.run_rows(tier, dataset, "pixel_perturbation")
    figure, axes = plt.subplots(2, 2, figsize=(8.8, 7.0), sharex=True)
    panels = {"own": "own gradients, own network", "common": "all gradients, one baseline"}
    for (above, below), (experiment, title) in zip(axes.T, panels.items(), strict=True):
        above.set(title=title, ylim=(0, 1.04))
        below.set(title="the same, less the baseline's", xlabel="fraction of pixels removed")
        if rows.empty:
            say_not_run(above)
            say_not_run(below)
            continue
        read_by = rows.set_index(["experiment", "attribution"]).sort_index()
        mine = read_by.loc[(experiment, "gradient")].reset_index()
        seed_curves(above, mine, "fraction", "value", "standard_error")
        chance = read_by.loc[("common", "random")].reset_index()
        chance = chance.loc[chance["model"] == "baseline"].assign(model="random")
        seed_curves(above, chance, "fraction", "value", "standard_error")
        difference_curves(below, mine, "fraction", "value", "standard_error", dodge=_by_shift)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("difference in accuracy")
    if len(rows):
        ends = [end for ax in axes[1] for end in ax.get_ylim()]
        plt.setp(axes[1], ylim=(min(ends), max(ends)))
        legend_below(figure, axes[0, 0])
    return figure


ORDERS: Mapping[str, Mapping[str, str]] = {
    "gradient": {"linestyle": "-", "label": "gradient"},
    "input_x_gradient": {"color": "#CC79A7", "linestyle": "--", "label": "input × gradient"},
    "random": {"color": "#8C8C8C", "linestyle": ":", "label": "random"},
}
"""How the three orders of removal are drawn; the gradient has the model's colour."""


def orders(tier: str, dataset: str) -> Figure:
    """Draw what each network reads when its pixels go by gradient, input x gradient or at random.

    Below: each of the first two less the random order of the same seed, with its interval.
    """
    rows = tables.run_rows(tier, dataset, "pixel_perturbation")
    figure, axes = plt.subplots(2, 4, figsize=(9.2, 5.6), sharex=True, sharey="row")
    seen = [0.0]
    for (above, below), model in zip(axes.T, METHODS, strict=True):
        above.set(title=METHODS[model].title, ylim=(0, 1.04))
        below.set(xlabel="fraction removed")
        below.axhline(0.0, color="#000000", linewidth=1)
        mine = rows.loc[rows["model"] == model] if len(rows) else rows
        if mine.empty:
            say_not_run(above)
            continue
        mine = mine.loc[mine["experiment"] == "own"]
        for attribution, look in ORDERS.items():
            found = mine.loc[mine["attribution"] == attribution]
            colour = look.get("color", METHODS[model].colour)
            for _, one in found.groupby("seed"):
                above.plot(_of(one, "fraction"), _of(one, "value"), color=colour, linewidth=0.7, alpha=0.5)
            mean = found.groupby("fraction")["value"].mean()
            above.plot(mean.index.to_numpy(), mean.to_numpy(), color=colour, linestyle=look["linestyle"])
            if attribution != "random":
                seen += _over_random(below, mine, attribution, colour)
    axes[0, 0].set_ylabel("accuracy")
    room = 0.3 * (max(seen) - min(seen)) or 1.0
    axes[1, 0].set(ylabel="less the random order's", ylim=(min(seen) - room, max(seen) + room))
    for look in ORDERS.values():
        axes[0, 0].plot([], [], **{"color": "#000000"} | dict(look))
    legend_below(figure, axes[0, 0])
    return figure


def _over_random(ax: Axes, mine: pd.DataFrame, attribution: str, colour: str) -> list[float]:
    """Draw one order less the random one of the same seed, with its interval; return the seeds' extremes."""
    by_seed = mine.set_index(["attribution", "fraction", "seed"])["value"]
    apart = by_seed.loc[attribution].sub(by_seed.loc["random"]).dropna()
    shift = -0.35 if attribution == "gradient" else 0.35
    for fraction, values in apart.groupby("fraction"):
        mean = mean_over_seeds(values)
        reach = [[mean.value - mean.low], [mean.high - mean.value]]
        at = _by_shift(np.array([fraction], dtype=float), shift)
        marker = "o" if attribution == "gradient" else "s"
        ax.errorbar(at, mean.value, yerr=reach, marker=marker, color=colour, markersize=3.5, elinewidth=1,
                    capsize=1.5)  # fmt: skip
    return [float(apart.min()), float(apart.max())]


def _noise_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """Make the (shared) axis of noise levels logarithmic, with plain numbers."""
    levels = sorted(set(rows["sigma"]))
    shown = [level for level in levels if level not in (0.15, 0.3)]
    ax.set_xscale("log")
    ax.set_xticks(shown, [f"{level:g}" for level in shown])
    ax.minorticks_off()


def _by_factor(x: np.ndarray, shift: float) -> np.ndarray:
    return x * 1.09**shift


def _by_shift(x: np.ndarray, shift: float) -> np.ndarray:
    return x + 0.012 * shift


def _of(frame: pd.DataFrame, column: str) -> np.ndarray:
    return frame[column].to_numpy(dtype=float)
