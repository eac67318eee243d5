"""Adversarial training, written as a penalty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion._support import Target, at_least, logits_of, positive, resolve_target
from companion.attacks import projected_gradient
from companion.losses.base import Penalty, Terms
from companion.losses.batch_norm import joint_statistics


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Penalty):
    r"""What an attack adds to the loss: $\lambda\,[\ell_i(x + \delta) - \ell_i(x)]$ (section 4.3).

    delta is found by `attacks.projected_gradient`. With $\lambda = 1$ the cross-entropy of x cancels, and
    what is minimised is that of the attacked images alone (Madry, 2018); $\lambda = 1/2$ is the mean of both
    (Goodfellow, 2015). To first order the penalty is $\lambda\, \epsilon\, \|\nabla_x \ell_i\|_1$: it
    regularises a gradient's norm, as `GradientNorm` does, but the loss's. It is a function of the
    probabilities, so that a function g(x) added to all logits does not change it.

    Batch norms in training mode normalise x and x + delta as one batch, and their running statistics are
    updated from x; the attack itself is on the model in evaluation mode.

    Args:
        weight: lambda, above 0.
        eps: how far a pixel may move, above 0.
        steps: of the attack, at least 1, each of 2.5 eps / steps from a random start.
        lowest: the least value of a pixel.
        highest: the largest value of a pixel.

    Raises:
        ValueError: a setting outside its range.

    Example:
        A linear model's loss in the worst corner, minus its loss at x:

        >>> model = nn.Linear(2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
        >>> penalty = AdversarialTraining(eps=0.25)(model, torch.full((1, 2), 0.5), 0)
        >>> [round(value, 4) for value in penalty.tolist()]  # log(1 + e) - log(1 + 1)
        [0.6201]
    """

    weight: float = 1.0
    eps: float = 0.1
    steps: int = 3
    lowest: float = 0.0
    highest: float = 1.0

    def __post_init__(self) -> None:
        """Check every setting."""
        positive("weight", self.weight)
        positive("eps", self.eps)
        at_least("steps", self.steps, 1)
        if not self.lowest < self.highest:
            raise ValueError(f"lowest must be below highest; got {self.lowest} and {self.highest}")

    @property
    def has_differences(self) -> bool:
        """Whether the penalty subtracts nearby logits: it does not divide by how near they are."""
        return False

    def terms(
        self, model: nn.Module, x: Tensor, y: Target, *, generator: torch.Generator | None = None
    ) -> Terms:
        """Return the penalty and the logits of x; see `Penalty.terms`."""
        if y is None:
            raise TypeError("y must be the labels, an int or (B,) integers: a penalty is on the label's loss")
        attacked = projected_gradient(
            model,
            x,
            y,
            eps=self.eps,
            steps=self.steps,
            pixels=(self.lowest, self.highest),
            generator=generator,
        )
        with joint_statistics(model, len(x), None):
            both = logits_of(model, torch.cat([x.detach(), attacked]))
        target = resolve_target(y, both[: len(x)])
        loss = F.cross_entropy(both, target.repeat(2), reduction="none")
        clean, raised = loss.split(len(x))
        return Terms(penalty=self.weight * (raised - clean), logits=both[: len(x)])
