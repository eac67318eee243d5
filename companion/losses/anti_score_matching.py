"""Anti-score-matching: the Hessian's trace, maximised up to a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion._support import Target, choose
from companion.losses.base import CLAMPS, Penalty, Terms, check_common
from companion.losses.perturbed_pass import perturbed_pass
from companion.trace.taylor import VARIANTS


@dataclass(frozen=True, kw_only=True)
class AntiScoreMatching(Penalty):
    r"""Anti-score-matching, $-\lambda \min(h, \tau)$ (section 5).

    The Hessian's trace is maximised, up to a threshold; there is no gradient-norm term.

    Up to a constant this is the hinge $\lambda \max(\tau - h, 0)$: it pushes up each sample whose noisy h is
    below tau, and nothing pulls back what is above. Where $h = t + s z$ with a standard normal z (for the
    forward estimate $s = 2 \|\nabla f_i\| / \sigma$), $E \min(h, \tau)$ rises in t with the slope
    $\Phi((\tau - t) / s)$ and falls in s with the slope $\varphi((\tau - t) / s)$. The push halves at t = tau
    and never ends; chapter 7 shows where the trace goes.

    The two-sided clamp folds h at tau: $-\lambda \min(h, 2\tau - h) = \lambda |h - \tau| - \lambda \tau$. Its
    push, $2 \Phi((\tau - t) / s) - 1$, is nought at t = tau for every symmetric noise and turns round beyond,
    so that it holds the trace at tau. It falls in s twice as fast: with the central estimate, s is smallest.

    Warning:
        With batch_norm="separate", as in the authors' code, a first trial had the opposite of the intended
        effect. `presets.PRESETS` has the settings that were validated.

    Args:
        weight: lambda, above 0.
        tau: the threshold, any finite number.
        sigma: standard deviation of v, above 0.
        num_probes: probes a sample, at least 1; h is their mean.
        variant: how h is estimated, as in `trace.taylor`: "forward" (eq. 8), "control" or "central".
        clamp: "one_sided", the paper's, or "two_sided".
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
    clamp: str = "one_sided"
    batch_norm: str = "joint"
    allow_low_precision: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
        choose("variant", self.variant, VARIANTS)
        choose("clamp", self.clamp, CLAMPS)
        if not math.isfinite(self.tau):
            raise ValueError(f"tau must be a finite number; got {self.tau}")

    @property
    def has_differences(self) -> bool:
        """Whether the penalty subtracts logits `sigma` apart, for which half precision has too few digits."""
        return True

    def terms(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
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
        # clamp and minimum keep NaN, which stops a diverging run; a comparison would hide it.
        if self.clamp == "two_sided":
            clamped = torch.minimum(trace, 2 * self.tau - trace)
        else:
            clamped = trace.clamp(max=self.tau)
        return Terms(penalty=-self.weight * clamped, logits=d.logits, trace=trace)
