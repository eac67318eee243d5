r"""A trained network made smooth (ReLU to softplus) or plain (batch norm folded into convolutions)."""

from __future__ import annotations

from typing import TypeVar, cast

import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import is_parametrized

from companion._calls import copied
from companion._kinks import MODULES, kinks_called, kinks_held
from companion._support import positive, refuse_batch_statistics

M = TypeVar("M", bound=nn.Module)

# torch's default of 20 switches to the identity where the softplus still differs by 2e-10: a step that a
# finite difference in float64 sees. At 40 the difference is below float64's rounding.
SOFTPLUS_THRESHOLD = 40.0


class SoftClamp(nn.Module):
    r"""Smooth clamp to [low, high]: :math:`low + s_\beta(x - low) - s_\beta(x - high)`."""

    def __init__(self, low: float, high: float, beta: float) -> None:
        """Set the limits and the sharpness."""
        super().__init__()
        self.low, self.high, self.beta = low, high, beta

    def forward(self, x: Tensor) -> Tensor:
        """Apply it elementwise."""
        above_low = F.softplus(x - self.low, self.beta, SOFTPLUS_THRESHOLD)
        return self.low + above_low - F.softplus(x - self.high, self.beta, SOFTPLUS_THRESHOLD)


class SoftLeakyReLU(nn.Module):
    r"""Smooth leaky ReLU: :math:`a x + (1 - a) s_\beta(x)` for the slope :math:`a` below zero."""

    def __init__(self, negative_slope: float, beta: float) -> None:
        """Set the slope and the sharpness."""
        super().__init__()
        self.negative_slope, self.beta = negative_slope, beta

    def forward(self, x: Tensor) -> Tensor:
        """Apply it elementwise."""
        soft = F.softplus(x, self.beta, SOFTPLUS_THRESHOLD)
        return self.negative_slope * x + (1 - self.negative_slope) * soft


def _soft_version(module: nn.Module, beta: float) -> nn.Module | None:
    if isinstance(module, nn.ReLU):
        return nn.Softplus(beta, SOFTPLUS_THRESHOLD)
    if isinstance(module, nn.Hardtanh):  # ReLU6 is one
        return SoftClamp(module.min_val, module.max_val, beta)
    if isinstance(module, nn.LeakyReLU):
        return SoftLeakyReLU(module.negative_slope, beta)
    return None


def to_softplus(model: M, beta: float = 10.0) -> M:
    r"""Copy a model with its piecewise-linear activation modules replaced by smooth ones.

    `nn.ReLU` becomes the softplus :math:`s_\beta`, `nn.ReLU6` and `nn.Hardtanh` become `SoftClamp`,
    `nn.LeakyReLU` becomes `SoftLeakyReLU`; each tends to what it replaces as :math:`\beta \to \infty`. The
    weights are those of the original: accuracy drops a little until the copy is trained on.

    Functions such as `F.relu` or `clamp` inside a `forward` cannot be replaced. They are looked for with
    torch.fx; where a model cannot be traced (its control flow depends on values) those that its layers hold
    are found, and `trace.logit` warns of the others. Pooling by the maximum stays.

    Args:
        model: any module; it is not changed.
        beta: sharpness, above 0.

    Returns:
        The copy, of the same class.

    Raises:
        ValueError: `forward` calls a function with kinks, the model holds a layer with kinks that has no
            smooth version here (PReLU, RReLU, Threshold, Hardswish, ...), or nothing is there to replace.

    Example:
        >>> smooth = to_softplus(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), beta=10.0)
        >>> smooth[1]
        Softplus(beta=10.0, threshold=40.0)
    """
    positive("beta", beta)
    for name, module in model.named_modules():
        if isinstance(module, MODULES):
            raise ValueError(
                f"{name or 'the model'} is a {type(module).__name__}, which has no smooth version here; "
                "replace it yourself. Known: ReLU, ReLU6, Hardtanh, LeakyReLU."
            )
    called = kinks_held(model) + _functions_called(model)
    if called:
        raise ValueError(
            f"the model's forward calls {', '.join(called)}, which cannot be replaced in a copy. "
            "Make each a module in __init__, nn.ReLU() for relu and for clamp(min=0) (a transformer's layer "
            "takes activation=nn.ReLU()), and call that; write abs(x) as relu(x) + relu(-x)."
        )
    smooth = copied(model)
    new: dict[nn.Module, nn.Module] = {}  # a module used in two places stays one module
    for module in smooth.modules():
        replacement = _soft_version(module, beta)
        if replacement is not None:
            new[module] = replacement.train(module.training)
    if not new:
        raise ValueError(
            f"{type(model).__name__} holds no ReLU, ReLU6, Hardtanh or LeakyReLU module: nothing to replace"
        )
    if smooth in new:
        return cast(M, new[smooth])
    for parent in list(smooth.modules()):
        for name, child in parent._modules.items():
            if child in new:
                parent._modules[name] = new[child]
        if isinstance(parent, nn.TransformerEncoderLayer):
            parent.activation_relu_or_gelu = 0  # else its fast path computes the ReLU that it was made with
    return smooth


def _graph(model: nn.Module) -> fx.Graph | None:
    """Trace a copy: a model that keeps what forward computes would keep a part of the tracer."""
    try:
        return fx.Tracer().trace(copied(model))
    except Exception:  # noqa: BLE001 - whatever a stranger's forward raises on a proxy: it cannot be traced
        return None


def _functions_called(model: nn.Module) -> list[str]:
    graph = _graph(nn.Sequential(model))  # so that a model which is itself a layer of torch stays one node
    return [] if graph is None else kinks_called(graph)


def fold_batch_norm(model: M) -> M:
    r"""Copy a model with each batch norm folded into the convolution before it, for evaluation.

    With running mean :math:`m`, variance :math:`v`, scale :math:`\gamma` and shift :math:`\delta`,
    :math:`W' = a W` and :math:`b' = a (b - m) + \delta`, where :math:`a = \gamma / \sqrt{v + \epsilon}`.

    Args:
        model: a module that torch.fx can trace, such as those here and in torchvision; it is not changed.

    Returns:
        The copy in eval mode, batch norms replaced by `nn.Identity`; equal to the original in eval mode up to
        rounding. Training it on is not the same as training the original.

    Raises:
        ValueError: the model cannot be traced; a batch norm does not follow a convolution of its own or
            keeps no running statistics; or one of the two has hooks or weights that are computed (a
            parametrisation, pruning), which a fold would lose.

    Example:
        >>> folded = fold_batch_norm(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
        >>> any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
        False
    """
    folded = copied(model).eval()
    graph = _graph(folded)
    if graph is None:
        raise ValueError(f"torch.fx cannot trace {type(model).__name__}: its layers' order is unknown")
    calls = [node for node in graph.nodes if node.op == "call_module"]
    modules = {node: folded.get_submodule(str(node.target)) for node in calls}
    uses = [node.target for node in calls]
    for node in calls:
        if not isinstance(modules[node], nn.modules.batchnorm._BatchNorm):
            continue
        before = node.args[0]
        conv = modules.get(before)
        if (
            not isinstance(conv, nn.Conv1d | nn.Conv2d | nn.Conv3d)
            or len(before.users) > 1
            or uses.count(before.target) > 1
            or uses.count(node.target) > 1
        ):
            raise ValueError(f"batch norm {node.target} does not follow a convolution of its own")
        refuse_batch_statistics(str(node.target), modules[node])
        _refuse_additions(str(node.target), modules[node])
        _refuse_additions(str(before.target), conv)
        folded.set_submodule(str(before.target), fuse_conv_bn_eval(conv, cast(nn.BatchNorm2d, modules[node])))
        folded.set_submodule(str(node.target), nn.Identity())
    return folded


def _refuse_additions(name: str, layer: nn.Module) -> None:
    """Refuse a layer that does more than its weights say."""
    advice = ""
    if is_parametrized(layer):
        advice = "torch.nn.utils.parametrize.remove_parametrizations(layer, name) keeps the weights it gives"
    elif any(buffer.endswith("_mask") for buffer in layer._buffers):
        advice = "torch.nn.utils.prune.remove(layer, name) makes the pruning permanent"
    elif layer._forward_hooks or layer._forward_pre_hooks:
        advice = (
            "take them off: handle.remove(), and torch.nn.utils.remove_weight_norm or remove_spectral_norm "
            "for those of the older normalisations"
        )
    if advice:
        raise ValueError(f"{name} has hooks or computed weights, which a fold would lose. First, {advice}.")
