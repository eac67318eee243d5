"""Which statistics a batch norm in training mode uses, for a batch x and a perturbed copy x+v.

A context manager for each choice; inside it the batch norms that use batch statistics normalise as it says.
Batch norms in evaluation mode are left alone. In each choice the running statistics are updated once a step,
from x.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from companion._calls import CHECKPOINTING, in_checkpoint, named_modules_in
from companion._support import replaced_forwards
from companion.losses.double_backward import InputGradient, batch_norm

Statistics = dict[nn.Module, list[tuple[Tensor, Tensor]]]


def batch_norms_in_training(model: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms that use the statistics of the batch."""
    return [
        m
        for _, m in named_modules_in(model)
        if isinstance(m, _BatchNorm) and (m.training or m.running_mean is None)
    ]


@contextmanager
def joint_statistics(model: nn.Module, num_clean: int, gradient: InputGradient | None) -> Iterator[None]:
    """Normalise by the whole batch; update the running statistics from its first num_clean rows alone."""

    def normalise(module: _BatchNorm, batch: Tensor) -> Tensor:
        _update_running_statistics(module, *_moments(batch[:num_clean].detach()), batch[:num_clean])
        return batch_norm(batch, module.weight, module.bias, eps=module.eps, gradient=gradient)

    with _normalise_by(model, normalise):
        yield


@contextmanager
def own_statistics(
    model: nn.Module, gradient: InputGradient | None, *, update: bool = False
) -> Iterator[None]:
    """Normalise by the batch; leave the running statistics as they are, unless asked to update them."""

    def normalise(module: _BatchNorm, batch: Tensor) -> Tensor:
        running = _running_statistics(module, batch) if update else None
        return batch_norm(
            batch, module.weight, module.bias, eps=module.eps, running=running, gradient=gradient
        )

    with _normalise_by(model, normalise):
        yield


@contextmanager
def recorded_statistics(model: nn.Module) -> Iterator[Statistics]:
    """Normalise by the batch, update the running statistics, and record the batch's own."""
    statistics: Statistics = defaultdict(list)

    def normalise(module: _BatchNorm, batch: Tensor) -> Tensor:
        mean, variance = _moments(batch)
        _update_running_statistics(module, mean.detach(), variance.detach(), batch)
        statistics[module].append((mean, variance))
        return _affine(module, batch, mean, variance)

    with _normalise_by(model, normalise):
        yield statistics


@contextmanager
def replayed_statistics(model: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Normalise by recorded statistics, through which gradients flow; leave the running ones alone."""
    remaining = {module: iter(recorded) for module, recorded in statistics.items()}

    def normalise(module: _BatchNorm, batch: Tensor) -> Tensor:
        return _affine(module, batch, *next(remaining[module]))

    with _normalise_by(model, normalise):
        yield


def _normalise_by(
    model: nn.Module, normalise: Callable[[_BatchNorm, Tensor], Tensor]
) -> AbstractContextManager[None]:
    """Replace the forward of the batch norms in training."""
    began = in_checkpoint()

    def forward(module: _BatchNorm, batch: Tensor) -> Tensor:
        if in_checkpoint() != began:  # it computes the layers again later, when they are as they were
            raise ValueError(CHECKPOINTING)
        return normalise(module, batch)

    return replaced_forwards(batch_norms_in_training(model), forward)  # type: ignore[arg-type]


def _moments(batch: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, (C,)."""
    variance, mean = torch.var_mean(batch, [d for d in range(batch.ndim) if d != 1], correction=0)
    return mean, variance


def _affine(module: _BatchNorm, batch: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    scale = (variance + module.eps).rsqrt()
    scale = scale if module.weight is None else scale * module.weight
    shift = -mean * scale if module.bias is None else module.bias - mean * scale
    channels = (-1, *(1 for _ in range(batch.ndim - 2)))
    return torch.addcmul(shift.view(channels), batch, scale.view(channels))


@torch.no_grad()
def _update_running_statistics(module: _BatchNorm, mean: Tensor, variance: Tensor, batch: Tensor) -> None:
    """Do what nn.BatchNorm does with a batch's mean and biased variance in training mode."""
    running = _running_statistics(module, batch)
    if running is None:
        return
    running_mean, running_var, momentum = running
    count = batch.numel() // batch.shape[1]
    running_mean.lerp_(mean.to(running_mean), momentum)
    running_var.lerp_((variance * count / (count - 1)).to(running_var), momentum)


def _running_statistics(module: _BatchNorm, batch: Tensor) -> tuple[Tensor, Tensor, float] | None:
    """Return the running mean and variance that a batch updates, and by how much; None if it does not."""
    count = batch.numel() // batch.shape[1]
    if count < 2:
        raise ValueError(
            f"a batch norm in training mode needs more than 1 value per channel; the batch has shape "
            f"{tuple(batch.shape)}. Use more than one sample, or call model.eval()."
        )
    if not (module.training and module.track_running_stats) or module.running_mean is None:
        return None
    assert module.running_var is not None
    assert module.num_batches_tracked is not None
    module.num_batches_tracked.add_(1)
    momentum = 1 / module.num_batches_tracked.item() if module.momentum is None else module.momentum
    return module.running_mean, module.running_var, momentum
