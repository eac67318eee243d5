"""The functions of PyTorch whose graph has kinks or steps: the one list for watching and for replacing.

Pooling by the maximum is not among them: it chooses a pixel, and what follows bends it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, fx, nn

_NAMES = {
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "hardtanh", "threshold", "hardshrink", "softshrink",
    "hardsigmoid", "hardswish", "clamp", "clip", "clamp_min", "clamp_max", "maximum", "minimum", "fmax",
    "fmin", "abs", "absolute", "sign", "sgn", "heaviside", "round", "floor", "ceil", "trunc", "fix", "frac",
}  # fmt: skip
_OF_TWO = ("max", "min")  # of two tensors; of one they choose, as pooling does
_COMPARISONS = ("gt", "ge", "lt", "le", "greater", "greater_equal", "less", "less_equal")
_CHOOSING = ("where", "mul", "imul", "rmul", "multiply", "masked_fill")

MODULES = (
    nn.PReLU, nn.RReLU, nn.Threshold, nn.Hardshrink, nn.Softshrink, nn.Hardsigmoid, nn.Hardswish,
)  # fmt: skip
"""Layers with kinks that have no smooth version here."""


def name_of(function: object) -> str:
    """Return a function's or a method's plain name: of `F.hardtanh_`, `Tensor.__abs__` and "relu_" alike."""
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    return name.strip("_")


def has_kink(function: object, others: Sequence[object] = ()) -> bool:
    """Say whether a function bends or jumps; `others` are its arguments after the first."""
    name = name_of(function)
    return name in _NAMES or (name in _OF_TWO and any(isinstance(a, Tensor | fx.Node) for a in others))


def compares(function: object) -> bool:
    """Say whether a function compares numbers."""
    return name_of(function) in _COMPARISONS


def chooses(function: object) -> bool:
    """Say whether a function makes a kink of a comparison: `x * (x > 0)`, `torch.where(x > 0, x, 0)`."""
    return name_of(function) in _CHOOSING


def kinks_called(graph: fx.Graph) -> list[str]:
    """Return the names of the functions with kinks that a traced forward calls."""
    found = set()
    for node in graph.nodes:
        if node.op not in ("call_function", "call_method"):
            continue
        others = [*node.args[1:], *node.kwargs.values()]
        if has_kink(node.target, others):
            found.add(name_of(node.target))
        compared = [a for a in node.all_input_nodes if a.op.startswith("call_") and compares(a.target)]
        if chooses(node.target) and compared:
            found.add(f"{name_of(node.target)} of a comparison")
    return sorted(found)


def kinks_held(model: nn.Module) -> list[str]:
    """Return the functions with kinks that layers hold, as a transformer's layer holds its activation."""
    found = set()
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if callable(value) and not isinstance(value, nn.Module | type) and has_kink(value):
                found.add(f"{name_of(value)} ({name + '.' if name else ''}{attribute})")
        if isinstance(module, nn.RNN | nn.RNNCell) and module.nonlinearity == "relu":
            found.add(f"relu ({name or type(module).__name__})")
    return sorted(found)
