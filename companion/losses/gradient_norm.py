"""Gradient-norm regularisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion._support import Target, choose
from companion.losses.base import NORMS, Penalty, Terms, check_common
from companion.losses.perturbed_pass import perturbed_pass


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
        check_common(self.weight, self.sigma, self.num_probes, self.batch_norm)
        choose("norm", self.norm, NORMS)

    @property
    def has_differences(self) -> bool:
        """Whether the penalty subtracts logits `sigma` apart, for which half precision has too few digits."""
        return self.norm == "pair"

    def terms(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
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
