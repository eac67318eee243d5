"""The target logit at x, x+v and x-v, and its gradient at x: what every penalty is made of."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from companion._calls import (
    has_half,
    leaf_of,
    named_modules_in,
    refuse_moving,
    same_state,
    state_of,
    twice_differentiable_kernels,
)
from companion._support import Target, flat_sum, generator_or_fresh, logits_of, normal_like, resolve_target
from companion.losses.batch_norm import (
    batch_norms_in_training,
    joint_statistics,
    own_statistics,
    recorded_statistics,
    replayed_statistics,
)
from companion.losses.double_backward import InputGradient, twice_differentiable
from companion.trace.piecewise_linear import ActivationWatch
from companion.trace.precision import refuse_half, refuse_lost_sigma, require_full_precision
from companion.trace.taylor import from_differences

_watched: weakref.WeakSet[nn.Module] = weakref.WeakSet()
_moving: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Models whose weights change at each call: x and its copies go through them together."""
_TOGETHER = 'f(x+v) and f(x) would be two functions. Use batch_norm="joint", which evaluates them together.'


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
    y: Target,
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
    if y is None:
        raise TypeError("y must be the labels, an int or (B,) integers: a penalty is on the label's logit")
    if num_probes:
        require_full_precision(x, sigma=sigma, allow_low_precision=allow_low_precision)
        _refuse_dropout(model)
        if has_half(model) and not allow_low_precision:
            refuse_half("half precision, which the model's weights have")
    keep_graph = torch.is_grad_enabled()
    with twice_differentiable_kernels(), torch.set_grad_enabled(keep_graph or exact_gradient):
        leaf = leaf_of(x, requires_grad=exact_gradient)
        noise = (
            sigma * normal_like(x.detach(), generator_or_fresh(generator), num=num_probes)
            if num_probes
            else None
        )
        copies = [] if noise is None else [*(x.detach() + noise)]
        if noise is not None and antithetic:
            copies += [*(x.detach() - noise)]
        watch = ActivationWatch() if num_probes and model not in _watched else None
        if watch is not None and noise is not None:
            refuse_lost_sigma(x.detach(), noise[0], sigma)
        with (
            watch or nullcontext(),
            twice_differentiable(model) if exact_gradient and keep_graph else nullcontext() as input_gradient,
        ):
            all_logits = _forward(model, leaf, copies, batch_norm, input_gradient)
        if watch is not None and not (watch.half and allow_low_precision):
            if watch.half:
                refuse_half("half precision, in which the model computes")
            _watched.add(model)  # later passes cost nothing
        logits = all_logits[: len(x)]
        target = resolve_target(y, logits)
        values = all_logits.view(1 + len(copies), len(x), logits.shape[1]).gather(
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
    fixed = bool(copies)
    if not batch_norms_in_training(model):
        return _without_batch_norms(model, x, copies)
    if copies and batch_norm == "joint":
        with joint_statistics(model, len(x), gradient):
            return logits_of(model, torch.cat([x, *copies]), fixed=fixed)
    before = state_of(model) if copies else []
    if copies and batch_norm == "of_x":
        with recorded_statistics(model) as statistics:
            logits = logits_of(model, x, fixed=fixed)
        refuse_moving(model, before, advice=_TOGETHER)
        with replayed_statistics(model, statistics):
            return torch.cat([logits, logits_of(model, torch.cat(copies), fixed=fixed)])
    with own_statistics(model, gradient, update=True):
        logits = [logits_of(model, x, fixed=fixed)]
    if copies:
        refuse_moving(model, before, advice=_TOGETHER)
    with own_statistics(model, None):
        return torch.cat(logits + [logits_of(model, copy, fixed=fixed) for copy in copies])


def _without_batch_norms(model: nn.Module, x: Tensor, copies: list[Tensor]) -> Tensor:
    """Evaluate x, then its copies; all together where the model changes its weights at each call."""
    if not copies:
        return logits_of(model, x)
    if model not in _moving:
        before = state_of(model)
        logits = logits_of(model, x, fixed=True)
        if same_state(before, state_of(model)):
            return torch.cat([logits, logits_of(model, torch.cat(copies), fixed=True)])
        _moving.add(model)
    return logits_of(model, torch.cat([x, *copies]), fixed=True)


def _refuse_dropout(model: nn.Module) -> None:
    for name, module in named_modules_in(model):
        if isinstance(module, _DropoutNd) and module.training and module.p > 0:
            raise ValueError(
                f"the dropout {name!r} is active: f(x+v) and f(x) would be two functions. Put "
                "the dropout layers in eval mode to train with this penalty, or use GradientNorm: its exact "
                "norm needs no perturbed pass."
            )
