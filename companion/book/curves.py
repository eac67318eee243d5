"""Curves with bands, bars with intervals, heat maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.container import BarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import AbstractPathEffect, withStroke

from companion._support import choose
from companion.book.style import MODEL_LABELS, SIGNED, model_style


def curve_with_band(
    ax: Axes,
    frame: pd.DataFrame,
    *,
    x: str = "fraction",
    y: str = "value",
    low: str = "low",
    high: str = "high",
    model: str | None = None,
    color: str | None = None,
    label: str | None = None,
) -> Line2D:
    """Draw a curve with its interval as a band, in the model's own colour.

    Args:
        ax: where to draw.
        frame: one row a point, as from `Curve.to_frame`.
        x: column of the abscissae.
        y: column of the values.
        low: column of the lower ends; where the frame has no such column no band is drawn.
        high: column of the upper ends.
        model: name of the model, for colour, marker and label.
        color: in place of the model's.
        label: in place of the model's.

    Returns:
        The line.

    Example:
        >>> from matplotlib import pyplot as plt
        >>> frame = pd.DataFrame({"fraction": [0, 1], "value": [1, 0], "low": [0.9, 0], "high": [1, 0.1]})
        >>> _, ax = plt.subplots()
        >>> curve_with_band(ax, frame, model="baseline").get_label()
        'Baseline'
        >>> plt.close()
    """
    style = model_style(model) if model else {}
    style |= {key: given for key, given in (("color", color), ("label", label)) if given is not None}
    abscissae = _column(frame, x)
    (drawn,) = ax.plot(abscissae, _column(frame, y), **style)
    if {low, high} <= set(frame.columns):
        ends = _column(frame, low), _column(frame, high)
        ax.fill_between(abscissae, *ends, color=drawn.get_color(), alpha=0.18, linewidth=0)
    return drawn


def heat_map(
    ax: Axes, table: pd.DataFrame, *, form: str = "{:.2f}", centre: float | None = None, label: str = ""
) -> AxesImage:
    """Draw a table as coloured cells with their numbers: dark is high, or diverging around a centre.

    Args:
        ax: where to draw; labelled with the names of the table's index and columns.
        table: numbers; missing ones stay blank.
        form: format of a number.
        centre: the value that is white in a diverging map; None for a sequential one.
        label: of the colour bar; none without it.

    Returns:
        The image.

    Example:
        >>> from matplotlib import pyplot as plt
        >>> _, ax = plt.subplots()
        >>> _ = heat_map(ax, pd.DataFrame([[0.1, 0.9]]), form="{:.1f}")
        >>> [text.get_text() for text in ax.texts]
        ['0.1', '0.9']
        >>> plt.close()
    """
    values = table.to_numpy(dtype=float)
    if centre is None:
        image = ax.imshow(values, cmap="Blues", aspect="auto")
    else:
        reach = max(float(np.nanmax(np.abs(values - centre))), 1e-12)
        norm = TwoSlopeNorm(centre, centre - reach, centre + reach)
        image = ax.imshow(values, cmap=SIGNED, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            red, green, blue, _ = image.to_rgba(value)
            ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
            ax.text(column, row, form.format(value), ha="center", va="center", color=ink, fontsize=9)
    ax.set_xticks(range(len(table.columns)), [str(name) for name in table.columns])
    ax.set_yticks(range(len(table.index)), [str(name) for name in table.index])
    ax.set_xlabel(str(table.columns.name or ""))
    ax.set_ylabel(str(table.index.name or ""))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    if label:
        ax.figure.colorbar(image, ax=ax, label=label)
    return image


def bars_with_intervals(
    ax: Axes,
    frame: pd.DataFrame,
    *,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    model: str = "model",
) -> BarContainer:
    """Draw a bar a model, in its colour, with its interval.

    Args:
        ax: where to draw.
        frame: one row a model.
        value: column of the heights.
        low: column of the lower ends; nan draws no interval.
        high: column of the upper ends.
        model: column of the models' names.

    Returns:
        The bars.

    Example:
        >>> from matplotlib import pyplot as plt
        >>> frame = pd.DataFrame({"model": ["baseline"], "value": [0.6], "low": [0.5], "high": [0.7]})
        >>> _, ax = plt.subplots()
        >>> len(bars_with_intervals(ax, frame))
        1
        >>> plt.close()
    """
    styles = [model_style(name) for name in frame[model]]
    heights = _column(frame, value)
    errors = np.stack([heights - _column(frame, low), _column(frame, high) - heights]).clip(min=0)
    positions = np.arange(len(frame))
    bars = ax.bar(positions, heights, color=[style["color"] for style in styles], width=0.65)
    # A white halo keeps the interval visible on a bar of any colour.
    halo: list[AbstractPathEffect] = [withStroke(linewidth=3.6, foreground="white")]
    drawn = ax.errorbar(positions, heights, yerr=errors, fmt="none", ecolor="#222222", elinewidth=1.6)
    for artist in (*drawn.lines[1], *drawn.lines[2]):
        artist.set_path_effects(halo)
    ax.set_xticks(positions, [_in_two_lines(style["label"]) for style in styles])
    ax.grid(visible=False, axis="x")
    return bars


def training_curves(
    ax: Axes, frame: pd.DataFrame, *, y: str, x: str = "epoch", model: str = "method", seed: str = "seed"
) -> None:
    """Draw a quantity through training: a thin line a seed, a thick one for the mean over a model's seeds.

    Args:
        ax: where to draw.
        frame: one row for a model, a seed and a point in training.
        y: column of the quantity.
        x: column of the abscissae.
        model: column of the models' names.
        seed: column of the seeds; not needed where there is only one.

    Example:
        >>> from matplotlib import pyplot as plt
        >>> frame = pd.DataFrame({"seed": [1, 1, 2, 2], "epoch": [1, 2, 1, 2], "loss": 1.0})
        >>> frame["method"] = "baseline"
        >>> _, ax = plt.subplots()
        >>> training_curves(ax, frame, y="loss")
        >>> len(ax.lines)
        3
        >>> plt.close()
    """
    present = set(frame[model])
    for name in sorted(present - set(MODEL_LABELS)):
        choose("model", name, MODEL_LABELS)
    for name in (known for known in MODEL_LABELS if known in present):
        style = {**model_style(name), "marker": None}
        runs = frame.loc[frame[model] == name]
        if seed in runs and runs[seed].nunique() > 1:
            for _, run in runs.groupby(seed):
                thin = {"color": style["color"], "linewidth": 0.7, "alpha": 0.45}
                ax.plot(_column(run, x), _column(run, y), **thin)
        mean = runs.groupby(x)[y].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), **style)
    ax.set_xlabel(x)
    ax.set_ylabel(y.replace("_", " "))


def _in_two_lines(label: str) -> str:
    """Break a long label before its last word, so that neighbours on an axis do not touch."""
    head, hyphen, tail = label.rpartition("-" if "-" in label else " ")
    return f"{head}{hyphen.strip()}\n{tail}" if head else label


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    choose("column", name, tuple(map(str, frame.columns)))
    return frame[name].to_numpy(dtype=float)
