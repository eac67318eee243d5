"""What the live figures are given: checked classes, packed images and networks, pictures T."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from companion._support import at_least
from companion.book import stencils
from companion.live import stills
from companion.live.hosts import Figure, Widget, as_script_text, in_book, on_page
from companion.live.packing import UnsupportedNetwork, pack, pack_array


def figure(
    kind: str,
    models: Mapping[str, nn.Module],
    shape: Sequence[int],
    names: Sequence[str],
    given: Mapping[str, Any],
    view: dict[str, Any],
    still: stills.Still,
    *,
    later: bool = False,
) -> Figure:
    """Return the figure for a page, or the widget for Jupyter, with each network as the engine reads it.

    With `later`, a page loads the networks when its reader asks for them, and is told how many bytes each is.
    """
    payload = {"kind": kind, "classes": names, **given, "view": view}
    networks: dict[str, dict[str, Any]] = {}
    for name, model in models.items():
        try:
            networks[name] = pack(model, tuple(shape))
        except UnsupportedNetwork:
            if in_book():
                raise
            networks[name] = {"name": name}
    if in_book():
        if later:
            payload["later"] = {name: len(as_script_text(network)) for name, network in networks.items()}
        return on_page(payload, networks, still())
    return Widget(payload={**payload, "networks": networks}, models=models, shape=tuple(shape))


def checked(model: nn.Module, x: Tensor, y: Tensor, class_names: Sequence[str] | None) -> list[str]:
    """Return the names of the classes, after a look at everything."""
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not len(x) or not x.is_floating_point():
        raise ValueError(f"x must be (N, 1 or 3, H, W) images in [0, 1]; got {tuple(x.shape)} of {x.dtype}")
    if y.shape != (len(x),):
        raise ValueError(f"y must hold {len(x)} classes, one an image; got shape {tuple(y.shape)}")
    with torch.no_grad():
        classes = stills.evaluated(model, x[:1]).shape[1]
    names = [str(k) for k in range(classes)] if class_names is None else [str(name) for name in class_names]
    if len(names) != classes:
        raise ValueError(f"the model has {classes} classes, class_names has {len(names)}")
    for label in y.tolist():
        if not 0 <= at_least("a class in y", label, 0) < classes:
            raise ValueError(f"y holds the class {label}; this model's classes are 0 to {classes - 1}")
    return names


def images(x: Tensor, y: Tensor, indices: Sequence[int] | None = None) -> dict[str, Any]:
    """Return images, their classes, and the rows of the test images that they are, packed for the page."""
    rows = list(range(len(x))) if indices is None else [int(index) for index in indices]
    if len(rows) != len(x):
        raise ValueError(f"there are {len(x)} images but {len(rows)} indices")
    return {"array": pack_array(x), "labels": [int(label) for label in y], "indices": rows}


def pictures(height: int, width: int) -> list[dict[str, Any]]:
    """Return the pictures T that fit: name, label, the code that makes it, the pixels."""
    made = []
    size = min(height, width) if height == width else 0
    for name, label, code, smallest, make in (
        ("smiley", "smiling face", f"stencils.smiley({size})", 8, stencils.smiley),
        ("word", "HI", f'stencils.word("HI", {size})', 11, lambda size: stencils.word("HI", size)),
        ("checkerboard", "checkerboard", f"stencils.checkerboard({size})", 4, stencils.checkerboard),
    ):
        if size >= smallest:
            made.append({"name": name, "label": label, "code": code, "array": pack_array(make(size))})
    plain = {"name": "plain", "label": "all pixels", "code": f"torch.ones(1, {height}, {width})"}
    return made or [{**plain, "array": pack_array(torch.ones(1, height, width))}]


def face(x: Tensor) -> Tensor:
    """Return a face of the images' size, (1, H, W), or all pixels where it does not fit."""
    height, width = x.shape[-2:]
    return stencils.smiley(height) if height == width and height >= 8 else torch.ones(1, height, width)
