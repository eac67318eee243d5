"""The hand-written double backward, against PyTorch's own and against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from companion import losses, models
from companion._support import to_device
from companion.losses.double_backward import InputGradient, batch_norm, twice_differentiable

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv2d(3, 4, 3, padding=1),
    "strided": lambda: nn.Conv2d(3, 4, 3, stride=2, bias=False),
    "grouped, dilated": lambda: nn.Conv2d(4, 4, 3, groups=2, dilation=2),
    "one dimension": lambda: nn.Conv1d(3, 2, 3),
    "padded by its other side": lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"),
    "padded to one size": lambda: nn.Conv2d(3, 4, 3, padding="same"),
    "softplus": lambda: nn.Softplus(beta=10),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_derivatives_match_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    shape = (2, 3, 7) if name == "one dimension" else (2, 4 if "grouped" in name else 3, 6, 6)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    parameters = list(layer.parameters())

    def gradient_of(x: Tensor, *values: Tensor) -> Tensor:
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value.data
        with twice_differentiable(layer) as input_gradient:
            out = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))
            return input_gradient(out.pow(3).sum(), x, create_graph=True)

    names = [n for n, _ in layer.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in parameters]
    assert torch.autograd.gradcheck(gradient_of, (x, *values), check_undefined_grad=False)


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_derivatives_match_finite_differences(affine: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, dtype=torch.float64, requires_grad=True) if affine else None
    bias = torch.rand(3, dtype=torch.float64, requires_grad=True) if affine else None

    def gradient_of(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        gradient = InputGradient()
        out = batch_norm(x, weight, bias, eps=1e-3, gradient=gradient)
        return gradient(out.pow(3).sum(), x, create_graph=True)

    given = (x, weight, bias) if affine else (x,)
    assert torch.autograd.gradcheck(gradient_of, given, check_undefined_grad=False)


@pytest.mark.parametrize("gradient", [InputGradient(), None])
def test_a_batch_norm_has_pytorchs_values_with_its_own_epsilon(gradient: InputGradient | None) -> None:
    x, weight, bias = torch.rand(5, 3, 4), torch.rand(3), torch.rand(3)
    ours = batch_norm(x, weight, bias, eps=0.5, gradient=gradient)
    theirs = nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=0.5)
    torch.testing.assert_close(ours, theirs)


PENALTIES = {
    "gradient norm": losses.GradientNorm(weight=1.0),
    "separate": losses.ScoreMatching(weight=0.1, mu=float("inf"), variant="control", batch_norm="separate"),
    "joint": losses.ScoreMatching(weight=0.1, mu=float("inf"), variant="control", batch_norm="joint"),
    "of_x": losses.ScoreMatching(weight=0.1, mu=float("inf"), variant="control", batch_norm="of_x"),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_training_step_is_that_of_pytorchs_own_layers(name: str, layout: torch.memory_format) -> None:
    def step(own: bool) -> list[Tensor]:
        model = models.resnet9(4, width=4, in_channels=3, generator=torch.Generator().manual_seed(0)).double()
        model.to(memory_format=layout)
        x = torch.rand(4, 3, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        replaced = mock.patch(
            "companion.losses.perturbed_pass.twice_differentiable", return_value=nullcontext()
        )
        with replaced if own else nullcontext():
            generator = torch.Generator().manual_seed(2)
            penalty, logits = PENALTIES[name].penalty_and_logits(
                model, x, torch.arange(4), generator=generator
            )
        (logits.square().sum() + penalty.sum()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        return [penalty.detach(), logits.detach(), *gradients, *model.buffers()]

    ours, theirs = step(own=False), step(own=True)
    assert len(ours) == len(theirs) > 60
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_modules_get_their_own_forward_back_and_a_third_derivative_is_refused() -> None:
    model = models.resnet9(3, width=2)
    x = torch.rand(4, 3, 28, 28)
    penalty = losses.GradientNorm()(model, x, torch.tensor([0, 1, 2, 0])).sum()
    assert not any("forward" in vars(module) for module in model.modules())
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        penalty.backward(create_graph=True)


def test_nothing_is_replaced_under_autocast() -> None:
    model = models.resnet9(3, width=2)
    with torch.autocast("cpu", torch.bfloat16), twice_differentiable(model):
        assert not any("forward" in vars(module) for module in model.modules())


class _KernelsOfCuda(TorchDispatchMode):
    """Refuses what the kernels of CUDA refuse and those of the CPU let pass."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.native_batch_norm_backward.default:
            assert args[2] is not None, "CUDA: tensor does not have a device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("affine", [True, False])
def test_no_kernel_is_called_without_an_argument_that_cuda_needs(affine: bool) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=affine), nn.Softplus(), nn.Flatten())
    x = torch.rand(4, 1, 4, 4)
    with _KernelsOfCuda():
        penalty = losses.GradientNorm()(model, x, torch.tensor([0, 1, 2, 0])).sum()
        penalty.backward()
    assert any(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(("width", "last"), [(4, False), (7, False), (8, True), (16, True)])
def test_a_narrow_network_keeps_the_standard_layout_on_a_cpu(width: int, last: bool) -> None:
    model = to_device(models.resnet9(3, width=width), torch.device("cpu"))
    assert model.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last) == last
