"""The exact trace of the input Hessian, by forward-over-reverse differentiation."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from companion._calls import explained, plain, twice_differentiable_kernels
from companion._support import at_least, require_floating
from companion.trace.piecewise_linear import warn_if_zero
from companion.trace.precision import refuse_autocast

_ROWS_AT_A_TIME = 512

with warnings.catch_warnings():
    # A process's first jvp loads PyTorch's own scripted code, which warns that scripting is deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
    jvp(torch.neg, (torch.zeros(1),), (torch.zeros(1),))


def exact(f: Callable[[Tensor], Tensor], x: Tensor, *, chunk_size: int | None = None) -> Tensor:
    r"""Trace of the input Hessian, $\sum_{d=1}^{D} e_d^\top \nabla_x^2 f(x)\, e_d$ (the first term of eq. 2).

    Each of the D directions costs one Jacobian-vector product of the gradient (forward over reverse); all
    samples share it, because the b-th value of f depends on the b-th row alone.

    Args:
        f: (B, ...) -> (B,), row by row, twice differentiable; see `logit`. Called with x-shaped batches
            alone.
        x: inputs (B, ...), D numbers each.
        chunk_size: how many of the D directions are computed at once (vectorised): memory grows with it.
            None: as many as keep B times chunk_size near 512. 1 uses no vectorising, for a model that does
            not support it.

    Returns:
        (B,) traces; differentiable with respect to what f depends on, unless under `torch.no_grad()`.

    Raises:
        ValueError: chunk_size below 1, autocast, or f does not return (B,) values.

    Warns:
        PiecewiseLinearWarning: the trace is exactly zero at every sample.

    Example:
        The trace of the Hessian of |x|^2 in three dimensions is 6:

        >>> exact(lambda x: x.square().sum(dim=1), torch.rand(2, 3))
        tensor([6., 6.])
    """
    require_floating(x)
    refuse_autocast(x, "the exact trace")
    if chunk_size is None:
        chunk_size = max(1, _ROWS_AT_A_TIME // max(len(x), 1))
    chunk_size = at_least("chunk_size", chunk_size, 1)
    keep_graph = torch.is_grad_enabled()
    with twice_differentiable_kernels(), torch.set_grad_enabled(keep_graph), explained():
        return warn_if_zero(_trace(f, plain(x if x.requires_grad else x.detach()), chunk_size))


def _trace(f: Callable[[Tensor], Tensor], x: Tensor, chunk_size: int) -> Tensor:
    batch, dimensions = len(x), x[:1].numel()
    with torch.no_grad():
        values_of(f, x)  # what f refuses it refuses here, in its own words, and not inside a transform
    gradient = grad(lambda rows: values_of(f, rows).sum())

    def diagonal_entry(index: Tensor) -> Tensor:
        direction = torch.zeros(dimensions, dtype=x.dtype, device=x.device).index_fill(0, index, 1.0)
        direction = direction.view(x.shape[1:]).expand_as(x)
        hessian_column = jvp(gradient, (x,), (direction,))[1]
        return (hessian_column * direction).flatten(1).sum(dim=1)

    total = torch.zeros(batch, dtype=x.dtype, device=x.device)
    for indices in torch.arange(dimensions, device=x.device).split(chunk_size):
        if chunk_size == 1:
            total = total + diagonal_entry(indices[0])
        else:
            total = total + vmap(diagonal_entry)(indices).sum(dim=0)
    return total


def values_of(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return f of a copy of x, which f may change, checked to be (B,).

    Example:
        >>> values_of(lambda x: x.sum(dim=1), torch.ones(2, 3))
        tensor([3., 3.])
        >>> values_of(lambda x: 2 * x, torch.ones(2, 3))
        Traceback (most recent call last):
        ...
        ValueError: f must map a batch of 2 inputs to (2,) values; it returned shape (2, 3). ...
    """
    values = f(x.clone())
    if values.shape != x.shape[:1]:
        raise ValueError(
            f"f must map a batch of {len(x)} inputs to ({len(x)},) values; it returned shape "
            f"{tuple(values.shape)}. trace.logit(model, target) makes one from a classifier."
        )
    return values
