"""The paper's three penalties on the implicit density, one value a sample.

Add the mean of a penalty to the cross-entropy. A penalty perturbs x, and in training mode a batch norm has to
choose the statistics that normalise x+v (`batch_norm=`):

- `"joint"`: x and all its perturbed copies are one batch with common statistics.
- `"of_x"`: the statistics of x, through which gradients flow, normalise the perturbed copies too.
- `"separate"`: each perturbed batch has its own, as in the authors' code.

The running statistics are updated once, from x, whichever is chosen; in evaluation mode all three coincide.
In `"joint"` the returned logits of x are those normalised by the common statistics.

Warning:
    The paper's literal constants (the defaults) can stop a network from learning: eq. 4 with lambda = 1e-3
    and mu = 1e-4 left a small ResNet-9 on MNIST near chance in a first trial. `presets.PRESETS` has settings
    that were validated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion._penalty import Penalty, Terms
from companion._perturbed_pass import perturbed_pass
from companion._support import at_least, choose, positive
from companion.trace.taylor import VARIANTS
from companion.trace.unbiased_square import unbiased_square

BATCH_NORMS = ("of_x", "joint", "separate")
NORMS = ("exact", "pair")
SQUARES = ("biased", "unbiased")


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
        _check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
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

    def terms(
        self, model: nn.Module, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
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


@dataclass(frozen=True, kw_only=True)
class AntiScoreMatching(Penalty):
    r"""Anti-score-matching, $-\lambda \min(h, \tau)$ (section 5).

    The Hessian's trace is maximised, up to a threshold; there is no gradient-norm term. The clamp acts on the
    noisy h: where 2 |grad f| / sigma is comparable with tau, it cuts the upper part of the noise off and
    biases the penalty.

    Warning:
        With batch_norm="separate", as in the authors' code, a first trial had the opposite of the intended
        effect. `presets.PRESETS` has the settings that were validated.

    Args:
        weight: lambda, above 0.
        tau: the threshold, any finite number.
        sigma: standard deviation of v, above 0.
        num_probes: probes a sample, at least 1; h is their mean.
        variant: how h is estimated, as in `trace.taylor`: "forward" (eq. 8), "control" or "central".
        batch_norm: "joint", "of_x" or "separate"; see the module's page.
        allow_low_precision: go on where a finite difference loses its digits.

    Raises:
        ValueError: a setting outside its range.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(beta=10), nn.Linear(8, 3))
        >>> loss = AntiScoreMatching(tau=-50.0, weight=1.0)
        >>> penalty = loss(model, torch.rand(2, 4), torch.tensor([0, 1]))
        >>> bool((penalty >= 50).all())
        True
    """

    weight: float = 1e-4
    tau: float = 1000.0
    sigma: float = 0.01
    num_probes: int = 1
    variant: str = "forward"
    batch_norm: str = "joint"
    allow_low_precision: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        _check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
        choose("variant", self.variant, VARIANTS)
        if not math.isfinite(self.tau):
            raise ValueError(f"tau must be a finite number; got {self.tau}")

    def terms(
        self, model: nn.Module, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
    ) -> Terms:
        """Return h, unclamped, and the penalty; see `Penalty.terms`."""
        d = perturbed_pass(
            model,
            x,
            y,
            sigma=self.sigma,
            num_probes=self.num_probes,
            antithetic=self.variant == "central",
            exact_gradient=self.variant == "control",
            batch_norm=self.batch_norm,
            generator=generator,
            allow_low_precision=self.allow_low_precision,
        )
        trace = d.trace_samples(self.variant).mean(dim=0)
        # clamp keeps NaN, which stops a diverging run; a comparison would hide it.
        return Terms(penalty=-self.weight * trace.clamp(max=self.tau), logits=d.logits, trace=trace)


@dataclass(frozen=True, kw_only=True)
class GradientNorm(Penalty):
    r"""Gradient-norm regularisation, $\frac{\lambda}{2} \|\nabla_x f_i(x)\|_2^2$, i the label (section 5).

    Warning:
        The paper's lambda suits the paper's network; `presets.PRESETS` has the settings that were validated
        here.

    Args:
        weight: lambda, above 0.
        norm: "exact", by double backward; or "pair": the mean over the probes of (f(x+v) - f(x-v))^2 / (4
            sigma^2).
        sigma: standard deviation of v, above 0 ("pair" alone).
        num_probes: pairs a sample, at least 1 ("pair" alone).
        batch_norm: "joint", "of_x" or "separate" ("pair" alone); see the module's page.
        allow_low_precision: go on where a finite difference loses its digits ("pair" alone).

    Raises:
        ValueError: a setting outside its range.

    Example:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        >>> GradientNorm(weight=2.0)(model, torch.zeros(2, 2), torch.tensor([0, 1])).tolist()
        [25.0, 1.0]
    """

    weight: float = 1e-3
    norm: str = "exact"
    sigma: float = 0.01
    num_probes: int = 1
    batch_norm: str = "joint"
    allow_low_precision: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        _check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
        choose("norm", self.norm, NORMS)

    def terms(
        self, model: nn.Module, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
    ) -> Terms:
        """Return the squared gradient norm and the penalty; see `Penalty.terms`."""
        d = perturbed_pass(
            model,
            x,
            y,
            sigma=self.sigma,
            num_probes=self.num_probes if self.norm == "pair" else 0,
            antithetic=True,
            exact_gradient=self.norm == "exact",
            batch_norm=self.batch_norm,
            generator=generator,
            allow_low_precision=self.allow_low_precision,
        )
        squared_norm = d.squared_gradient_norm()
        return Terms(
            penalty=self.weight / 2 * squared_norm, logits=d.logits, squared_gradient_norm=squared_norm
        )


def _check_common(weight: float, sigma: float, num_probes: int, batch_norm: str) -> None:
    positive("weight", weight)
    positive("sigma", sigma)
    at_least("num_probes", num_probes, 1)
    choose("batch_norm", batch_norm, BATCH_NORMS)
