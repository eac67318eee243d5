r"""Samples of the density that a classifier implies (section 4.1).

A logit read as a log-density has a score, :math:`\nabla_x f_i(x) = \nabla_x \log p_\theta(x \mid y = i)`.
Following it uphill finds the density's modes: activation maximisation. Adding noise at each step samples the
density: Langevin dynamics. Image priors and jitter make either a biased sampler: of another density.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from companion._calls import named_modules_in, plain, plain_autograd
from companion._support import (
    Target,
    at_least,
    evaluation_mode,
    generator_or_fresh,
    normal_like,
    positive,
)
from companion.gradients import logit_gradient

Callback = Callable[[int, Tensor], None]


def activation_maximisation(
    model: nn.Module,
    targets: Target,
    *,
    steps: int,
    step_size: float,
    start: Tensor | None = None,
    shape: Sequence[int] | None = None,
    weight_decay: float = 0.0,
    clamp: tuple[float, float] | None = (0.0, 1.0),
    generator: torch.Generator | None = None,
    jitter: int = 0,
    smoothness: float = 0.0,
    callback: Callback | None = None,
) -> Tensor:
    r"""Climb the target logit: Langevin sampling without its noise, which finds modes (section 4.1).

    With step size :math:`\alpha`, weight decay :math:`w` and smoothness :math:`s`, each step is

    .. math:: x \leftarrow x + \alpha \left(\nabla_x f_i(x) - w (x - \tfrac12) - s \nabla_x V(x)\right),

    followed by the clamp. The terms in :math:`w` and :math:`s` are image priors: the pull to mid-grey is a
    Gaussian around 1/2, and :math:`V`, half the sum of squared differences of neighbouring pixels, is the
    squared total variation of Mahendran & Vedaldi (2016). The mode found is then that of the product of the
    implicit density and :math:`\exp(-\tfrac w2 |x - \tfrac12|^2 - s V(x))`.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; put in evaluation mode and restored.
        targets: (B,) classes (a tensor, an array or a list), or one int for every image.
        steps: number of steps, at least 1.
        step_size: above 0.
        start: (B, ...) where to begin; it is not changed. None means N(0.5, 0.2^2) noise, clamped.
        shape: the shape of one input, such as (1, 28, 28); needed where `start` is None.
        weight_decay: w, at least 0.
        clamp: (low, high) limits of the values after each step; None for no limits.
        generator: source of the start, of the jitter and of noise; None means a fresh one.
        jitter: at each step the gradient is taken on the images shifted (cyclically) by up to this many
            pixels along both of the last two axes, as in deep dreams; 0 for none.
        smoothness: s, at least 0; for inputs with at least two axes each.
        callback: called with the number of steps done and the images after each step, (B, ...).

    Returns:
        The images after the last step, shaped like `start`.

    Raises:
        ValueError: an argument outside its range; neither or both of `start` and `shape`; numbers of targets
            and images that differ.
        ArithmeticError: the images are no longer finite numbers: the step size is too large.

    Example:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        >>> activation_maximisation(model, 0, steps=9, step_size=0.2, start=torch.full((1, 2), 0.5))
        tensor([[1., 0.]])
    """
    generator = generator_or_fresh(generator)
    x = _start(model, targets, start, shape, clamp, generator)
    return _climb(
        model, x, targets, steps=steps, gradient_scale=positive("step_size", step_size), noise_scale=0.0,
        weight_decay=weight_decay, clamp=clamp, generator=generator, jitter=jitter, smoothness=smoothness,
        callback=callback,
    )  # fmt: skip


def langevin(
    model: nn.Module,
    targets: Target,
    *,
    steps: int,
    step_size: float,
    start: Tensor | None = None,
    shape: Sequence[int] | None = None,
    weight_decay: float = 0.0,
    clamp: tuple[float, float] | None = (0.0, 1.0),
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    jitter: int = 0,
    smoothness: float = 0.0,
    callback: Callback | None = None,
) -> Tensor:
    r"""Sample :math:`p_\theta(x \mid y = i) \propto e^{f_i(x)}` by the unadjusted Langevin algorithm.

    With step size :math:`\alpha`, temperature :math:`T` and :math:`n \sim \mathcal N(0, I)`, each step is

    .. math:: x \leftarrow x + \frac\alpha2 \nabla_x f_i(x) + \sqrt{\alpha T} \, n,

    followed by the clamp; priors are subtracted from the gradient as in `activation_maximisation`. Without
    clamp, priors and jitter the chain's law tends to :math:`\propto e^{f_i(x) / T}`, up to an error of the
    order of the step size: for a Gaussian of precision :math:`P` its covariance is
    :math:`T (P - \tfrac\alpha4 P^2)^{-1}`.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; put in evaluation mode and restored.
        targets: (B,) classes (a tensor, an array or a list), or one int for every image.
        steps: number of steps, at least 1.
        step_size: above 0.
        start: (B, ...) where to begin; it is not changed. None means N(0.5, 0.2^2) noise, clamped.
        shape: the shape of one input; needed where `start` is None.
        weight_decay: pull to mid-grey, at least 0.
        clamp: (low, high) limits of the values after each step; None for a true Langevin chain.
        temperature: T, at least 0; 0 is activation maximisation with half the step.
        generator: source of the start, of the noise and of the jitter; None means a fresh one.
        jitter: as in `activation_maximisation`.
        smoothness: as in `activation_maximisation`.
        callback: called with the number of steps done and the images after each step, (B, ...).

    Returns:
        The images after the last step, shaped like `start`.

    Raises:
        ValueError: as for `activation_maximisation`, or a temperature below 0.
        ArithmeticError: the images are no longer finite numbers: the step size is too large.

    Source:
        M. Welling and Y. W. Teh (2011); the unadjusted algorithm on the full gradient.

    Example:
        >>> samples = langevin(nn.Linear(4, 3), torch.tensor([0, 1]), steps=5, step_size=0.01, shape=(4,))
        >>> samples.shape
        torch.Size([2, 4])
    """
    generator = generator_or_fresh(generator)
    positive("step_size", step_size)
    _not_negative("temperature", temperature)
    x = _start(model, targets, start, shape, clamp, generator)
    return _climb(
        model, x, targets, steps=steps, gradient_scale=step_size / 2,
        noise_scale=math.sqrt(step_size * temperature), weight_decay=weight_decay, clamp=clamp,
        generator=generator, jitter=jitter, smoothness=smoothness, callback=callback,
    )  # fmt: skip


def roughness_gradient(x: Tensor) -> Tensor:
    r"""Gradient of the roughness V(x), half the sum of squared differences of neighbouring pixels.

    Args:
        x: (..., H, W).

    Returns:
        Shaped like x: minus the discrete Laplacian, with no flow across the border.

    Example:
        >>> roughness_gradient(torch.tensor([[0.0, 1.0, 0.0]]))
        tensor([[-1.,  2., -1.]])
    """
    gradient = torch.zeros_like(x)
    for axis in (-2, -1):
        difference = x.diff(dim=axis)
        size = difference.shape[axis]
        gradient.narrow(axis, 1, size).add_(difference)
        gradient.narrow(axis, 0, size).sub_(difference)
    return gradient


def _climb(
    model: nn.Module, x: Tensor, targets: Target, *, steps: int, gradient_scale: float,
    noise_scale: float, weight_decay: float, clamp: tuple[float, float] | None, generator: torch.Generator,
    jitter: int, smoothness: float, callback: Callback | None,
) -> Tensor:  # fmt: skip
    """Take the steps: x + gradient_scale (score of the biased density) + noise_scale n, clamped."""
    steps, jitter = at_least("steps", steps, 1), at_least("jitter", jitter, 0)
    _not_negative("weight_decay", weight_decay)
    _not_negative("smoothness", smoothness)
    if (jitter or smoothness) and x.ndim < 3:
        raise ValueError(f"jitter and smoothness need images (B, ..., H, W); got inputs {tuple(x.shape)}")
    with plain_autograd(), evaluation_mode(model):
        x = plain(x)
        for step in range(1, steps + 1):
            score = _score(model, x, targets, jitter, generator)
            if weight_decay:
                score = score - weight_decay * (x - 0.5)
            if smoothness:
                score = score - smoothness * roughness_gradient(x)
            x = x + gradient_scale * score
            if noise_scale:
                x = x + noise_scale * normal_like(x, generator)
            if clamp is not None:
                x = x.clamp(*clamp)
            if callback is not None:
                callback(step, x)
    if not bool(x.isfinite().all()):
        raise ArithmeticError("the images are no longer finite: choose a smaller step_size, or give a clamp")
    return x


def _score(model: nn.Module, x: Tensor, targets: Target, jitter: int, generator: torch.Generator) -> Tensor:
    if not jitter:
        return logit_gradient(model, x, targets)
    device = generator.device
    shift = torch.randint(-jitter, jitter + 1, (2,), generator=generator, device=device).tolist()
    moved = x.roll(shift, dims=(-2, -1))
    return logit_gradient(model, moved, targets).roll([-d for d in shift], dims=(-2, -1))


def _start(
    model: nn.Module, targets: Target, start: Tensor | None, shape: Sequence[int] | None,
    clamp: tuple[float, float] | None, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """Return the checked start, or noise of the given shape with the model's type and device."""
    if clamp is not None and not (len(clamp) == 2 and clamp[0] < clamp[1]):
        raise ValueError(f"clamp must be (low, high) with low < high, or None; got {clamp}")
    if (start is None) == (shape is None):
        raise ValueError(
            "give either start, a batch of inputs, or shape, that of one input such as (1, 28, 28)"
        )
    if targets is None:
        raise TypeError("targets must be the classes to make images of: an int or (B,) integers")
    classes = torch.as_tensor(targets)
    count = len(classes) if classes.ndim else None
    if start is not None:
        if not start.is_floating_point() or start.ndim < 2:
            raise ValueError(
                f"start must be a floating-point batch (B, ...); got {tuple(start.shape)} {start.dtype}"
            )
        if count not in (None, len(start)):
            raise ValueError(f"there are {count} targets but {len(start)} images in start")
        return start.detach()
    size = tuple(at_least("each entry of shape", entry, 1) for entry in shape or ())
    if not size:
        raise ValueError("shape must have at least one axis: it is that of one input, such as (1, 28, 28)")
    like = next((p for p in _parameters(model) if p.is_floating_point()), torch.empty(0))
    like = torch.empty((1 if count is None else count, *size), dtype=like.dtype, device=like.device)
    noise = 0.5 + 0.2 * normal_like(like, generator)
    return noise if clamp is None else noise.clamp(*clamp)


def _parameters(model: nn.Module) -> Iterator[Tensor]:
    return (p for _, m in named_modules_in(model) for p in m._parameters.values() if p is not None)


def _not_negative(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0; got {value}")
    return value
