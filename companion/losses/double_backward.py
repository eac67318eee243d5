"""Layers whose derivative is differentiated once more at the price of a backward pass.

An exact gradient-norm term is trained through the input-gradient. PyTorch differentiates the backward pass of
a batch norm and a softplus by formulas of many small operations, and that of a convolution by one whose
kernel is as large as the image. Here the same derivatives are written with the fused kernels of the first
backward pass: equal up to rounding, and about half the time of a training step on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable

from companion._calls import explained, named_modules_in
from companion._support import replaced_forwards

_aten = torch.ops.aten


class _Context(FunctionCtx):
    # What PyTorch and the functions below keep for the backward pass.
    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]
    gradient: InputGradient
    how: tuple
    shape: tuple[float, float]
    eps: float


class InputGradient:
    """Takes the input-gradient of a pass made inside `twice_differentiable`."""

    def __init__(self) -> None:
        """Begin with gradients for the parameters too, as the loss's own backward pass needs them."""
        self.for_parameters = True

    def __call__(self, value: Tensor, x: Tensor, *, create_graph: bool) -> Tensor:
        """Return the gradient of a sum with respect to x, zero where it does not depend on x."""
        self.for_parameters = False
        try:
            with explained():
                (gradient,) = torch.autograd.grad(
                    value, x, create_graph=create_graph, retain_graph=True, allow_unused=True,
                    materialize_grads=True,
                )  # fmt: skip
        finally:
            self.for_parameters = True
        return gradient

    def check(self) -> None:
        """Refuse to build a graph of the parameters' gradient: it would have no derivative."""
        if self.for_parameters and torch.is_grad_enabled():
            raise RuntimeError(
                "a penalty with an exact gradient norm has been differentiated twice already, and cannot be "
                "differentiated again: call backward() without create_graph=True"
            )


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[InputGradient]:
    """Let convolutions, softplus and the batch norms of `companion._batch_norm` use the layers below.

    Yields:
        What takes the input-gradient of the pass: use it in place of `torch.autograd.grad`. Under autocast
        and for other layers nothing is replaced, and it does just what `torch.autograd.grad` does.
    """
    gradient = InputGradient()
    modules = [module for _, module in named_modules_in(model)]
    device = next(
        (p.device.type for module in modules for p in module._parameters.values() if p is not None), "cpu"
    )
    found = [m for m in modules if _is_replaced(m)] if not torch.is_autocast_enabled(device) else []

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        if isinstance(module, nn.Softplus):
            return _Softplus.apply(x, module.beta, module.threshold, gradient)  # pyright: ignore
        assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        how = (module.stride, module.padding, module.dilation, False, (0,) * len(module.stride),
               module.groups)  # fmt: skip
        out = _Convolution.apply(x, module.weight, how, gradient)
        return out if module.bias is None else out + module.bias.view(-1, *(1 for _ in module.stride))  # pyright: ignore

    with replaced_forwards(found, forward):
        yield gradient


def _is_replaced(module: nn.Module) -> bool:
    if type(module) in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return type(module) is nn.Softplus


class _Convolution(Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, weight: Tensor, how: tuple, gradient: InputGradient) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how, ctx.gradient = how, gradient
        return _aten.convolution(x, weight, None, *how)

    @staticmethod
    def backward(ctx: _Context, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        ctx.gradient.check()
        if ctx.gradient.for_parameters:
            needed = [*ctx.needs_input_grad[:2], False]
            to_x, to_weight, _ = _aten.convolution_backward(g, x, weight, None, *ctx.how, needed)
            return to_x, to_weight, None, None
        return _ConvolutionBackward.apply(g, x, weight, ctx.how), None, None, None


class _ConvolutionBackward(Function):
    """Linear in g and in the weight; x gives its shape alone."""

    @staticmethod
    def forward(ctx: _Context, g: Tensor, x: Tensor, weight: Tensor, how: tuple) -> Tensor:
        ctx.save_for_backward(g, weight)
        ctx.how = how
        return _aten.convolution_backward(g, x, weight, None, *how, [True, False, False])[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, u: Tensor) -> tuple[Tensor | None, ...]:
        g, weight = ctx.saved_tensors
        to_g = _aten.convolution(u, weight, None, *ctx.how)
        to_weight = None
        if ctx.needs_input_grad[2]:
            to_weight = _aten.convolution_backward(g, u, weight, None, *ctx.how, [False, True, False])[1]
        return to_g, None, to_weight, None


class _Softplus(Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, beta: float, threshold: float, gradient: InputGradient) -> Tensor:
        ctx.save_for_backward(x)
        ctx.shape, ctx.gradient = (beta, threshold), gradient
        return _aten.softplus(x, beta, threshold)

    @staticmethod
    def backward(ctx: _Context, g: Tensor) -> tuple[Tensor | None, ...]:
        ctx.gradient.check()
        return _SoftplusBackward.apply(g, *ctx.saved_tensors, *ctx.shape), None, None, None


class _SoftplusBackward(Function):
    r"""g times the sigmoid s of beta x, whose own derivative is beta s (1 - s)."""

    @staticmethod
    def forward(ctx: _Context, g: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:
        ctx.save_for_backward(g, x)
        ctx.shape = (beta, threshold)
        return _aten.softplus_backward(g, x, beta, threshold)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, u: Tensor) -> tuple[Tensor | None, ...]:
        g, x = ctx.saved_tensors
        to_g = _aten.softplus_backward(u, x, *ctx.shape)
        product = to_g * g
        to_x = (product - _aten.softplus_backward(product, x, *ctx.shape)) * ctx.shape[0]
        return to_g, to_x, None, None


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *,
    eps: float,
    running: tuple[Tensor, Tensor, float] | None = None,
    gradient: InputGradient | None = None,
) -> Tensor:
    """Normalise each channel of a batch by its own mean and variance.

    Args:
        x: (B, C, ...).
        weight: (C,) or None: what each normalised channel is multiplied by.
        bias: (C,) or None: what is added then.
        eps: added to the variance.
        running: running mean, running variance, and the momentum of their update; None for no update.
        gradient: of `twice_differentiable`, if the input-gradient is to be differentiated.
    """
    if gradient is None:
        mean, variance, momentum = running or (None, None, 0.0)
        return nn.functional.batch_norm(x, mean, variance, weight, bias, True, momentum, eps)
    return _BatchNorm.apply(x, weight, bias, eps, running, gradient)  # pyright: ignore


class _BatchNorm(Function):
    @staticmethod
    def forward(
        ctx: _Context, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float,
        running: tuple[Tensor, Tensor, float] | None, gradient: InputGradient,
    ) -> Tensor:  # fmt: skip
        mean, variance, momentum = running or (None, None, 0.0)
        out, *statistics = _aten.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)
        ctx.save_for_backward(x, weight, *statistics)  # pyright: ignore
        ctx.eps, ctx.gradient = eps, gradient
        return out

    @staticmethod
    def backward(ctx: _Context, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_deviation = ctx.saved_tensors
        ctx.gradient.check()
        if ctx.gradient.for_parameters:
            found = _batch_norm_backward(g, x, weight, mean, inverse_deviation, ctx.eps)
            needed = zip(found, ctx.needs_input_grad, strict=False)
            return *(value if need else None for value, need in needed), None, None, None
        to_x = _BatchNormBackward.apply(g, x, weight, mean, inverse_deviation, ctx.eps)
        return to_x, None, None, None, None, None


class _BatchNormBackward(Function):
    r"""The map $P(g) = \frac{\gamma}{s} (g - \bar g - \hat x \, \overline{g \hat x})$, self-adjoint in g.

    s is the standard deviation, $\hat x$ the normalised batch and a bar the mean over a channel's n values.
    With q(g) = mean of $g \hat x$ and the covariance $c = \overline{g u} - \bar g \bar u - q(g) q(u)$,

    $$\frac{\partial}{\partial x} \langle P(g), u \rangle
        = -\frac{\gamma}{s^2} c \, \hat x - \frac1s \big( q(u) P(g) + q(g) P(u) \big).$$
    """

    @staticmethod
    def forward(
        ctx: _Context, g: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, inverse_deviation: Tensor,
        eps: float,
    ) -> Tensor:  # fmt: skip
        to_x, sum_gx, sum_g = _batch_norm_backward(g, x, weight, mean, inverse_deviation, eps)
        ctx.save_for_backward(g, x, weight, mean, inverse_deviation, to_x, sum_gx, sum_g)  # pyright: ignore
        ctx.eps = eps
        return to_x

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, u: Tensor) -> tuple[Tensor | None, ...]:
        g, x, weight, mean, inverse_deviation, p_g, sum_gx, sum_g = ctx.saved_tensors
        n = x.numel() // x.shape[1]
        p_u, sum_ux, sum_u = _batch_norm_backward(u, x, weight, mean, inverse_deviation, ctx.eps)
        # With mean 0 and deviation 1 the kernel's sum of g times "normalised u" is the sum of g u.
        zero, one = torch.zeros_like(mean), torch.ones_like(mean)
        sum_gu = _batch_norm_backward(g, u, None, zero, one, ctx.eps)[1]
        covariance = (sum_gu - sum_g * sum_u / n - sum_gx * sum_ux / n) / n
        scale = -covariance * inverse_deviation**3 * (1 if weight is None else weight)

        def channels(values: Tensor) -> Tensor:
            return values.view(-1, *(1 for _ in x.shape[2:]))

        to_x = torch.addcmul(channels(-scale * mean), x, channels(scale))
        to_x = to_x.addcmul_(p_g, channels(-inverse_deviation * sum_ux / n))
        to_x = to_x.addcmul_(p_u, channels(-inverse_deviation * sum_gx / n))
        to_weight = inverse_deviation * covariance * n if ctx.needs_input_grad[2] else None
        return p_u, to_x, to_weight, None, None, None


def _batch_norm_backward(
    g: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, inverse_deviation: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what flows to x, the sum over each channel of g times the normalised x, and that of g."""
    if weight is None:
        weight = torch.ones_like(mean)  # The CPU's kernel does without one, CUDA's does not.
    return _aten.native_batch_norm_backward(
        g, x, weight, None, None, mean, inverse_deviation, True, eps, [True, True, True]
    )
