"""Hutchinson's estimator of the trace of the input Hessian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from companion._calls import explained, leaf_of, twice_differentiable_kernels
from companion._support import (
    at_least,
    choose,
    flat_sum,
    generator_or_fresh,
    normal_like,
    rademacher_like,
    require_floating,
)
from companion.trace.exact import values_of
from companion.trace.logit import TargetLogit
from companion.trace.piecewise_linear import warn_if_zero

_PROBES = {"rademacher": rademacher_like, "gaussian": normal_like}


def hutchinson(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    num_probes: int = 1,
    distribution: str = "rademacher",
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
) -> Tensor:
    r"""Estimate the Hessian's trace by $v^\top \nabla_x^2 f(x)\, v$ with random v (section 3.2).

    Hutchinson (1990). Unbiased, since $\mathbb{E}\,v v^\top = I$. The mean over N probes has variance
    $\frac{2}{N} \|H\|_F^2$ for Gaussian probes and $\frac{2}{N} (\|H\|_F^2 - \sum_d H_{dd}^2)$ for Rademacher
    ones (signs), never more. Each probe costs a backward pass through the gradient's graph (Pearlmutter,
    1994); the gradient is shared.

    Args:
        f: (B, ...) -> (B,), row by row, twice differentiable; see `logit`. Called once, with x.
        x: inputs (B, ...).
        num_probes: P, at least 1. Every sample gets probes of its own.
        distribution: "rademacher" or "gaussian".
        generator: the source of the probes; None for a private one.
        chunk_size: how many probes are computed at once (vectorised): faster on small batches, and memory
            grows with it; the result does not change. None: one after the other, the least memory.

    Returns:
        (P, B): one estimate a row; see `summarise`. Differentiable with respect to what f depends on, at the
        price of keeping every probe's graph; under `torch.no_grad()` no graph is kept.

    Raises:
        ValueError: num_probes or chunk_size below 1, an unknown distribution, f does not return (B,) values,
            or f can be differentiated only once.

    Warns:
        PiecewiseLinearWarning: every estimate is exactly zero.

    Example:
        For a diagonal Hessian one Rademacher probe is exact:

        >>> with torch.no_grad():
        ...     hutchinson(lambda x: (x**2).sum(dim=1), torch.rand(2, 3))
        tensor([[6., 6.]])
    """
    require_floating(x)
    num_probes = at_least("num_probes", num_probes, 1)
    chunk_size = at_least("chunk_size", 1 if chunk_size is None else chunk_size, 1)
    draw = _PROBES[choose("distribution", distribution, _PROBES)]
    generator = generator_or_fresh(generator)
    keep_graph = torch.is_grad_enabled()
    with twice_differentiable_kernels(), torch.enable_grad(), explained():
        leaf = x if x.requires_grad else leaf_of(x)
        (gradient,) = torch.autograd.grad(
            values_of(f, leaf).sum(), leaf, create_graph=True, allow_unused=True, materialize_grads=True
        )
        estimates = []
        for start in range(0, num_probes, chunk_size):
            # One draw a probe: the stream does not depend on chunk_size.
            count = min(chunk_size, num_probes - start)
            probes = torch.stack([draw(x.detach(), generator) for _ in range(count)])
            products = _hessian_products(gradient, leaf, probes, keep_graph=keep_graph)
            if products is None:
                _refuse_lost_graph(f, leaf, gradient)
                products = torch.zeros_like(probes)
            estimates.append((products * probes).flatten(2).sum(dim=2))
    return warn_if_zero(torch.cat(estimates))


def _refuse_lost_graph(f: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> None:
    """Raise a ValueError if a gradient without a way back to x is not constant, as that of a linear f is.

    Where most of its numbers are others a little further on, it depends on x by a way that autograd does not
    know; or the model has kinks, of which the first call of `trace.logit`'s f has warned.
    """
    if isinstance(f, TargetLogit) and f.has_kinks():
        return
    near = leaf_of(x.detach() * 0.99 + 0.005)
    (there,) = torch.autograd.grad(values_of(f, near).sum(), near, allow_unused=True, materialize_grads=True)
    moved = (there - gradient).abs() > 1e-4 * gradient.abs().amax() if x.numel() else torch.zeros(1)
    if bool(moved.double().mean() > 0.5):
        raise ValueError(
            "the gradient of f depends on x, but has no graph to differentiate: a layer of the model has a "
            "backward of its own that autograd cannot see through, or a part is compiled. trace.taylor "
            "needs function values alone; or write the layer with PyTorch's own functions."
        )


def _hessian_products(gradient: Tensor, leaf: Tensor, probes: Tensor, *, keep_graph: bool) -> Tensor | None:
    """Return (P, B, ...): the Hessian times each of the probes (P, B, ...); None without a way back to x."""
    if not gradient.requires_grad:
        return None
    if len(probes) == 1:
        (product,) = torch.autograd.grad(
            flat_sum(gradient * probes[0]).sum(),
            leaf,
            retain_graph=True,
            create_graph=keep_graph,
            allow_unused=True,
        )
        return None if product is None else product[None]
    (products,) = torch.autograd.grad(
        gradient,
        leaf,
        probes,
        retain_graph=True,
        create_graph=keep_graph,
        allow_unused=True,
        is_grads_batched=True,
    )
    return products
