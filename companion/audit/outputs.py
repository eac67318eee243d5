"""The outputs that can be attributed, of a classifier as it is or with a function added to all logits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn

from companion._support import choose, logits_of
from companion.audit.cures import Cured
from companion.fooling import Shift

OUTPUTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda logits: logits,
    "log_probability": lambda logits: logits.log_softmax(dim=1),
    "probability": lambda logits: logits.softmax(dim=1),
    "centred_logit": lambda logits: logits - logits.mean(dim=1, keepdim=True),
}
"""What is made of the logits, (B, C) -> (B, C), by name."""


class Shifted(nn.Module):
    """A classifier's logits with g added to all of them, if there is a g, in float64.

    The model computes in its own precision; what is done to its logits after that is computed in float64. So
    the rounding of f + g hides nothing and fakes nothing, whatever the size of g. Inside a cured classifier
    (`centred`, `shift_invariant`) g is added where somebody would add it: below the cure.
    """

    def __init__(self, model: nn.Module, g: Shift | None = None) -> None:
        """Wrap `model`, which is shared and not copied."""
        super().__init__()
        self.model, self.g = model, g

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, C) logits, or to what a cure makes of them."""
        cure = self.model if isinstance(self.model, Cured) else None
        logits = logits_of(self.model if cure is None else cure.model, x).double()
        if self.g is not None:
            shift = self.g(x)
            if not isinstance(shift, Tensor) or shift.shape != x.shape[:1]:
                given = tuple(shift.shape) if isinstance(shift, Tensor) else type(shift).__name__
                raise ValueError(
                    f"a shift maps a batch of {len(x)} inputs to ({len(x)},) numbers; got {given}"
                )
            logits = logits + shift.double()[:, None]
        return logits if cure is None else cure.of(logits)


class Explained(nn.Module):
    """One output of a classifier, shifted or not: what an attribution is given."""

    def __init__(self, model: nn.Module, output: str = "logit", g: Shift | None = None) -> None:
        """Wrap `model`, which is shared and not copied."""
        super().__init__()
        self.shifted, self.output = Shifted(model, g), choose("output", output, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, C): the chosen output of every class, in the precision of x."""
        return OUTPUTS[self.output](self.shifted(x)).to(x.dtype)


def checked_outputs(outputs: Collection[str]) -> tuple[str, ...]:
    """Return the names of outputs, in the given order, each once.

    Raises:
        ValueError: none, or one that does not exist.

    Example:
        >>> checked_outputs(["centred_logit", "logit", "centred_logit"])
        ('centred_logit', 'logit')
    """
    names = (outputs,) if isinstance(outputs, str) else tuple(dict.fromkeys(outputs))
    if not names:
        raise ValueError(f"give at least one output to attribute: {', '.join(OUTPUTS)}")
    for name in names:
        choose("output", name, OUTPUTS)
    return names


@torch.no_grad()
def probabilities(model: nn.Module, x: Tensor, batch_size: int, g: Shift | None = None) -> Tensor:
    """Return the (B, C) probabilities in float64, computed through f + g.

    Example:
        What is added to every logit changes no probability:

        >>> from companion.fooling import linear_shift
        >>> model, x = nn.Linear(3, 4), torch.rand(2, 3)
        >>> shifted = probabilities(model, x, 1, linear_shift(torch.ones(3), 100.0))
        >>> torch.allclose(shifted, probabilities(model, x, 1), rtol=0, atol=1e-12)
        True
    """
    shifted = Shifted(model, g)
    return torch.cat([shifted(part).softmax(dim=1) for part in x.split(batch_size)])
