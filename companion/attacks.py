"""Adversarial examples: what an image becomes when a few steps within a small box raise its loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from companion._calls import values_are_known
from companion._support import (
    Target,
    at_least,
    evaluation_mode,
    generator_or_fresh,
    logits_of,
    positive,
    predictions,
    require_floating,
)
from companion.gradients import loss_gradient


def projected_gradient(
    model: nn.Module,
    x: Tensor,
    y: Target,
    *,
    eps: float,
    steps: int = 20,
    step_size: float | None = None,
    random_start: bool = True,
    pixels: tuple[float, float] = (0.0, 1.0),
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Search the box $\|\delta\|_\infty \le \epsilon$ for the loss's maximum by signed steps (Madry, 2018).

    Each step is $x + \delta \leftarrow \Pi(x + \delta + \alpha\, \mathrm{sign}\, \nabla_x \ell)$, where
    $\Pi$ cuts to the box and to the range of pixels. One step of $\alpha = \epsilon$ from x itself is the
    fast gradient sign method (Goodfellow, 2015). The attack is on the model in evaluation mode, and each
    submodule gets its own mode back.

    Args:
        model: any differentiable classifier, (B, ...) -> (B, C) logits.
        x: (B, ...) inputs, floating point, within `pixels`.
        y: the classes whose loss is raised: (B,) integers, an int for all, or None for the predictions on x.
        eps: how far a pixel may move, above 0.
        steps: at least 1.
        step_size: alpha, above 0; None for 2.5 eps / steps, with which each place of the box can be reached.
        random_start: begin at a random place of the box, not at x.
        pixels: the least and the largest value that a pixel can have; infinite for none.
        generator: source of the random start; None for a private one.

    Returns:
        The attacked inputs, like x; without a graph.

    Raises:
        ValueError: a setting outside its range, inputs outside `pixels`, y unfit, or what `loss_gradient`
            refuses.
        TypeError: the model returns something else than one tensor.

    Example:
        A linear classifier has one worst corner of the box:

        >>> model = nn.Linear(2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
        >>> x = torch.full((1, 2), 0.5)
        >>> projected_gradient(model, x, 0, eps=0.25)
        tensor([[0.2500, 0.7500]])
    """
    positive("eps", eps)
    at_least("steps", steps, 1)
    alpha = 2.5 * eps / steps if step_size is None else positive("step_size", step_size)
    least, largest = pixels
    require_floating(x)
    x = x.detach()
    if not values_are_known() and not bool(((x >= least) & (x <= largest)).all()):
        raise ValueError(
            f"x has values outside {pixels}, or NaN; give the range that its pixels can have as pixels=, or "
            f"pixels=({-math.inf}, {math.inf}) for none"
        )
    low, high = (x - eps).clamp(min=least), (x + eps).clamp(max=largest)
    if y is None:
        with torch.no_grad(), evaluation_mode(model):
            y = predictions(logits_of(model, x))
    moved = x
    if random_start:
        noise = torch.rand(x.shape, dtype=x.dtype, device=x.device, generator=generator_or_fresh(generator))
        moved = (x + eps * (2 * noise - 1)).clamp(low, high)
    for _ in range(steps):
        moved = (moved + alpha * loss_gradient(model, moved, y).sign()).clamp(low, high)
    return moved
