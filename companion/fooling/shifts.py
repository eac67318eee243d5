r"""A function g(x) added to every logit (section 2): linear, sine, minus the mean logit, learned, or any."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion._calls import as_module, leaf_of, plain, twice_differentiable_kernels
from companion._support import (
    at_least,
    flat_sum,
    generator_or_fresh,
    logits_of,
    positive,
    resolve_target,
)
from companion.gradients import logit_gradient

Shift = Callable[[Tensor], Tensor]


class ShiftedLogits(nn.Module):
    """A classifier with g(x) added to its logits: to all of them, or to that of one class.

    Example:
        >>> x, model = torch.ones(1, 2), nn.Identity()  # two logits
        >>> ShiftedLogits(model, lambda x: x.sum(dim=1), only_class=0)(x)
        tensor([[3., 1.]])
    """

    def __init__(self, model: nn.Module, g: Shift, only_class: int | None = None) -> None:
        """Wrap `model`, which is shared and not copied."""
        super().__init__()
        self.model, self.g, self.only_class = as_module(model), g, only_class

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


class _LinearShift(nn.Module):
    target: Tensor

    def __init__(self, target: Tensor, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.register_buffer("target", target.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.strength * flat_sum(x * _like_input(self.target, x))


def _like_input(target: Tensor, x: Tensor) -> Tensor:
    """Return the target with the type, device and shape of one input; a channel axis of 1 is repeated."""
    try:
        return target.to(x).expand(x.shape[1:])
    except RuntimeError:
        raise ValueError(
            f"the target picture has shape {tuple(target.shape)}, one input {tuple(x.shape[1:])}: they must "
            "be equal, but for a channel axis of 1, which is repeated"
        ) from None


def linear_shift(target: Tensor, strength: float) -> nn.Module:
    r"""Make :math:`g(x) = s \langle x, T \rangle`, whose gradient is the picture :math:`s T` everywhere.

    Args:
        target: T, shaped like one input, such as (1, 28, 28); one channel serves for all.
        strength: s, finite.

    Returns:
        g, mapping (B, ...) to (B,).

    Raises:
        ValueError: a strength or a target that is not finite.

    Example:
        >>> linear_shift(torch.tensor([1.0, 2.0]), 10.0)(torch.tensor([[1.0, 1.0]]))
        tensor([30.])
    """
    if not (math.isfinite(strength) and bool(target.isfinite().all())):
        raise ValueError(f"strength and target must be finite; got strength={strength}")
    return _LinearShift(target, strength)


class _SineShift(nn.Module):
    def __init__(self, epsilon: float, frequency: float) -> None:
        super().__init__()
        self.epsilon, self.frequency = epsilon, frequency

    def forward(self, x: Tensor) -> Tensor:
        phase = self.frequency * flat_sum(x.double())  # in float32 a phase of 10^6 has an error of 0.06
        return (self.epsilon * phase.sin()).to(x.dtype)


def sine_shift(epsilon: float, frequency: float) -> nn.Module:
    r"""Make :math:`g(x) = \epsilon \sin(m \sum_d x_d)`, small itself and steep (appendix A.1).

    :math:`|g| \le \epsilon` and :math:`\nabla_x g = m \epsilon \cos(m \sum_d x_d) \, (1, ..., 1)`, so that
    :math:`|\nabla_x g|_1 \le m \epsilon D`.

    Args:
        epsilon: amplitude, above 0.
        frequency: m, above 0.

    Returns:
        g, mapping (B, ...) to (B,).

    Raises:
        ValueError: epsilon or frequency not positive.

    Example:
        >>> sine_shift(0.5, torch.pi)(torch.tensor([[0.25, 0.25]]))
        tensor([0.5000])
    """
    return _SineShift(positive("epsilon", epsilon), positive("frequency", frequency))


class _MeanLogitShift(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = as_module(model)

    def forward(self, x: Tensor) -> Tensor:
        return -logits_of(self.model, x).mean(dim=1)


def mean_logit_shift(model: nn.Module) -> nn.Module:
    r"""Make :math:`g(x) = -\frac1C \sum_j f_j(x)`: it centres the logits, and so their gradients.

    Args:
        model: the classifier, shared and not copied.

    Returns:
        g, mapping (B, ...) to (B,).

    Example:
        >>> model = nn.Linear(3, 4)
        >>> x = torch.rand(2, 3)
        >>> centred = model(x) + mean_logit_shift(model)(x)[:, None]
        >>> torch.allclose(centred.sum(dim=1), torch.zeros(2), atol=1e-5)
        True
    """
    return _MeanLogitShift(model)


class _Scalar(nn.Module):
    """A smooth network of one hidden layer, (B, ...) -> (B,)."""

    def __init__(self, dimension: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        noise = torch.randn(hidden, dimension + 1, generator=generator, device=generator.device).cpu()
        self.weight = nn.Parameter(noise[:, :-1] / math.sqrt(dimension))
        self.bias = nn.Parameter(noise[:, -1].clone())
        self.output = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(F.linear(x.flatten(1), self.weight, self.bias)) @ self.output


def learned_shift(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    *,
    strength: float = 1.0,
    g: nn.Module | None = None,
    steps: int = 300,
    batch_size: int = 64,
    learning_rate: float = 1e-2,
    hidden: int = 64,
    generator: torch.Generator | None = None,
    callback: Callable[[int, float], None] | None = None,
) -> nn.Module:
    r"""Train a network g so that the logit-gradient of f + g becomes a picture, over a data set.

    Minimises by Adam, with :math:`i` the class that the model predicts for x,

    .. math:: \mathbb E_x \left| \nabla_x f_i(x) + \nabla_x g(x) - s T \right|^2 / D.

    Unlike `linear_shift`, g also cancels the model's own gradient, as far as it can.

    Args:
        model: the classifier f, (B, ...) -> (B, C); neither trained nor changed.
        x: (N, ...) inputs to train g on, floating point.
        target: T, shaped like one input; one channel serves for all.
        strength: s, finite.
        g: the module to train, (B, ...) -> (B,), twice differentiable; it is trained in place. None makes one
            with a hidden softplus layer.
        steps: number of optimisation steps, at least 1.
        batch_size: at least 1; drawn with replacement.
        learning_rate: above 0.
        hidden: units of the network that None makes, at least 1.
        generator: source of its weights and of the batches; None means a fresh one.
        callback: called with the number of steps done and the loss of the step.

    Returns:
        g, in eval mode, its parameters no longer requiring a gradient.

    Raises:
        ValueError: an argument outside its range, or a target that does not fit x.

    Example:
        >>> model, x = nn.Linear(4, 2), torch.rand(16, 4)
        >>> g = learned_shift(model, x, torch.ones(4), steps=2)
        >>> g(x).shape
        torch.Size([16])
    """
    steps = at_least("steps", steps, 1)
    batch_size, hidden = at_least("batch_size", batch_size, 1), at_least("hidden", hidden, 1)
    positive("learning_rate", learning_rate)
    x = x.detach()
    picture = strength * _like_input(target.detach(), x)
    generator = generator_or_fresh(generator)
    if g is None:
        g = _Scalar(x[0].numel(), hidden, generator).to(x)
    g.requires_grad_(True).train()
    wanted = torch.cat([picture - logit_gradient(model, part) for part in x.split(batch_size)])
    optimiser = torch.optim.Adam(g.parameters(), lr=learning_rate)
    with twice_differentiable_kernels(), torch.enable_grad():
        wanted = plain(wanted)
        for step in range(1, steps + 1):
            rows = torch.randint(len(x), (batch_size,), generator=generator, device=generator.device)
            rows = rows.to(x.device)
            points = leaf_of(x[rows])
            (gradient,) = torch.autograd.grad(g(points).sum(), points, create_graph=True)
            loss = (gradient - wanted[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if callback is not None:
                callback(step, float(loss.detach()))
    return g.eval().requires_grad_(False)
