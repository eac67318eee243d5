"""The paper's Taylor estimator of the trace of the input Hessian, and two of lower variance."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import vmap

from companion._calls import HALF, explained, leaf_of, plain, twice_differentiable_kernels
from companion._support import at_least, choose, flat_sum, generator_or_fresh, normal_like
from companion.trace.exact import values_of
from companion.trace.logit import TargetLogit
from companion.trace.precision import check_sigma, refuse_half, refuse_lost_sigma, require_full_precision

VARIANTS = ("forward", "control", "central")


def taylor(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    sigma: float,
    num_probes: int = 1,
    variant: str = "forward",
    generator: torch.Generator | None = None,
    chunk_size: int | None = None,
    allow_low_precision: bool = False,
) -> Tensor:
    r"""Estimate the Hessian's trace from function values, $\frac{2}{\sigma^2} (f(x+v) - f(x))$ (eq. 3 and 8).

    v ~ N(0, sigma^2 I) in every variant:

    - `forward`, eq. 8: $\frac{2}{\sigma^2} (f(x+v) - f(x))$, one more forward pass a probe. For a quadratic f
      the mean over N probes has $4 \|\nabla f\|^2 / (N \sigma^2)$ more variance than Hutchinson's (appendix
      B).
    - `control`: $\frac{2}{\sigma^2} (f(x+v) - f(x) - \nabla f(x)^\top v)$, eq. 3's first line: the gradient
      as a control variate takes that excess away, for one backward pass that all probes share.
    - `central`: $\frac{1}{\sigma^2} (f(x+v) + f(x-v) - 2 f(x))$: takes it away too, for two forward passes a
      probe.

    For a smooth f each has the bias $\frac{\sigma^2}{4} \Delta^2 f(x) + O(\sigma^4)$, with the bi-Laplacian
    $\Delta^2 f$; for a quadratic f none.

    Args:
        f: (B, ...) -> (B,), row by row; see `logit`. Called with x-shaped batches alone.
        x: inputs (B, ...), float32 or float64.
        sigma: eq. 3's sigma, above 0 and not so small that x + v rounds to x; the paper's code has 0.01.
            Smaller: less bias, more variance, fewer digits.
        num_probes: P, at least 1. Every sample gets probes of its own.
        variant: "forward", "control" or "central".
        generator: the source of v; None for a private one.
        chunk_size: how many probes go through f at once (vectorised): memory grows with it; the probes do not
            change. None: one after the other.
        allow_low_precision: go on where the digits are lost.

    Returns:
        (P, B): one estimate a row; see `summarise`. Differentiable with respect to what f depends on; under
        `torch.no_grad()` no graph is kept.

    Raises:
        ValueError: sigma not above 0, num_probes or chunk_size below 1, an unknown variant, f does not return
            (B,) values, or (unless allow_low_precision) half precision, autocast, or TF32 on CUDA.

    Example:
        >>> x = torch.rand(2, 3, dtype=torch.float64)
        >>> samples = taylor(lambda x: (x**2).sum(dim=1), x, sigma=0.1, num_probes=4000, variant="central")
        >>> bool(((samples.mean(dim=0) - 6).abs() < 0.5).all())
        True
    """
    check_sigma(sigma)
    num_probes = at_least("num_probes", num_probes, 1)
    chunk_size = at_least("chunk_size", 1 if chunk_size is None else chunk_size, 1)
    choose("variant", variant, VARIANTS)
    require_full_precision(x, sigma=sigma, allow_low_precision=allow_low_precision)
    generator = generator_or_fresh(generator)
    keep_graph = torch.is_grad_enabled()
    with twice_differentiable_kernels(), torch.set_grad_enabled(keep_graph), explained():
        return _estimates(
            f, plain(x), sigma, num_probes, variant, generator, chunk_size, refuse_low=not allow_low_precision
        )


def _estimates(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    sigma: float,
    num_probes: int,
    variant: str,
    generator: torch.Generator,
    chunk_size: int,
    *,
    refuse_low: bool,
) -> Tensor:
    value, gradient = _value_and_gradient(f, x) if variant == "control" else (values_of(f, x), None)
    if refuse_low and (value.dtype in HALF or (isinstance(f, TargetLogit) and f.uses_half())):
        refuse_half("half precision, in which the model computes")

    def estimate(v: Tensor) -> Tensor:
        plus = values_of(f, x + v) - value
        minus = values_of(f, x - v) - value if variant == "central" else None
        slope = None if gradient is None else flat_sum(gradient * v)
        return from_differences(variant, sigma, plus, minus, slope)

    estimates = []
    for start in range(0, num_probes, chunk_size):
        # One draw a probe: the stream does not depend on chunk_size.
        count = min(chunk_size, num_probes - start)
        noise = [sigma * normal_like(x.detach(), generator) for _ in range(count)]
        if not start:
            refuse_lost_sigma(x.detach(), noise[0], sigma)
        estimates.append(estimate(noise[0])[None] if count == 1 else vmap(estimate)(torch.stack(noise)))
    return torch.cat(estimates)


def from_differences(
    variant: str, sigma: float, plus: Tensor, minus: Tensor | None = None, slope: Tensor | None = None
) -> Tensor:
    """Return the estimates of `taylor` from differences of f, all of one shape.

    Args:
        variant: as for `taylor`.
        sigma: standard deviation of v.
        plus: f(x+v) - f(x).
        minus: f(x-v) - f(x); `central` needs it.
        slope: grad f(x) . v; `control` needs it.

    Example:
        For f(x) = x^2 at 1, whose second derivative is 2, and the probe v = sigma = 0.1. The forward
        difference is mostly slope:

        >>> plus, minus, slope = torch.tensor(0.21), torch.tensor(-0.19), torch.tensor(0.2)
        >>> for variant in VARIANTS:
        ...     print(f"{variant}: {from_differences(variant, 0.1, plus, minus, slope):.2f}")
        forward: 42.00
        control: 2.00
        central: 2.00
    """
    if variant == "central":
        assert minus is not None
        return (plus + minus) / sigma**2
    if variant == "control":
        assert slope is not None
        plus = plus - slope
    return 2 / sigma**2 * plus


def _value_and_gradient(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(x) and its input-gradient; both carry a graph only where the caller has gradients enabled."""
    keep_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        leaf = x if x.requires_grad else leaf_of(x)
        value = values_of(f, leaf)
        (gradient,) = torch.autograd.grad(
            value.sum(), leaf, create_graph=keep_graph, allow_unused=True, materialize_grads=True
        )
    return (value, gradient) if keep_graph else (value.detach(), gradient)
