"""The four live figures: what each one is given, and its still picture."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from companion.experiments.records import Run
from companion.live import stills
from companion.live.given import checked, face, figure, images, pictures
from companion.live.hosts import Figure
from companion.live.packing import pack_array

INDEX = "INDEX"
PATCH = 8  # Pixels, as in traces.mjs.


def fooling(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    class_names: Sequence[str] | None = None,
    *,
    run: Run | None = None,
    indices: Sequence[int] | None = None,
) -> Figure:
    r"""Show a classifier beside f + g, with g of the reader's choice (section 2).

    Probabilities, loss and loss-gradient stay what they are, the logit-gradient becomes any picture. All are
    computed through the sum f + g.

    Args:
        model: any classifier, (B, channels, H, W) -> (B, C) logits. One whose layers the page's engine does
            not know (see `UnsupportedNetwork`) is computed by the kernel.
        x: (N, channels, H, W) images to choose from, in [0, 1]; a dozen is plenty.
        y: (N,) their classes.
        class_names: C names; the numbers 0 to C-1 if None.
        run: where the model came from, so that "Copy as PyTorch" can say it.
        indices: the rows of the run's test images that x holds, for the same purpose.

    Returns:
        A figure; the last line of a cell shows it.

    Raises:
        ValueError: images, classes or names that do not fit together.
        UnsupportedNetwork: on a page without a kernel, a network that the engine does not know.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        >>> fooling(model, torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])).payload["kind"]
        'fooling'
    """
    names = checked(model, x, y, class_names)
    chosen = pictures(*x.shape[-2:])
    view = {
        "image": 0, "drawing": "", "y": int(y[0]),
        "g": "picture", "picture": chosen[0]["name"], "own": "", "strength": 10.0,
        "epsilon": 0.01, "frequency": 1000.0, "rival": (int(y[0]) + 1) % len(names),
        "precision": "float64", "ownScale": False,
    }  # fmt: skip
    given = {"images": images(x, y, indices), "pictures": chosen, "code": _code(run)}
    still = partial(stills.fooling, model, x, y, names, face(x))
    return figure("fooling", {"model": model}, x.shape[1:], names, given, view, still)


def ripple(model: nn.Module, x: Tensor, y: Tensor, class_names: Sequence[str] | None = None) -> Figure:
    r"""Show a ripple, :math:`\epsilon \sin(m \langle x, T \rangle)`, on the loss or on one logit (A.1).

    Args:
        model: any classifier, (B, channels, H, W) -> (B, C) logits.
        x: (N, channels, H, W) images to choose from, in [0, 1].
        y: (N,) their classes, whose loss is looked at.
        class_names: C names; the numbers 0 to C-1 if None.

    Returns:
        A figure; the last line of a cell shows it.

    Raises:
        ValueError: images, classes or names that do not fit together.
        UnsupportedNetwork: on a page without a kernel, a network that the engine does not know.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        >>> shown = ripple(model, torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
        >>> shown.payload["kind"]
        'ripple'
    """
    names = checked(model, x, y, class_names)
    view = {
        "image": 0, "where": "logit", "picture": "face", "place": "slope",
        "epsilon": 0.01, "frequency": 500.0,
    }  # fmt: skip
    given = {"images": images(x, y), "face": pack_array(face(x))}
    still = partial(stills.ripple, model, x, y, names, face(x))
    return figure("ripple", {"model": model}, x.shape[1:], names, given, view, still)


def traces(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    class_names: Sequence[str] | None = None,
    *,
    exact: Tensor | None = None,
) -> Figure:
    r"""Show estimates of the trace of a logit's Hessian against the exact trace (eq. 3, 7 and 8).

    The exact trace is computed in the page for a patch of 8 x 8 pixels. For all pixels it takes too long
    there; it is offered where `exact` is given.

    Args:
        model: any smooth classifier, (B, channels, H, W) -> (B, C) logits.
        x: (N, channels, H, W) images to choose from, at least 8 x 8 pixels, in [0, 1].
        y: (N,) the classes whose logit is looked at.
        class_names: C names; the numbers 0 to C-1 if None.
        exact: (N,) traces over all pixels, from `trace.exact`.

    Returns:
        A figure; the last line of a cell shows it.

    Raises:
        ValueError: images, classes, names or traces that do not fit together.
        UnsupportedNetwork: on a page without a kernel, a network that the engine does not know.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Softplus(), nn.Linear(8, 3))
        >>> shown = traces(model, torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
        >>> shown.payload["kind"]
        'traces'
    """
    names = checked(model, x, y, class_names)
    height, width = x.shape[-2:]
    if min(height, width) < PATCH:
        raise ValueError(f"the patch has {PATCH} x {PATCH} pixels; the images have {height} x {width}")
    if exact is not None and exact.shape != (len(x),):
        raise ValueError(f"exact must hold {len(x)} traces, one an image; got shape {tuple(exact.shape)}")
    view = {
        "image": 0, "region": "patch", "row": (height - PATCH) // 2, "column": (width - PATCH) // 2,
        "variant": "forward", "sigma": 0.01, "probes": 64, "precision": "float64", "seed": 1,
    }  # fmt: skip
    given = {"images": images(x, y), "exact": None if exact is None else exact.double().tolist()}
    still = partial(stills.traces, model, x, y, names)
    return figure("traces", {"model": model}, x.shape[1:], names, given, view, still)


def sampling(
    models: Mapping[str, nn.Module],
    shape: Sequence[int],
    class_names: Sequence[str] | None = None,
    *,
    target: int = 0,
) -> Figure:
    r"""Climb a logit, or follow Langevin dynamics, with several networks side by side (section 4.1).

    Args:
        models: name -> classifier, (B, channels, H, W) -> (B, C) logits. Two fit beside each other.
        shape: of one image, (channels, H, W).
        class_names: C names; the numbers 0 to C-1 if None.
        target: the class whose logit is climbed first.

    Returns:
        A figure; the last line of a cell shows it.

    Raises:
        ValueError: no model, or names or a target that do not fit.
        UnsupportedNetwork: on a page without a kernel, a network that the engine does not know.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        >>> shown = sampling({"mine": model}, (1, 8, 8), ["cat", "dog", "horse"], target=1)
        >>> shown.payload["kind"]
        'sampling'
    """
    if not models:
        raise ValueError("models is empty; give at least one, for example {'mine': model}")
    x = torch.full((1, *shape), 0.5)
    for model in models.values():
        names = checked(model, x, torch.tensor([target]), class_names)
    view = {
        "y": target, "method": "climb", "stepSize": 0.1, "temperature": 0.001, "pull": 0.01,
        "clamp": True, "seed": 1,
    }  # fmt: skip
    given = {"labels": {f"model{k}": label for k, label in enumerate(models)}, "shape": list(shape)}
    networks = {f"model{k}": model for k, model in enumerate(models.values())}
    still = partial(stills.sampling, models, tuple(shape), names, target)
    return figure("sampling", networks, shape, names, given, view, still)


def drawing(text: str, shape: Sequence[int]) -> Tensor:
    """Return the drawing that a live figure writes as text: 16 shades, four bits a pixel, in base64.

    Args:
        text: from "Copy as PyTorch", or from a link.
        shape: of the tensor, such as (1, 1, 28, 28).

    Returns:
        float64 values in [0, 1].

    Raises:
        ValueError: a text that does not hold that many pixels.

    Example:
        >>> drawing("8A", (1, 2))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    count = int(torch.tensor(list(shape)).prod())
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(data) != (count + 1) // 2:
        raise ValueError(f"the text holds {2 * len(data)} pixels; shape {tuple(shape)} has {count}")
    shades = [shade for byte in data for shade in (byte >> 4, byte & 15)]
    return torch.tensor(shades[:count], dtype=torch.float64).reshape(tuple(shape)) / 15


def _code(run: Run | None) -> dict[str, str]:
    """Return what "Copy as PyTorch" writes for the model and for an image."""
    if run is None:
        return {"model": "model.double()  # yours", "image": f"x[[{INDEX}]]"}
    settings = run.settings
    found = ", ".join(f'"{part}"' for part in (settings.tier, settings.dataset, settings.name))
    return {
        "model": f"runs.find({found}, {settings.seed}).model().double()",
        "image": f'data.to_float(data.load("{settings.dataset}").x_test[[{INDEX}]])',
    }
