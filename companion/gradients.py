"""Input-gradients of a classifier: of a logit, of the loss, of the log-probability. All are signed.

Reading the logits as unnormalised log-densities (section 3), the gradient of a logit is the score of the
implicit class-conditional density, and Bayes' rule splits it in two::

    grad f_i(x) = grad log p(i|x) + grad logsumexp_j f_j(x)

The loss is made of the first term alone. Of the second, the same for every class, adding one function to all
logits (section 2) changes the gradient of the mean logit at will; the rest is a function of the
probabilities, as `companion.audit.split` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from companion._calls import explained, leaf_of, plain_autograd, twice_differentiable_kernels
from companion._support import Target, evaluation_mode, logits_of, resolve_target


def logit_gradient(
    model: nn.Module, x: Tensor, target: Target = None, *, create_graph: bool = False
) -> Tensor:
    r"""Gradient of the target's logit, $\nabla_x f_i(x)$: the score of $p_\theta(x \mid y = i)$ (section 3).

    The model is put in evaluation mode for the call, and each submodule gets its own mode back. With
    `create_graph=True` the modes are left as they are: the gradient is then part of a training step. A batch
    norm in training mode makes a sample's logit depend on the whole batch, and so does its gradient.

    Args:
        model: any classifier, (B, ...) -> (B, C) logits: a module, or a function that calls one.
        x: inputs (B, ...), floating point, values in [0, 1]. Neither changed nor required to need a gradient.
        target: the class i: one int for all, (B,) integers (a tensor, an array or a list), or None for
            each sample's prediction.
        create_graph: whether the result can be differentiated again, with respect to the parameters.

    Returns:
        The signed gradient, shaped like x.

    Raises:
        TypeError: the model returns something else than one tensor.
        ValueError: logits that are not (B, C), x that is not floating point, a target that is not a class, or
            a model that is no fixed function of x in evaluation mode (it draws random numbers, or a batch
            norm keeps no running statistics).

    Example:
        >>> model = nn.Linear(2, 3, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        >>> logit_gradient(model, torch.zeros(1, 2), 1)
        tensor([[3., 4.]])
    """
    return _input_gradient(model, x, target, _logit, create_graph)


def loss_gradient(
    model: nn.Module, x: Tensor, target: Target = None, *, create_graph: bool = False
) -> Tensor:
    r"""Gradient of the cross-entropy, $\nabla_x \ell_i = -\nabla_x f_i + \sum_j p_j \nabla_x f_j$ (eq. 6).

    It does not change when one function is added to all logits (section 2), and is near zero where the
    classifier is confident (appendix A.1).

    Args:
        model: any classifier, (B, ...) -> (B, C) logits.
        x: inputs (B, ...), floating point, values in [0, 1].
        target: the class i: one int for all, (B,) integers, or None for each sample's prediction.
        create_graph: as in `logit_gradient`, which also says what it does to the model's mode.

    Returns:
        The signed gradient of each sample's own loss (a sum over the batch, no mean), shaped like x.

    Raises:
        TypeError: the model returns something else than one tensor.
        ValueError: logits that are not (B, C), x that is not floating point, a target that is not a class, or
            a model that is no fixed function of x in evaluation mode (it draws random numbers, or a batch
            norm keeps no running statistics).

    Example:
        >>> model = nn.Linear(2, 3)
        >>> x = torch.rand(4, 2)
        >>> torch.equal(loss_gradient(model, x, 0), -log_probability_gradient(model, x, 0))
        True
    """
    return -_input_gradient(model, x, target, _log_probability, create_graph)


def log_probability_gradient(
    model: nn.Module, x: Tensor, target: Target = None, *, create_graph: bool = False
) -> Tensor:
    r"""Gradient of the log-probability, $\nabla_x \log p_\theta(i \mid x) = -\nabla_x \ell_i(x)$ (eq. 5, 6).

    Args:
        model: any classifier, (B, ...) -> (B, C) logits.
        x: inputs (B, ...), floating point, values in [0, 1].
        target: the class i: one int for all, (B,) integers, or None for each sample's prediction.
        create_graph: as in `logit_gradient`, which also says what it does to the model's mode.

    Returns:
        The signed gradient, shaped like x.

    Raises:
        TypeError: the model returns something else than one tensor.
        ValueError: logits that are not (B, C), x that is not floating point, a target that is not a class, or
            a model that is no fixed function of x in evaluation mode (it draws random numbers, or a batch
            norm keeps no running statistics).

    Example:
        The gradients of the C probabilities sum to zero, because the probabilities sum to one:

        >>> model, x = nn.Linear(2, 3).double(), torch.rand(1, 2, dtype=torch.float64)
        >>> p = model(x).softmax(dim=1)[0]
        >>> total = sum(p[i] * log_probability_gradient(model, x, i) for i in range(3))
        >>> bool(total.abs().max() < 1e-12)
        True
    """
    return _input_gradient(model, x, target, _log_probability, create_graph)


def _logit(logits: Tensor, target: Tensor) -> Tensor:
    return logits.gather(1, target[:, None])[:, 0]


def _log_probability(logits: Tensor, target: Tensor) -> Tensor:
    return _logit(logits.log_softmax(dim=1), target)


def _input_gradient(
    model: nn.Module,
    x: Tensor,
    target: Target,
    value: Callable[[Tensor, Tensor], Tensor],
    create_graph: bool,
) -> Tensor:
    """Gradient of value(logits, target), summed over the batch, with respect to a fresh leaf copy of x."""
    kernels = twice_differentiable_kernels() if create_graph else plain_autograd()
    with kernels, torch.enable_grad(), nullcontext() if create_graph else evaluation_mode(model), explained():
        leaf = leaf_of(x)
        logits = logits_of(model, leaf)
        values = value(logits, resolve_target(target, logits))
        (gradient,) = torch.autograd.grad(
            values.sum(), leaf, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    return gradient
