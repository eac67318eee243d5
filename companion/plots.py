"""The book's figures in one style: the same colour for the same model, white at zero for signed maps.

Colours are Okabe and Ito's, told apart by colour-blind readers; markers and dashes repeat what colour says.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import AbstractPathEffect, withStroke
from torch import Tensor

from companion._support import at_least, choose

STYLE_FILE = Path(__file__).with_name("companion.mplstyle")
MODEL_ORDER: tuple[str, ...] = (
    "baseline",
    "score_matching",
    "anti_score_matching",
    "gradient_norm",
    "random",
)
MODEL_COLOURS: dict[str, str] = dict(
    zip(MODEL_ORDER, ("#000000", "#0072B2", "#D55E00", "#009E73", "#8C8C8C"), strict=True)
)
MODEL_LABELS: dict[str, str] = dict(
    zip(
        MODEL_ORDER,
        ("Baseline", "Score-matching", "Anti-score-matching", "Gradient norm", "Random"),
        strict=True,
    )
)
_MARKERS: dict[str, str] = dict(zip(MODEL_ORDER, ("o", "s", "v", "^", "x"), strict=True))
_DASHES: dict[str, str] = dict(zip(MODEL_ORDER, ("-", "-", "--", "-.", ":"), strict=True))
# An odd number of colours, so that the middle one is white exactly.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#00304D", "#0072B2", "#9CCBE6", "#FFFFFF", "#F2B48C", "#D55E00", "#592700"], N=257
)


def use_style() -> None:
    """Apply the book's matplotlib style, for all figures that follow.

    Example:
        >>> import matplotlib as mpl
        >>> with mpl.rc_context():
        ...     use_style()
        ...     mpl.rcParams["svg.fonttype"]
        'none'
    """
    plt.style.use(STYLE_FILE)


def model_style(name: str) -> dict[str, Any]:
    """Return a model's line style: the keywords color, label, marker and linestyle.

    Args:
        name: `baseline`, `score_matching`, `anti_score_matching`, `gradient_norm` or `random`.

    Raises:
        ValueError: another name.

    Example:
        >>> model_style("score_matching")["label"]
        'Score-matching'
    """
    choose("model", name, MODEL_ORDER)
    return {
        "color": MODEL_COLOURS[name],
        "label": MODEL_LABELS[name],
        "marker": _MARKERS[name],
        "linestyle": _DASHES[name],
    }


def signed_maps(
    axes: Axes | Sequence[Axes] | np.ndarray,
    maps: Tensor,
    *,
    titles: Sequence[str] | None = None,
    limit: float | str = "each",
    quantile: float = 0.995,
) -> list[AxesImage]:
    """Draw signed maps: blue below zero, white at zero, orange above, with symmetrical limits.

    Args:
        axes: one for each map.
        maps: (B, C, H, W), (B, H, W) or, for a single axes, (H, W). Channels are added up, signs and all.
        titles: one for each map.
        limit: where the colours saturate: a positive number, `each` for every map's own quantile of
            absolute values, `shared` for that of all maps together.
        quantile: in (0, 1]; below 1 a few outliers do not turn the rest white.

    Returns:
        The images, for a colour bar.

    Raises:
        ValueError: numbers of maps, axes and titles that differ; a limit that does not exist.

    Example:
        >>> import torch
        >>> _, ax = plt.subplots()
        >>> image, = signed_maps(ax, torch.tensor([[-1.0, 0.0, 2.0]]), limit="shared", quantile=1.0)
        >>> image.get_clim()
        (-2.0, 2.0)
        >>> plt.close()
    """
    panels = _axes_list(axes)
    maps = maps.detach().cpu().double()
    maps = maps[None] if maps.ndim == 2 else maps.sum(dim=1) if maps.ndim == 4 else maps
    if maps.ndim != 3 or len(maps) != len(panels):
        raise ValueError(f"signed_maps got {len(panels)} axes for maps of shape {tuple(maps.shape)}")
    if isinstance(limit, str):
        choose("limit", limit, ("each", "shared"))
        scales = [_scale(maps if limit == "shared" else one, quantile) for one in maps]
    else:
        scales = [limit] * len(maps)
    images = [
        ax.imshow(one.numpy(), cmap=SIGNED, vmin=-scale, vmax=scale)
        for ax, one, scale in zip(panels, maps, scales, strict=True)
    ]
    _picture_axes(panels, titles)
    return images


def show_images(
    axes: Axes | Sequence[Axes] | np.ndarray, images: Tensor, *, titles: Sequence[str] | None = None
) -> list[AxesImage]:
    """Draw images in [0, 1], one an axes; values outside are clipped.

    Args:
        axes: one for each image.
        images: (B, C, H, W) with C = 1 or 3.
        titles: one for each image.

    Raises:
        ValueError: not such images, or numbers of images, axes and titles that differ.
    """
    panels = _axes_list(axes)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) != len(panels):
        raise ValueError(
            f"show_images needs (B, 1 or 3, H, W) and B axes; got {tuple(images.shape)}, {len(panels)} axes"
        )
    pixels = images.detach().cpu().float().clamp(0, 1).permute(0, 2, 3, 1).squeeze(-1).numpy()
    drawn = [ax.imshow(one, cmap="gray", vmin=0, vmax=1) for ax, one in zip(panels, pixels, strict=True)]
    _picture_axes(panels, titles)
    return drawn


def image_grid(
    images: Tensor,
    *,
    columns: int,
    titles: Sequence[str] | None = None,
    signed: bool = False,
    size: float = 1.1,
) -> Figure:
    """Make a figure with a grid of images, row by row, or of signed maps.

    Args:
        images: (B, C, H, W), in [0, 1] unless signed.
        columns: images a row, at least 1.
        titles: one for each image.
        signed: draw with `signed_maps`, each with its own limits.
        size: of an image, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: columns < 1, or what `show_images` and `signed_maps` refuse.

    Example:
        >>> import torch
        >>> figure = image_grid(torch.rand(5, 3, 8, 8), columns=3)
        >>> len(figure.axes)
        6
        >>> plt.close(figure)
    """
    columns = min(at_least("columns", columns, 1), len(images))
    rows = -(-len(images) // columns)
    height = size + (0.25 if titles else 0.0)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, height * rows), squeeze=False)
    panels = list(axes.flat)
    (signed_maps if signed else show_images)(panels[: len(images)], images, titles=titles)
    for ax in panels[len(images) :]:
        ax.set_axis_off()
    return figure


def figure_widget(figure: Figure, *, alt: str, dpi: int = 110) -> widgets.HTML:
    """Turn a figure into a widget, and close it.

    Unlike `ipywidgets.Image`, it has a text for those who cannot see it.

    Args:
        figure: drawn, and not needed any more.
        alt: what is to be seen.
        dpi: its resolution.

    Example:
        >>> figure_widget(plt.figure(figsize=(1, 1)), alt="Nothing at all.").value[:40]
        '<img alt="Nothing at all." src="data:ima'
    """
    return widgets.HTML(f'<img alt="{html.escape(alt)}" src="{picture_source(figure, dpi=dpi)}">')


def picture_source(figure: Figure, *, dpi: int = 110) -> str:
    """Turn a figure into the source of an HTML image, a data URL, and close it.

    Args:
        figure: drawn, and not needed any more.
        dpi: its resolution.

    Example:
        >>> picture_source(plt.figure(figsize=(1, 1)))[:22]
        'data:image/png;base64,'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


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
        >>> frame = pd.DataFrame({"seed": [1, 1, 2, 2], "epoch": [1, 2, 1, 2], "loss": 1.0})
        >>> frame["method"] = "baseline"
        >>> _, ax = plt.subplots()
        >>> training_curves(ax, frame, y="loss")
        >>> len(ax.lines)
        3
        >>> plt.close()
    """
    present = set(frame[model])
    for name in sorted(present - set(MODEL_ORDER)):
        choose("model", name, MODEL_ORDER)
    for name in (known for known in MODEL_ORDER if known in present):
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


def _axes_list(axes: Axes | Sequence[Axes] | np.ndarray) -> list[Axes]:
    return [axes] if isinstance(axes, Axes) else list(np.asarray(axes, dtype=object).flat)


def _in_two_lines(label: str) -> str:
    """Break a long label before its last word, so that neighbours on an axis do not touch."""
    head, hyphen, tail = label.rpartition("-" if "-" in label else " ")
    return f"{head}{hyphen.strip()}\n{tail}" if head else label


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    choose("column", name, tuple(map(str, frame.columns)))
    return frame[name].to_numpy(dtype=float)


def _scale(maps: Tensor, quantile: float) -> float:
    """Return the quantile of absolute values, or the largest where that is 0, or 1 for a map of zeros."""
    magnitude = np.abs(maps.numpy())
    return float(np.quantile(magnitude, quantile)) or float(magnitude.max()) or 1.0


def _picture_axes(panels: Sequence[Axes], titles: Sequence[str] | None) -> None:
    if titles is not None and len(titles) != len(panels):
        raise ValueError(f"got {len(titles)} titles for {len(panels)} pictures")
    for index, ax in enumerate(panels):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        # A hairline frame: a map that is white at its edge still has one.
        ax.spines[:].set(visible=True, color="#dddddd", linewidth=0.6)
        if titles is not None:
            ax.set_title(titles[index], fontsize=9, loc="center")
