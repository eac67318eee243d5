r"""A logit in three parts, of which classification leaves one free.

With :math:`p` the softmax of the logits :math:`f`, and means over the :math:`C` classes,

.. math:: f_i = \log p_i - \tfrac1C \textstyle\sum_j \log p_j + \tfrac1C \sum_j f_j .

The first two parts are functions of the probabilities; together they are the *centred* logit, the mean over
j of the log-odds :math:`\log (p_i / p_j)`. The third is the free one: a function g(x) added to all logits
(section 2) goes into it whole, and into nothing else. The split in two, :math:`f_i = \log p_i + \log \sum_j
\exp f_j`, puts the last two parts together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion._calls import leaf_of, plain_autograd
from companion._support import evaluation_mode, flat_sum, logits_of, resolve_target


@dataclass(frozen=True, kw_only=True)
class LogitParts:
    """The three parts of a logit, or their gradients; they add up to the logit, or to its gradient.

    Attributes:
        own: log p_i, or its gradient.
        others: minus the mean of log p_j over the classes, or its gradient.
        free: the mean logit, or its gradient.
    """

    own: Tensor
    others: Tensor
    free: Tensor

    @property
    def whole(self) -> Tensor:
        """The logit, or its gradient."""
        return self.own + self.others + self.free

    @property
    def centred(self) -> Tensor:
        """What the probabilities determine: the centred logit, or its gradient."""
        return self.own + self.others

    @property
    def common(self) -> Tensor:
        """What all classes share: log sum_j exp f_j, or its gradient."""
        return self.others + self.free

    def shares(self) -> dict[str, Tensor]:
        """Return the length of each gradient over that of the whole, (B,) each, by the attributes' names."""
        length = flat_sum(self.whole.double().square()).sqrt()
        parts = {"own": self.own, "others": self.others, "free": self.free}
        return {name: flat_sum(part.double().square()).sqrt() / length for name, part in parts.items()}


def parts_of(logits: Tensor) -> LogitParts:
    """Split the logits of all classes, (B, C): three parts of that shape, with their graphs.

    Example:
        >>> parts_of(torch.tensor([[3.0, 1.0, 2.0]])).free.tolist()
        [[2.0, 2.0, 2.0]]
    """
    log_p = logits.log_softmax(dim=1)
    others, free = -log_p.mean(dim=1, keepdim=True), logits.mean(dim=1, keepdim=True)
    return LogitParts(own=log_p, others=others.expand_as(logits), free=free.expand_as(logits))


def split_logits(logits: Tensor, target: int | Tensor | None = None) -> LogitParts:
    """Split the logit of one class, for every sample.

    Args:
        logits: (B, C), floating point.
        target: the class: one int for all, (B,) integers, or None for each sample's prediction.

    Returns:
        The three parts, (B,) each, with their graphs.

    Raises:
        ValueError: a target that is not a class.

    Example:
        >>> parts = split_logits(torch.tensor([[3.0, 1.0, 2.0]]), 0)
        >>> parts.free.item(), round(parts.centred.item(), 5)
        (2.0, 1.0)
    """
    chosen = resolve_target(target, logits)[:, None]
    parts = parts_of(logits)
    return LogitParts(own=parts.own.gather(1, chosen)[:, 0], others=parts.others[:, 0], free=parts.free[:, 0])


def split_gradient(model: nn.Module, x: Tensor, target: int | Tensor | None = None) -> LogitParts:
    """Split the gradient map of one class's logit.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; put in evaluation mode and restored.
        x: inputs (B, ...), floating point, values in [0, 1].
        target: the class: one int for all, (B,) integers, or None for each sample's prediction.

    Returns:
        The gradients of the three parts, each like x.

    Raises:
        TypeError: the model returns something else than one tensor.
        ValueError: logits that are not (B, C), x that is not floating point, or a target that is not a class.

    Example:
        The gradient of the free part does not depend on the class that is asked about:

        >>> model, x = nn.Linear(2, 3), torch.rand(4, 2)
        >>> first, second = split_gradient(model, x, 0), split_gradient(model, x, 1)
        >>> torch.equal(first.free, second.free)
        True
    """
    with plain_autograd(), torch.enable_grad(), evaluation_mode(model):
        leaf = leaf_of(x)
        parts = split_logits(logits_of(model, leaf), target)
        values = {"own": parts.own, "others": parts.others, "free": parts.free}
        gradients = {
            name: torch.autograd.grad(
                value.sum(), leaf, retain_graph=name != "free", allow_unused=True, materialize_grads=True
            )[0]
            for name, value in values.items()
        }
    return LogitParts(**gradients)
