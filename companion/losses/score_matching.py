"""Score-matching with a Taylor estimate of the Hessian's trace."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion._support import Target, choose, positive
from companion.losses.base import NORMS, SQUARES, Penalty, Terms, check_common
from companion.losses.perturbed_pass import perturbed_pass
from companion.trace.taylor import VARIANTS
from companion.trace.unbiased_square import unbiased_square


@dataclass(frozen=True, kw_only=True)
class ScoreMatching(Penalty):
    r"""Score-matching, $\lambda (h + \frac12 \|\nabla_x f_i\|_2^2 + \frac{10^{-4}}{\mu} h^2)$ (eq. 4).

    h is the mean over the probes of a Taylor estimate of the Hessian's trace, and i the label.

    Warning:
        The defaults are the paper's constants, and can stop a network from learning: with one forward probe
        at sigma = 0.01, the square of the noisy h is a gradient penalty of about 4 / sigma^2 times the
        squared gradient norm. `presets.PRESETS` has the settings that were validated.

    Args:
        weight: lambda, above 0.
        mu: above 0; `math.inf` drops the stability term: the naive objective of section 3.3.
        sigma: standard deviation of v, above 0.
        num_probes: probes a sample, at least 1.
        variant: how h is estimated, as in `trace.taylor`: "forward" (eq. 8), "control" or "central".
        squared: "biased" squares h, as the paper does; "unbiased" uses `trace.unbiased_square` (two probes or
            more).
        norm: "exact", by double backward; or "pair": from the antithetic pair, the mean over the probes of
            (f(x+v) - f(x-v))^2 / (4 sigma^2), unbiased up to O(sigma^2), with no double backward.
        batch_norm: "joint", "of_x" or "separate"; see the module's page.
        allow_low_precision: go on where a finite difference loses its digits.

    Raises:
        ValueError: a setting outside its range; "unbiased" with one probe; "control" with "pair", which has
            no exact gradient (and whose own gradient makes it "central").

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(beta=10), nn.Linear(8, 3))
        >>> x, y = torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])
        >>> penalty, logits = ScoreMatching(mu=0.1, variant="central").penalty_and_logits(model, x, y)
        >>> loss = nn.functional.cross_entropy(logits, y) + penalty.mean()
        >>> penalty.shape, logits.shape
        (torch.Size([5]), torch.Size([5, 3]))
    """

    weight: float = 1e-3
    mu: float = 1e-4
    sigma: float = 0.01
    num_probes: int = 1
    variant: str = "forward"
    squared: str = "biased"
    norm: str = "exact"
    batch_norm: str = "joint"
    allow_low_precision: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
        if self.mu != math.inf:
            positive("mu", self.mu)
        choose("variant", self.variant, VARIANTS)
        choose("squared", self.squared, SQUARES)
        choose("norm", self.norm, NORMS)
        if self.squared == "unbiased" and self.num_probes < 2:
            raise ValueError(
                'squared="unbiased" multiplies different probes: it needs num_probes of at least 2; got 1'
            )
        if self.variant == "control" and self.norm == "pair":
            raise ValueError(
                'variant="control" subtracts the exact gradient, which norm="pair" does not compute. '
                'Use variant="central", which the same pair gives, or norm="exact".'
            )

    @property
    def has_differences(self) -> bool:
        """Whether the penalty subtracts logits `sigma` apart, for which half precision has too few digits."""
        return True

    def terms(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
    ) -> Terms:
        """Return h, the squared gradient norm, the stability term and the penalty; see `Penalty.terms`."""
        d = perturbed_pass(
            model,
            x,
            y,
            sigma=self.sigma,
            num_probes=self.num_probes,
            antithetic=self.variant == "central" or self.norm == "pair",
            exact_gradient=self.norm == "exact",
            batch_norm=self.batch_norm,
            generator=generator,
            allow_low_precision=self.allow_low_precision,
        )
        samples = d.trace_samples(self.variant)
        trace = samples.mean(dim=0)
        squared_trace = unbiased_square(samples) if self.squared == "unbiased" else trace.square()
        stability = (1e-4 / self.mu) * squared_trace
        squared_norm = d.squared_gradient_norm()
        return Terms(
            penalty=self.weight * (trace + 0.5 * squared_norm + stability),
            logits=d.logits,
            trace=trace,
            squared_gradient_norm=squared_norm,
            stability=stability,
        )
