"""Pictures and signed maps."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from companion._support import at_least, choose
from companion.book.style import SIGNED


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

    Example:
        >>> import torch
        >>> figure, axes = plt.subplots(1, 2)
        >>> [image.get_clim() for image in show_images(axes, torch.rand(2, 1, 8, 8), titles=["a", "b"])]
        [(0.0, 1.0), (0.0, 1.0)]
        >>> plt.close(figure)
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


def _axes_list(axes: Axes | Sequence[Axes] | np.ndarray) -> list[Axes]:
    return [axes] if isinstance(axes, Axes) else list(np.asarray(axes, dtype=object).flat)


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
