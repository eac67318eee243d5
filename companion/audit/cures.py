r"""Outputs that a function added to every logit cannot reach.

Let :math:`\tilde f_i = f_i + g` for every class. A difference of two logits does not contain g, and neither
does its gradient:

.. math:: \tilde f_i - \tilde f_k = f_i - f_k, \qquad
   \nabla_x (\tilde f_i - \tilde f_k) = \nabla_x f_i - \nabla_x f_k .

Both cures here are made of such differences. The *centred logit* is their mean over the classes k; the
*log-probability* is :math:`-\log \sum_k e^{f_k - f_i}`. Every function of the probabilities is immune in the
same way, and nothing else is: logits with the same differences have the same softmax.
"""

from __future__ import annotations

from torch import Tensor, nn

from companion._support import logits_of


class Cured(nn.Module):
    """A classifier whose outputs are functions of its probabilities alone; the base of the two cures."""

    model: nn.Module

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`, which is shared and not copied."""
        super().__init__()
        self.model = model

    def of(self, logits: Tensor) -> Tensor:
        """Return the immune outputs (B, C) that belong to logits (B, C)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, C) immune outputs, whose softmax is that of the model's logits."""
        return self.of(logits_of(self.model, x))


class CentredLogits(Cured):
    """A classifier with the mean logit taken away from every logit.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0, 6.0]])
        >>> CentredLogits(nn.Identity())(logits), CentredLogits(nn.Identity())(logits + 100)
        (tensor([[-2., -1.,  3.]]), tensor([[-2., -1.,  3.]]))
    """

    def of(self, logits: Tensor) -> Tensor:
        """Subtract each row's mean."""
        return logits - logits.mean(dim=1, keepdim=True)


class LogProbabilities(Cured):
    """A classifier that returns log-probabilities in place of logits.

    Example:
        >>> import torch
        >>> LogProbabilities(nn.Identity())(torch.tensor([[5.0, 5.0]])).exp()
        tensor([[0.5000, 0.5000]])
    """

    def of(self, logits: Tensor) -> Tensor:
        """Subtract each row's log-sum-exp."""
        return logits.log_softmax(dim=1)


def centred(model: nn.Module) -> CentredLogits:
    r"""Subtract the mean logit: :math:`f_i - \frac1C \sum_j f_j = \frac1C \sum_j \log (p_i / p_j)`.

    The mean log-odds of class i against every class. Its gradient
    :math:`\frac1C \sum_j (\nabla_x f_i - \nabla_x f_j)` holds no g, and does not vanish where the classifier
    is sure. Probabilities and losses are those of `model`. It is immune to a shift of all logits, not to a
    change of the probabilities. It weighs all classes alike, those of no probability too.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; shared with the result, not copied.

    Returns:
        A module with the centred logits, to be used wherever `model` is.

    Example:
        >>> import torch
        >>> from companion.fooling import linear_shift, shift_logits
        >>> from companion.gradients import logit_gradient
        >>> model, x = nn.Linear(3, 4).double(), torch.rand(2, 3, dtype=torch.float64)
        >>> tampered = shift_logits(model, linear_shift(torch.ones(3), 100.0))
        >>> maps = [logit_gradient(centred(f), x, 0) for f in (model, tampered)]
        >>> torch.allclose(*maps, atol=1e-12)
        True
    """
    return CentredLogits(model)


def shift_invariant(model: nn.Module) -> LogProbabilities:
    r"""Return log-probabilities for logits: :math:`\log p_i = f_i - \log \sum_j \exp f_j`.

    Its gradient :math:`\sum_j p_j (\nabla_x f_i - \nabla_x f_j)` holds no g. It is minus the gradient of the
    loss, and says what raises the probability itself; the classes that matter are those that have some
    probability. Its price: the weights of the sum add up to :math:`1 - p_i`, so that

    .. math:: |\nabla_x \log p_i| \le (1 - p_i) \max_j |\nabla_x f_i - \nabla_x f_j| ,

    which vanishes where the classifier is sure. Use `centred` there.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits; shared with the result, not copied.

    Returns:
        A module with the log-probabilities, to be used wherever `model` is: its softmax is the same.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(3, 4), torch.rand(2, 3)
        >>> torch.allclose(shift_invariant(model)(x).softmax(dim=1), model(x).softmax(dim=1))
        True
    """
    return LogProbabilities(model)
