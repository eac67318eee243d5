"""What every module here needs: checked logits, evaluation mode, targets, private randomness."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from companion._calls import (
    explained,
    named_modules_in,
    plain,
    random_state,
    refuse_random,
    roots_of,
    values_are_known,
)

M = TypeVar("M", bound=nn.Module)
Target = int | Tensor | Sequence[int] | np.ndarray | None
"""What stands for the classes of a batch: one int for all, (B,) integers, or None for the prediction."""


def choose(name: str, value: str, options: Collection[str]) -> str:
    """Return `value` if it is one of `options`; otherwise raise a ValueError that lists them."""
    if value not in options:
        raise ValueError(f"{name}={value!r} does not exist; choose one of {', '.join(map(repr, options))}")
    return value


def positive(name: str, value: float) -> float:
    """Return `value` if it is finite and above zero; otherwise raise a ValueError that names it."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive, finite number; got {value}")
    return value


def at_least(name: str, value: int, minimum: int) -> int:
    """Return `value` if it is an integer of at least `minimum`; otherwise raise a ValueError."""
    if isinstance(value, bool) or not math.isfinite(value) or int(value) != value or value < minimum:
        raise ValueError(f"{name} must be a whole number of at least {minimum}; got {value!r}")
    return int(value)


def require_floating(x: Tensor) -> None:
    """Raise a ValueError, with the remedy, if x is not a floating-point batch.

    Example:
        >>> require_floating(torch.rand(1, 3))
        >>> require_floating(torch.zeros(1, 3, dtype=torch.uint8))
        Traceback (most recent call last):
        ...
        ValueError: x must be a floating-point batch with values in [0, 1]; got torch.uint8. ...
    """
    if not x.is_floating_point():
        raise ValueError(
            f"x must be a floating-point batch with values in [0, 1]; got {x.dtype}. "
            "For uint8 images use x.float() / 255 (data.to_float does it)."
        )


def logits_of(model: Callable[[Tensor], Tensor], x: Tensor, *, fixed: bool = False) -> Tensor:
    """Return `model(x)`, checked to be a (B, C) tensor of logits.

    The model is given a copy, so that one that works in place on its input leaves x as it is.

    Args:
        model: a module, or a function that calls one.
        x: the batch.
        fixed: whether to refuse a model that draws random numbers in training mode too, as where several
            calls are to be of one function. In evaluation mode it is refused always.

    Raises:
        TypeError: the model returns something else than one tensor (a tuple, a dictionary, ...).
        ValueError: the tensor is not (B, C), x is not a floating-point batch, or chance decides.
    """
    require_floating(x)
    before = random_state(x)
    with explained():
        logits = model(x.clone())
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"the model returned a {type(logits).__name__}, not one tensor of logits. Give a function that "
            "returns the logits alone, for example lambda x: model(x)[0], or lambda x: model(x).logits, or "
            'lambda x: model(x)["logits"].'
        )
    if logits.ndim != 2 or len(logits) != len(x):
        raise ValueError(
            f"the model must map a batch of {len(x)} inputs to ({len(x)}, num_classes) logits; "
            f"it returned shape {tuple(logits.shape)}"
        )
    refuse_random(model, before, x, training_too=fixed)
    return logits


def resolve_target(target: Target, logits: Tensor) -> Tensor:
    """Return the class of each sample, (B,) int64: an int for all, (B,) integers, or None for the prediction.

    Raises:
        ValueError: wrong shape or dtype, a class outside 0 ... C-1, or a prediction from NaN.
    """
    batch, classes = logits.shape
    if target is None:
        return predictions(logits)
    target = torch.as_tensor(target, device=logits.device)
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise ValueError(f"target must hold integer class indices; got {target.dtype}")
    if target.ndim == 0:
        target = target.expand(batch)
    if target.shape != (batch,):
        raise ValueError(f"target must be an int or have shape ({batch},); got shape {tuple(target.shape)}")
    target = plain(target.long())
    if values_are_known():
        return target
    if batch and not (0 <= int(target.min()) and int(target.max()) < classes):  # noqa: SIM300
        raise ValueError(
            f"target holds classes from {int(target.min())} to {int(target.max())}; "
            f"this model's classes are 0 to {classes - 1}"
        )
    return target


def predictions(logits: Tensor) -> Tensor:
    """Return the class of the largest logit, (B,).

    Raises:
        ValueError: a logit is NaN, of which argmax would make a class.
    """
    lost = 0 if values_are_known() else int(logits.detach().isnan().any(dim=1).sum())
    if lost:
        raise ValueError(
            f"the model returned NaN for {lost} of {len(logits)} inputs: it predicts no class there. Look "
            "for NaN in its inputs, and in its weights (a training that diverged)."
        )
    return logits.detach().argmax(dim=1)


def refuse_batch_statistics(name: str, module: nn.Module) -> None:
    """Raise a ValueError for a batch norm that uses the batch's statistics even in evaluation mode."""
    if isinstance(module, _BatchNorm) and module.running_mean is None:
        raise ValueError(
            f"the batch norm {name!r} keeps no running statistics: it normalises by the batch's even in "
            "evaluation mode, so a sample's logit depends on the other samples. Build it with "
            "track_running_stats=True and train it so."
        )


@contextmanager
def evaluation_mode(model: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Put every submodule in eval mode; give each its own mode back at the end, also after an error.

    Raises:
        ValueError: a batch norm without running statistics, which knows no evaluation mode.
    """
    named = list(named_modules_in(model))
    for name, module in named:
        refuse_batch_statistics(name, module)
    modes = [(module, module.training) for _, module in named]
    for root in roots_of(model):
        root.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def replaced_forwards(
    modules: Iterable[nn.Module], forward: Callable[[nn.Module, Tensor], Tensor]
) -> Iterator[None]:
    """Call `forward(module, x)` in place of the modules' own forward; put that back, also after an error.

    It is set on the instance, so that hooks and the class stay as they are.
    """
    modules = list(modules)
    before = [vars(module).get("forward") for module in modules]
    try:
        for module in modules:
            vars(module)["forward"] = lambda x, module=module: forward(module, x)
        yield
    finally:
        for module, old in zip(modules, before, strict=True):
            vars(module).pop("forward", None)
            if old is not None:
                vars(module)["forward"] = old


def to_device(model: M, device: torch.device) -> M:
    """Move a network and lay it out channels last, which its convolutions run faster in.

    Not where a 1 x 1 convolution with a stride has fewer than 8 input channels: on a processor without
    AVX-512 the gradient of its weight then crashes in oneDNN, or hangs, in that layout alone.
    """
    narrow = any(
        isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1) and m.stride != (1, 1) and m.in_channels < 8
        for m in model.modules()
    )
    layout = torch.preserve_format if narrow else torch.channels_last
    return model.to(device).to(memory_format=layout)  # pyright: ignore[reportCallIssue]


def generator_or_fresh(generator: torch.Generator | None) -> torch.Generator:
    """Return the generator, or a private one seeded by the operating system: never the global one."""
    if generator is None:
        generator = torch.Generator().manual_seed(secrets.randbits(63))
    return generator


def normal_like(x: Tensor, generator: torch.Generator, *, num: int | None = None) -> Tensor:
    """Standard normal noise shaped like x, or (num, *x.shape); drawn on the generator's device."""
    shape = x.shape if num is None else (num, *x.shape)
    return torch.randn(shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)


def rademacher_like(x: Tensor, generator: torch.Generator, *, num: int | None = None) -> Tensor:
    """Signs -1 and +1 with equal probability, shaped like x, or (num, *x.shape)."""
    shape = x.shape if num is None else (num, *x.shape)
    bits = torch.randint(0, 2, shape, generator=generator, device=generator.device)
    return (2 * bits - 1).to(x)


def flat_sum(values: Tensor) -> Tensor:
    """Sum over all axes but the first: (B, ...) -> (B,)."""
    return values.flatten(1).sum(dim=1)
