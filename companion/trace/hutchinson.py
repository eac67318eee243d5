"""Hutchinson's estimator of the trace of the input Hessian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from companion._support import (
    at_least,
    choose,
    flat_sum,
    generator_or_fresh,
    normal_like,
    rademacher_like,
)
from companion.trace.exact import values_of
from companion.trace.piecewise_linear import warn_if_zero
from companion.trace.precision import require_floating

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
        ValueError: num_probes or chunk_size below 1, an unknown distribution, or f does not return (B,)
            values.

    Warns:
        PiecewiseLinearWarning: every estimate is exactly zero.

    Example:
        For a diagonal Hessian one Rademacher probe is exact:

        >>> with torch.no_grad():
        ...     hutchinson(lambda x: (x**2).sum(dim=1), torch.rand(2, 3))
        tensor([[6., 6.]])
    """
    require_floating(x)
    at_least("num_probes", num_probes, 1)
    chunk_size = at_least("chunk_size", 1 if chunk_size is None else chunk_size, 1)
    draw = _PROBES[choose("distribution", distribution, _PROBES)]
    generator = generator_or_fresh(generator)
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        leaf = x if x.requires_grad else x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(
            values_of(f, leaf).sum(), leaf, create_graph=True, allow_unused=True, materialize_grads=True
        )
        estimates = []
        for start in range(0, num_probes, chunk_size):
            # One draw a probe: the stream does not depend on chunk_size.
            count = min(chunk_size, num_probes - start)
            probes = torch.stack([draw(x.detach(), generator) for _ in range(count)])
            products = _hessian_products(gradient, leaf, probes, keep_graph=keep_graph)
            estimates.append((products * probes).flatten(2).sum(dim=2))
    return warn_if_zero(torch.cat(estimates))


def _hessian_products(gradient: Tensor, leaf: Tensor, probes: Tensor, *, keep_graph: bool) -> Tensor:
    """Return (P, B, ...): the Hessian times each of the probes (P, B, ...)."""
    if not gradient.requires_grad:  # f is linear in x
        return torch.zeros_like(probes)
    if len(probes) == 1:
        (product,) = torch.autograd.grad(
            flat_sum(gradient * probes[0]).sum(),
            leaf,
            retain_graph=True,
            create_graph=keep_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        return product[None]
    (products,) = torch.autograd.grad(
        gradient,
        leaf,
        probes,
        retain_graph=True,
        create_graph=keep_graph,
        allow_unused=True,
        is_grads_batched=True,
        materialize_grads=True,
    )
    return products
