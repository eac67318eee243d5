"""What the penalties of `companion.losses` share: the ways to call one, and what it hands back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from companion._support import Target, at_least, choose, positive
from companion.trace.precision import check_sigma

CLAMPS = ("one_sided", "two_sided")
BATCH_NORMS = ("of_x", "joint", "separate")
NORMS = ("exact", "pair")
SQUARES = ("biased", "unbiased")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of one penalty, each (B,), and the logits of the same forward pass.

    Attributes:
        penalty: what is added to the cross-entropy, weight included.
        logits: (B, C), of x.
        trace: h, the Hessian-trace estimate; None where the penalty has none.
        squared_gradient_norm: of the target logit, without eq. 4's factor 1/2; None where the penalty has
            none.
        stability: (1e-4 / mu) times the squared trace; None where the penalty has none.
    """

    penalty: Tensor
    logits: Tensor
    trace: Tensor | None = None
    squared_gradient_norm: Tensor | None = None
    stability: Tensor | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with a row a sample and a column a term, without the logits."""
        names = ("trace", "squared_gradient_norm", "stability", "penalty")
        terms = {name: getattr(self, name) for name in names}
        return pd.DataFrame({n: v.detach().cpu().numpy() for n, v in terms.items() if v is not None})


class Penalty(ABC):
    """What the penalties share: three ways to ask for the same numbers.

    Example:
        The three ways to ask, for the network f = 3 x and half of the gradient's squared length:

        >>> from companion.losses import GradientNorm
        >>> penalty, x = GradientNorm(weight=1.0), torch.ones(2, 1)
        >>> model = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> penalty(model, x, 0).tolist()
        [4.5, 4.5]
        >>> values, logits = penalty.penalty_and_logits(model, x, 0)
        >>> logits.flatten().tolist(), penalty.terms(model, x, 0).squared_gradient_norm.tolist()
        ([3.0, 3.0], [9.0, 9.0])
    """

    sigma: float

    @property
    @abstractmethod
    def has_differences(self) -> bool:
        """Whether the penalty subtracts logits `sigma` apart, for which half precision has too few digits."""

    @abstractmethod
    def terms(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
    ) -> Terms:
        """Return every term on its own, and the logits of x, from one evaluation of the model.

        Args:
            model: a classifier, (B, ...) -> (B, C) logits; in training mode for training.
            x: inputs (B, ...), floating point. Need not require a gradient.
            y: labels: (B,) integers (a tensor, an array or a list), or one int for all.
            generator: the source of v; None for a private one.

        Returns:
            `Terms`; differentiable with respect to the parameters, unless under `torch.no_grad()`.

        Raises:
            ValueError: labels outside the classes; or, where x is perturbed, a model that draws random
                numbers (dropout), a sigma that is lost in x + v, autocast, half precision, or TF32 on CUDA
                (the last three unless allow_low_precision).
            TypeError: the model returns something else than one tensor, or y is None.
        """

    def penalty_and_logits(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the penalty (B,) and the logits of x (B, C): what a training step needs, from one pass."""
        terms = self.terms(model, x, y, generator=generator)
        return terms.penalty, terms.logits

    def __call__(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the penalty (B,)."""
        return self.terms(model, x, y, generator=generator).penalty


def check_common(weight: float, sigma: float, num_probes: int, batch_norm: str) -> None:
    """Check the settings that every penalty has.

    Raises:
        ValueError: one outside its range.

    Example:
        >>> check_common(weight=1e-3, sigma=0.01, num_probes=1, batch_norm="joint")
        >>> check_common(weight=1e-3, sigma=0.01, num_probes=1, batch_norm="frozen")
        Traceback (most recent call last):
        ...
        ValueError: batch_norm='frozen' ...
    """
    positive("weight", weight)
    check_sigma(sigma)
    at_least("num_probes", num_probes, 1)
    choose("batch_norm", batch_norm, BATCH_NORMS)
