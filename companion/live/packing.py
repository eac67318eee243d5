"""From a PyTorch network to the description that the page's engine reads: steps, shapes, exact weights."""

from __future__ import annotations

import base64
import operator
from typing import Any, NoReturn, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from companion._calls import copied
from companion._support import evaluation_mode
from companion.models import check_images

Step = dict[str, Any]


class UnsupportedNetwork(ValueError):
    """The network has a step that the page's engine does not know; in Jupyter the kernel computes it."""


def pack_array(values: Tensor) -> dict[str, Any]:
    """Return {type, shape, data}: the values in the smallest type that holds them exactly, in base64.

    Example:
        >>> pack_array(torch.tensor([0.5, -2.0]))["type"]
        'float16'
        >>> pack_array(torch.tensor([0.1], dtype=torch.float64))["type"]
        'float64'
    """
    values = values.detach().cpu().double().contiguous()
    whole = bool(((values >= 0) & (values <= 255)).all()) and torch.equal(values.round(), values)
    kinds = [torch.uint8] if whole else []
    for kind in (*kinds, torch.float16, torch.float32, torch.float64):
        if torch.equal(values.to(kind).double(), values) or kind == torch.float64:
            data = base64.b64encode(values.to(kind).numpy().tobytes()).decode()
            return {"type": str(kind).removeprefix("torch."), "shape": list(values.shape), "data": data}
    raise AssertionError("float64 holds every value")


def unpack_array(array: dict[str, Any]) -> Tensor:
    """Return the float64 tensor that `pack_array` was given.

    Example:
        >>> unpack_array(pack_array(torch.tensor([[0.5], [-2.0]])))
        tensor([[ 0.5000],
                [-2.0000]], dtype=torch.float64)
    """
    kind = cast("torch.dtype", getattr(torch, array["type"]))
    values = torch.frombuffer(bytearray(base64.b64decode(array["data"])), dtype=kind)
    return values.double().reshape(array["shape"])


def pack(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """Describe a network, in evaluation mode, as the list of steps that `engine.mjs` computes.

    Known are convolutions, batch norms, softplus, ReLU, linear layers, sums of two branches, the mean over an
    image's pixels, flattening; dropout and identities are left out.

    Args:
        model: a module that torch.fx can trace.
        input_shape: of one input, (channels, height, width).

    Returns:
        {input, steps}; every weight is exact.

    Raises:
        UnsupportedNetwork: the model cannot be traced, or has another step.

    Example:
        >>> description = pack(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), (1, 2, 2))
        >>> [step["op"] for step in description["steps"]]
        ['input', 'flatten', 'linear']
    """
    with evaluation_mode(model):
        # A copy, in which the tracer may leave its traces; a model that is itself a layer of torch is a step.
        whole: nn.Module = nn.Sequential(copied(model))
        try:
            graph = fx.Tracer().trace(whole)
        except Exception as error:
            raise UnsupportedNetwork(f"torch.fx cannot trace {type(model).__name__}: {error}") from error
    modules: dict[str, nn.Module] = dict(whole.named_modules())
    steps: list[Step] = []
    place: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op == "output":
            if place.get(node.args[0]) != len(steps) - 1:
                raise UnsupportedNetwork("the model must return the logits alone, as one tensor")
            break
        inputs = [place[arg] for arg in node.args if isinstance(arg, fx.Node)]
        _refuse_in_place(node, modules)
        step = _step(node, modules)
        if step is None:
            place[node] = inputs[0]
            continue
        place[node] = len(steps)
        steps.append({**step, "inputs": inputs})
    return {"input": list(input_shape), "steps": steps}


def _step(node: fx.Node, modules: dict[str, nn.Module]) -> Step | None:
    """Return what a node computes, or None if it hands its input on."""
    if node.op == "placeholder":
        return {"op": "input"}
    if node.op == "call_module" and _says_only(node):
        return _of_module(modules[str(node.target)])
    if node.target in (operator.add, torch.add, "add") and _says_only(node, other=None, alpha=1):
        two = all(isinstance(arg, fx.Node) for arg in node.args)
        return {"op": "add"} if two else _unknown(node)
    if node.target in (F.relu, torch.relu, "relu") and _says_only(node, inplace=None):
        return {"op": "relu"}
    if node.target in (torch.flatten, "flatten") and _says_only(node, start_dim=1, end_dim=-1):
        return {"op": "flatten"} if _option(node, 1, "start_dim", 0) == 1 else _unknown(node)
    if node.target in (torch.mean, "mean") and _says_only(node, dim=None, keepdim=None):
        pixels = _is_spatial(_option(node, 1, "dim", None)) and _may_drop_axes(node)
        return {"op": "spatial_mean"} if pixels else _unknown(node)
    if node.target is check_images:
        return None
    _unknown(node)


def _unknown(node: fx.Node) -> NoReturn:
    raise UnsupportedNetwork(f"the page's engine does not know the step {node.format_node()}")


def _says_only(node: fx.Node, **known: object) -> bool:
    """Say whether a call's arguments after the first are these, in their order, with these values or any."""
    given = dict(zip(known, node.args[1:], strict=False)) | node.kwargs
    fits = len(node.args) <= 1 + len(known) and set(given) <= {*known, "input"}
    return fits and all(known[name] in (None, given[name]) for name in given if name in known)


def _may_drop_axes(node: fx.Node) -> bool:
    """Say whether a mean over pixels keeps no axes of length 1, or they are flattened away at once."""
    flatten = (torch.flatten, "flatten")
    return not _option(node, 2, "keepdim", False) or all(user.target in flatten for user in node.users)


def _refuse_in_place(node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Refuse a step that overwrites what another step reads too."""
    layer = modules.get(str(node.target)) if node.op == "call_module" else None
    in_place = getattr(layer, "inplace", False) or _option(node, 1, "inplace", False) is True
    if in_place and any(len(before.users) > 1 for before in node.all_input_nodes):
        raise UnsupportedNetwork(
            f"the page's engine cannot overwrite what is used again: {node.format_node()}"
        )


def _option(node: fx.Node, position: int, name: str, default: object) -> object:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _is_spatial(dim: object) -> bool:
    return isinstance(dim, tuple | list) and sorted(d % 4 for d in cast("list[int]", dim)) == [2, 3]


def _of_module(module: nn.Module) -> Step | None:
    if module._forward_hooks or (module._forward_pre_hooks and not _computes_weights(module)):
        raise UnsupportedNetwork(f"the page's engine does not know the hooks of the layer {module}")
    if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        return None
    if isinstance(module, nn.Conv2d):
        return _conv(module)
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.affine:
        arrays = {"mean": module.running_mean, "variance": module.running_var}
        arrays |= {"weight": module.weight, "bias": module.bias}
        return {"op": "batch_norm", "epsilon": module.eps, "arrays": _packed(arrays)}
    if isinstance(module, nn.Softplus):
        return {"op": "softplus", "beta": module.beta, "threshold": module.threshold}
    if isinstance(module, nn.ReLU):
        return {"op": "relu"}
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
        return {"op": "flatten"}
    if isinstance(module, nn.Linear):
        return {"op": "linear", "arrays": _packed({"weight": module.weight, "bias": module.bias})}
    if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
        return {"op": "spatial_mean"}
    raise UnsupportedNetwork(f"the page's engine does not know the layer {module}")


def _computes_weights(module: nn.Module) -> bool:
    """Say whether the hooks before a layer are those of PyTorch's older weight norm or pruning alone."""
    kept = (WeightNorm, SpectralNorm, BasePruningMethod)
    return all(isinstance(hook, kept) for hook in module._forward_pre_hooks.values())


def _conv(module: nn.Conv2d) -> Step:
    (kernel, *_), (stride, *_) = module.kernel_size, module.stride
    padding = module.padding[0]
    plain = (
        module.kernel_size == (kernel, kernel)
        and module.stride == (stride, stride)
        and module.padding == (padding, padding)
        and module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
    )
    if not plain:
        raise UnsupportedNetwork(f"the page's engine does not know the layer {module}")
    arrays = _packed({"weight": module.weight, "bias": module.bias})
    return {"op": "conv", "kernel": kernel, "stride": stride, "padding": padding, "arrays": arrays}


def _packed(arrays: dict[str, Tensor | None]) -> dict[str, Any]:
    return {name: pack_array(values) for name, values in arrays.items() if values is not None}
