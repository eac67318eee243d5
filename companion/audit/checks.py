"""What an audit refuses before it starts: images it cannot read, models that are no function of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from companion._support import logits_of, resolve_target

TOLERANCE = 1e-3
"""How far the logits of one image may depend on the other images of a batch, relative to their size."""


def images(x: Tensor) -> Tensor:
    """Return images (B, C, H, W) in [0, 1], without a graph.

    Raises:
        TypeError: not a tensor.
        ValueError: another shape, dtype or range.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor of images (B, C, H, W); got a {type(x).__name__}")
    if x.ndim != 4 or not x.numel():
        raise ValueError(f"x must be a batch of at least one image (B, C, H, W); got shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"x must be floating point, in [0, 1]; got {x.dtype}. For uint8: x.float() / 255")
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 1):  # also where a value is nan
        raise ValueError(
            f"the images must lie in [0, 1]; these go from {low:g} to {high:g}. Divide bytes by 255; take a "
            "normalisation by mean and standard deviation off the images and put it inside the model"
        )
    return x.detach()


@torch.no_grad()
def fixed_function(model: nn.Module, x: Tensor, y: int | Tensor | None) -> Tensor:
    """Check that the model, in evaluation mode, gives each image logits of its own, always the same.

    Args:
        model: the classifier.
        x: checked images.
        y: the classes, as for `resolve_target`.

    Returns:
        The classes, (B,).

    Raises:
        TypeError: the model does not return a tensor.
        ValueError: it fails, returns something else than (B, C) finite logits, draws random numbers, or mixes
            the images of a batch.
    """
    try:
        first, second = logits_of(model, x), logits_of(model, x)
    except (TypeError, ValueError):
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        raise ValueError(
            f"the model failed on images of shape {tuple(x.shape)} with a {type(error).__name__}: "
            f"{said[0] if said else 'it says nothing more'}. Give it images of the size and number of "
            "channels that it was made for"
        ) from error
    if not bool(first.isfinite().all()):
        raise ValueError("the model returns nan or inf for these images. Are its weights finite?")
    if first.shape[1] < 2:
        raise ValueError("the model has one output; an audit needs the logits of at least two classes")
    if not torch.equal(first, second) and not torch.allclose(first, second, rtol=1e-5, atol=1e-6):
        raise ValueError(
            "the model is not a fixed function of x: two calls on the same images gave different logits. "
            "Take its noise out, for example with a fixed generator inside forward, and audit it again"
        )
    alone = torch.cat([logits_of(model, one[None]) for one in x[: min(len(x), 2)]])
    scale = max(1.0, float(first.abs().max()))
    if len(x) > 1 and float((alone - first[: len(alone)]).abs().max()) > TOLERANCE * scale:
        raise ValueError(
            "the logits of an image depend on the other images of the batch, so a map of one image has no "
            "meaning. Give batch norms running statistics (track_running_stats=True)"
        )
    return resolve_target(y, first)
