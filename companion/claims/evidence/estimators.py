"""The exact claims about score-matching and its trace estimators, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from companion import trace
from companion.claims.evidence.identities import ROUNDING, grid, two_classes
from companion.claims.rule import Check
from companion.gradients import logit_gradient
from companion.metrics.intervals import Interval, mean_interval
from companion.mixture import gaussian_mixture

CONFIDENCE = 0.999
"""Of the Monte Carlo intervals of exact claims: a true one is missed once in a thousand times."""
SIGMA = 0.2
PRECISION = 0.05
"""How narrow such an interval has to be, relative to the exact value, before the check counts as passed."""


def hyvarinen(*, trace_of: Callable[..., Tensor] = trace.exact) -> list[Check]:
    """Compare eq. 1 with eq. 2 by quadrature, for the true density and four that are moved."""
    data = two_classes()
    plane, cell = grid()
    mass = data.log_density(plane, 0).exp() * cell
    true_score = data.score(plane, 0)
    constant = float(mass @ true_score.square().sum(dim=1)) / 2
    eq1, eq2 = [], []
    for move in (0.0, -0.6, -0.2, 0.2, 0.6):
        model = gaussian_mixture(
            data.means + move, data.covariances * (1 + move**2), labels=data.labels, weights=data.weights
        ).classifier()
        gradient = logit_gradient(model, plane, 0)
        with torch.no_grad():
            curvature = trace_of(trace.logit(model, 0), plane)
        eq1.append(float(mass @ (gradient - true_score).square().sum(dim=1)) / 2)
        eq2.append(float(mass @ (curvature + gradient.square().sum(dim=1) / 2)))
    one, two = (torch.tensor(values, dtype=torch.float64) for values in (eq1, eq2))
    lowest = float(two[0] - two.min())
    return [
        Check(label="eq. 1 minus eq. 2, minus the constant",
              deviation=float((one - two - constant).abs().max()),
              allowed=ROUNDING, n=len(plane)),
        Check(label="eq. 1 at the true density", deviation=abs(eq1[0]), allowed=ROUNDING, n=len(plane)),
        Check(label="eq. 2 at the true density, above its minimum over five models",
              deviation=lowest, allowed=ROUNDING, n=len(plane)),
    ]  # fmt: skip


def taylor_expectation(f: Callable[[Tensor], Tensor], x: Tensor, sigma: float, nodes: int = 24) -> Tensor:
    """Return the expectation of eq. 8 at points in the plane, by Gauss-Hermite quadrature."""
    roots, weights = (torch.as_tensor(a) for a in np.polynomial.hermite_e.hermegauss(nodes))
    offsets = sigma * torch.cartesian_prod(roots, roots)
    shares = torch.outer(weights, weights).flatten() / weights.sum() ** 2
    values = torch.stack([f(x + offset) for offset in offsets])
    return 2 / sigma**2 * (shares @ (values - f(x)))


def taylor(*, estimate: Callable[..., Tensor] = trace.taylor) -> list[Check]:
    """Let sigma go to 0 (eq. 3, 7, 8) for the log-density of a mixture, whose exact trace is known."""
    f = trace.logit(two_classes().classifier(), 0)
    x = two_classes().sample(20, torch.Generator().manual_seed(0), y=0)[0]
    with torch.no_grad():
        exact = trace.exact(f, x)
        bias = [(taylor_expectation(f, x, s) - exact).abs().mean() for s in (0.2, 0.1, 0.05, 0.025)]
        factors = torch.stack([a / b for a, b in zip(bias[:-1], bias[1:], strict=True)])
        point = x[:1].expand(100_000, 2).contiguous()
        samples = estimate(f, point, sigma=SIGMA, num_probes=10, generator=torch.Generator().manual_seed(1))
        expected = float(taylor_expectation(f, x[:1], SIGMA))
    interval = mean_interval(samples.mean(dim=0), confidence=CONFIDENCE)
    return [
        Check(label="bias at sigma 0.025, relative to the trace",
              deviation=float(bias[-1] / exact.abs().mean()),
              allowed=0.01, n=len(x)),
        Check(label="its factor for half the sigma, against 4", deviation=float((factors[-1] - 4).abs()),
              allowed=0.2, n=len(x)),
        sharp(f"mean of the code's samples at sigma {SIGMA}, against quadrature", interval, expected),
    ]  # fmt: skip


def quadratic(dimension: int = 6) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """Return f(x) = x' A x / 2 + b' x with its Hessian A and b, which is its gradient at 0."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    hessian = (root + root.T) / 2
    slope = torch.randn(dimension, generator=generator, dtype=torch.float64)
    return lambda x: (x @ hessian * x).sum(dim=1) / 2 + x @ slope, hessian, slope


def taylor_variance(*, estimate: Callable[..., Tensor] = trace.taylor) -> list[Check]:
    """Measure the variance of eq. 8 on a quadratic (appendix B), with one probe and with four."""
    f, hessian, slope = quadratic()
    sigma = 0.5
    hutchinson = 2 * float(hessian.square().sum())
    added = 4 * float(slope.square().sum()) / sigma**2
    samples = _samples(estimate, f, len(slope), sigma=sigma)
    one, four = _variance(samples.flatten()), _variance(samples.mean(dim=0))
    over = max(0.0, one.low - hutchinson - added)
    return [
        sharp("variance, one probe, against 2 |H|^2 + 4 |grad f|^2 / sigma^2", one, hutchinson + added),
        sharp("variance, four probes, against a quarter of it", four, (hutchinson + added) / 4),
        Check(label="excess beyond the bound", deviation=over, allowed=ROUNDING, n=one.n),
    ]


def hutchinson_variance(*, estimate: Callable[..., Tensor] = trace.hutchinson) -> list[Check]:
    """Measure Hutchinson's variance on a quadratic (appendix B), with Gaussian probes and with signs."""
    f, hessian, slope = quadratic()
    norm = float(hessian.square().sum())
    diagonal = float(hessian.diagonal().square().sum())
    gaussian = _samples(estimate, f, len(slope), distribution="gaussian")
    signs = _samples(estimate, f, len(slope), distribution="rademacher")
    return [
        sharp("Gaussian, one probe, against 2 |H|^2", _variance(gaussian.flatten()), 2 * norm),
        sharp("Gaussian, four probes, against a quarter of it", _variance(gaussian.mean(dim=0)), norm / 2),
        sharp("signs, against 2 (|H|^2 - sum of H_dd^2)", _variance(signs.flatten()), 2 * (norm - diagonal)),
    ]


def sharp(label: str, interval: Interval, exact: float) -> Check:
    """Check that a Monte Carlo interval contains the exact value, and is narrow enough to mean it."""
    check = Check.monte_carlo(label, interval, exact)
    if check.allowed > PRECISION * abs(exact):
        return Check(
            label=f"{label} (too few samples)", deviation=float("inf"), allowed=check.allowed, n=check.n
        )
    return check


def _samples(
    estimate: Callable[..., Tensor], f: Callable[[Tensor], Tensor], dimension: int, **options: object
) -> Tensor:
    """Return (4, 50000) independent samples of an estimator at x = 0."""
    x = torch.zeros(50_000, dimension, dtype=torch.float64)
    with torch.no_grad():
        return estimate(f, x, num_probes=4, generator=torch.Generator().manual_seed(2), **options)


def _variance(samples: Tensor) -> Interval:
    """Return the variance of independent samples with its Monte Carlo interval."""
    squares = (samples - samples.mean()).square()
    return mean_interval(squares * len(samples) / (len(samples) - 1), confidence=CONFIDENCE)
