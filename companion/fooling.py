r"""Classifiers with the same predictions and other gradients (section 2 and appendix A).

Adding one function :math:`g(x)` to every logit leaves softmax, loss and loss-gradient as they are and adds
:math:`\nabla_x g(x)` to every logit-gradient: each can be made any picture. The functions `linear_shift`,
`sine_shift`, `mean_logit_shift` and `learned_shift` (from `companion.shifts`) make such a g.

The loss-gradient is fooled by a ripple (appendix A.1). With :math:`g(x) = \epsilon \sin(m \sum_d x_d)` and
:math:`\epsilon, m > 0` the appendix sets :math:`\tilde\ell_i = \ell_i + g` for every class i; then
:math:`|\tilde\ell_i - \ell_i| \le \epsilon` and :math:`|\nabla_x \tilde\ell_i - \nabla_x \ell_i|_1 \le m
\epsilon D`. No softmax classifier has such losses, since its probabilities :math:`e^{-\tilde\ell_i}` would
sum to :math:`e^{-g} \ne 1`. One that has nearly the same adds g to one class's logit only: `ripple_logit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from companion._support import at_least, logits_of, positive, resolve_target
from companion.shifts import learned_shift as learned_shift
from companion.shifts import linear_shift as linear_shift
from companion.shifts import mean_logit_shift as mean_logit_shift
from companion.shifts import sine_shift as sine_shift

Shift = Callable[[Tensor], Tensor]


class ShiftedLogits(nn.Module):
    """A classifier with g(x) added to its logits: to all of them, or to that of one class."""

    def __init__(self, model: nn.Module, g: Shift, only_class: int | None = None) -> None:
        """Wrap `model`, which is shared and not copied."""
        super().__init__()
        self.model, self.g, self.only_class = model, g, only_class

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, C) logits."""
        logits = logits_of(self.model, x)
        shift = self.g(x)
        if not isinstance(shift, Tensor) or shift.shape != x.shape[:1]:
            given = tuple(shift.shape) if isinstance(shift, Tensor) else type(shift).__name__
            raise ValueError(f"g must map a batch of {len(x)} inputs to ({len(x)},) numbers; got {given}")
        if self.only_class is None:
            return logits + shift[:, None]
        chosen = F.one_hot(resolve_target(self.only_class, logits), logits.shape[1])
        return logits + chosen.to(logits) * shift[:, None]


def shift_logits(model: nn.Module, g: Shift) -> ShiftedLogits:
    r"""Add g to every logit: :math:`\tilde f_i(x) = f_i(x) + g(x)` (section 2, observation).

    Then :math:`\nabla_x \tilde f_i = \nabla_x f_i + \nabla_x g`, while the softmax, the loss and the
    loss-gradient are unchanged, since softmax does not change when one number is added to all its arguments.

    Args:
        model: any classifier, (B, ...) -> (B, C); shared with the result, not copied.
        g: (B, ...) -> (B,), a module or any function that autograd can differentiate.

    Returns:
        A module with the logits f + g. Its forward raises a ValueError if g does not return (B,).

    Example:
        >>> import torch
        >>> from companion.gradients import logit_gradient
        >>> x = torch.rand(2, 3)
        >>> fooled = shift_logits(nn.Linear(3, 4), linear_shift(torch.ones(3), 5.0))
        >>> difference = logit_gradient(fooled, x, 0) - logit_gradient(fooled.model, x, 0)
        >>> torch.allclose(difference, torch.full((2, 3), 5.0), atol=1e-4)
        True
    """
    return ShiftedLogits(model, g)


def ripple_loss(
    model: nn.Module, epsilon: float, frequency: float
) -> Callable[[Tensor, int | Tensor | None], Tensor]:
    r"""Make the loss as printed: :math:`\tilde\ell_i(x) = \ell_i(x) + \epsilon \sin(m \sum_d x_d)` (A.1).

    Args:
        model: any classifier, (B, ...) -> (B, C) logits.
        epsilon: amplitude, above 0.
        frequency: m, above 0.

    Returns:
        A function of x (B, ...) and y (an int, (B,) classes or None for the prediction) that returns the (B,)
        cross-entropies with the ripple added.

    Raises:
        ValueError: epsilon or frequency not positive.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(2, 3), torch.rand(4, 2)
        >>> change = ripple_loss(model, 0.01, 500.0)(x, 0) - F.cross_entropy(
        ...     model(x), torch.zeros(4, dtype=torch.long), reduction="none")
        >>> bool((change.abs() <= 0.01 + 1e-6).all())
        True
    """
    g = sine_shift(epsilon, frequency)

    def loss(x: Tensor, y: int | Tensor | None = None) -> Tensor:
        logits = logits_of(model, x)
        return F.cross_entropy(logits, resolve_target(y, logits), reduction="none") + g(x)

    return loss


def ripple_logit(model: nn.Module, epsilon: float, frequency: float, target_class: int) -> ShiftedLogits:
    r"""Add the ripple to one logit only: :math:`\tilde f_k = f_k + \epsilon \sin(m \sum_d x_d)`.

    With p and :math:`\tilde p` the probabilities before and after,

    .. math:: \nabla_x \tilde\ell_y - \nabla_x \ell_y =
        (\tilde p_k - [k = y]) \nabla_x g + \sum_j (\tilde p_j - p_j) \nabla_x f_j,

    so that the loss moves by at most :math:`\epsilon` and its gradient by at most
    `ripple_logit_gradient_bound`.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; shared with the result, not copied.
        epsilon: amplitude, above 0.
        frequency: m, above 0.
        target_class: k; one that is not a class of the model is refused by forward.

    Returns:
        A module with the changed logits.

    Raises:
        ValueError: epsilon or frequency not positive, or target_class below 0.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(2, 3), torch.rand(4, 2)
        >>> (ripple_logit(model, 0.01, 500.0, 2)(x) - model(x))[:, :2].abs().max().item()
        0.0
    """
    return ShiftedLogits(model, sine_shift(epsilon, frequency), at_least("target_class", target_class, 0))


def ripple_loss_bound(epsilon: float) -> float:
    r"""Return the most by which a loss can move, :math:`\epsilon`; for the real classifier too (A.1)."""
    return positive("epsilon", epsilon)


def ripple_gradient_bound(epsilon: float, frequency: float, dimension: int) -> float:
    r"""Return :math:`m \epsilon D`, the most by which the loss-gradient of `ripple_loss` moves (l1).

    Args:
        epsilon: amplitude, above 0.
        frequency: m, above 0.
        dimension: D, the number of input values, at least 1.

    Example:
        >>> ripple_gradient_bound(0.5, 4.0, 10)
        20.0
    """
    positive("epsilon", epsilon)
    return positive("frequency", frequency) * epsilon * at_least("dimension", dimension, 1)


def ripple_logit_gradient_bound(
    epsilon: float, frequency: float, dimension: int, *, gradient_gap: float
) -> float:
    r"""Return a bound on the l1 change of the loss-gradient of `ripple_logit`.

    It is :math:`m \epsilon D + \tanh(\epsilon / 4) \, G`, where G is the largest over the classes j of
    :math:`|\nabla_x f_k - \nabla_x f_j|_1`. The second term comes from the model's own gradients, weighted by
    other probabilities, and does not grow with m: a logistic function moves by at most
    :math:`\tanh(\epsilon / 4)` when its argument moves by :math:`\epsilon`.

    Args:
        epsilon: amplitude, above 0.
        frequency: m, above 0.
        dimension: D, the number of input values, at least 1.
        gradient_gap: G, at least 0.

    Raises:
        ValueError: an argument outside its range.

    Example:
        >>> ripple_logit_gradient_bound(0.5, 4.0, 10, gradient_gap=0.0)
        20.0
    """
    if not 0 <= gradient_gap < math.inf:
        raise ValueError(f"gradient_gap must be a finite number of at least 0; got {gradient_gap}")
    return ripple_gradient_bound(epsilon, frequency, dimension) + math.tanh(epsilon / 4) * gradient_gap
