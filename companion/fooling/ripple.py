"""The ripple of appendix A.1: on every loss and, for a classifier that exists, on one logit."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from companion._support import at_least, logits_of, positive, resolve_target
from companion.fooling.shifts import ShiftedLogits, sine_shift


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
    r"""Return the most by which a loss can move, :math:`\epsilon`; for the real classifier too (A.1).

    Example:
        >>> ripple_loss_bound(0.01)
        0.01
    """
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
