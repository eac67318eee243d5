"""The target logit at x, x+v and x-v, and its gradient at x: what every penalty is made of."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from companion._support import flat_sum, generator_or_fresh, logits_of, normal_like, resolve_target
from companion.losses.batch_norm import (
    batch_norms_in_training,
    joint_statistics,
    own_statistics,
    recorded_statistics,
    replayed_statistics,
)
from companion.losses.double_backward import InputGradient, twice_differentiable
from companion.trace.piecewise_linear import ActivationWatch
from companion.trace.precision import require_full_precision
from companion.trace.taylor import from_differences

_watched: weakref.WeakSet[nn.Module] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True)
class PerturbedPass:
    """Logits (B, C) of x; noise v (P, B, ...); plus = f(x+v) - f(x) and minus = f(x-v) - f(x), (P, B)."""

    logits: Tensor
    sigma: float
    noise: Tensor | None
    plus: Tensor | None
    minus: Tensor | None
    gradient: Tensor | None

    def trace_samples(self, variant: str) -> Tensor:
        """Return the (P, B) Taylor estimates of the Hessian's trace, as `trace.taylor` defines them."""
        assert self.plus is not None
        assert self.noise is not None
        slope = None
        if variant == "control":
            assert self.gradient is not None
            slope = (self.gradient * self.noise).flatten(2).sum(dim=2)
        return from_differences(variant, self.sigma, self.plus, self.minus, slope)

    def squared_gradient_norm(self) -> Tensor:
        """Return (B,): exact where the gradient was asked for, else from the antithetic pairs."""
        if self.gradient is not None:
            return flat_sum(self.gradient.square())
        assert self.plus is not None
        assert self.minus is not None
        return ((self.plus - self.minus).square() / (4 * self.sigma**2)).mean(dim=0)


def perturbed_pass(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    sigma: float,
    num_probes: int,
    antithetic: bool,
    exact_gradient: bool,
    batch_norm: str,
    generator: torch.Generator | None,
    allow_low_precision: bool,
) -> PerturbedPass:
    """Evaluate the model once on x and on num_probes perturbed copies, twice as many if antithetic.

    `batch_norm` says which statistics normalise the copies in training mode; see `companion.losses`. A graph
    is kept for the parameters where the caller has gradients enabled.
    """
    if num_probes:
        require_full_precision(x, sigma=sigma, allow_low_precision=allow_low_precision)
        _refuse_dropout(model)
    keep_graph = torch.is_grad_enabled()
    with torch.set_grad_enabled(keep_graph or exact_gradient):
        leaf = x.detach().requires_grad_(exact_gradient and x.is_floating_point())
        noise = (
            sigma * normal_like(x.detach(), generator_or_fresh(generator), num=num_probes)
            if num_probes
            else None
        )
        copies = [] if noise is None else [*(x.detach() + noise)]
        if noise is not None and antithetic:
            copies += [*(x.detach() - noise)]
        with (
            _watch_once(model) if num_probes else nullcontext(),
            twice_differentiable(model) if exact_gradient and keep_graph else nullcontext() as input_gradient,
        ):
            all_logits = _forward(model, leaf, copies, batch_norm, input_gradient)
        logits = all_logits[: len(x)]
        target = resolve_target(y, logits)
        values = all_logits.view(-1, len(x), logits.shape[1]).gather(
            2, target[None, :, None].expand(1 + len(copies), -1, 1)
        )[..., 0]
        gradient = None
        if exact_gradient:
            input_gradient = input_gradient or InputGradient()
            gradient = input_gradient(values[0].sum(), leaf, create_graph=keep_graph)
    if not keep_graph:
        logits, values = logits.detach(), values.detach()
    differences = values[1:] - values[0]
    return PerturbedPass(
        logits=logits,
        sigma=sigma,
        noise=noise,
        plus=differences[:num_probes] if num_probes else None,
        minus=differences[num_probes:] if num_probes and antithetic else None,
        gradient=gradient,
    )


def _forward(
    model: nn.Module, x: Tensor, copies: list[Tensor], batch_norm: str, gradient: InputGradient | None
) -> Tensor:
    """Return the logits of x, then of each copy, ((1 + copies) B, C)."""
    if not batch_norms_in_training(model):
        return torch.cat([logits_of(model, part) for part in (x, *([torch.cat(copies)] if copies else []))])
    if copies and batch_norm == "joint":
        with joint_statistics(model, len(x), gradient):
            return logits_of(model, torch.cat([x, *copies]))
    if copies and batch_norm == "of_x":
        with recorded_statistics(model) as statistics:
            logits = logits_of(model, x)
        with replayed_statistics(model, statistics):
            return torch.cat([logits, logits_of(model, torch.cat(copies))])
    with own_statistics(model, gradient, update=True):
        logits = [logits_of(model, x)]
    with own_statistics(model, None):
        return torch.cat(logits + [logits_of(model, copy) for copy in copies])


def _watch_once(model: nn.Module) -> ActivationWatch | nullcontext[None]:
    """Watch a model's first pass for piecewise-linear activations; later passes cost nothing."""
    if model in _watched:
        return nullcontext()
    _watched.add(model)
    return ActivationWatch()


def _refuse_dropout(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, _DropoutNd) and module.training and module.p > 0:
            raise ValueError(
                f"the dropout {name!r} is active: f(x+v) and f(x) would be two functions. Put "
                "the dropout layers in eval mode to train with this penalty, or use GradientNorm: its exact "
                "norm needs no perturbed pass."
            )
