"""What makes any reader's model a fixed, differentiable function of x for the length of a call."""

from __future__ import annotations

import copy
import functools
import sys
import types
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)

HALF = (torch.float16, torch.bfloat16)
_DEPTH = 4  # of functions that call functions that call a module

State = list[tuple[Tensor, int]]

_values_are_known: ContextVar[bool] = ContextVar("_values_are_known", default=False)


@contextmanager
def known_values() -> Iterator[None]:
    """Skip the checks that read a tensor's numbers: for what has been called, and checked, like this before.

    A GPU's queue of work runs dry while the processor waits for a number, and a CUDA graph can hold no wait.
    """
    token = _values_are_known.set(True)
    try:
        yield
    finally:
        _values_are_known.reset(token)


def values_are_known() -> bool:
    """Say whether the checks that read a tensor's numbers are to be skipped."""
    return _values_are_known.get()


def roots_of(model: object, depth: int = _DEPTH) -> list[nn.Module]:
    """Return the model, or the modules that a function calls: its own, its closure's, its globals'."""
    if isinstance(model, nn.Module):
        return [model]
    if depth == 0:
        return []
    held: list[object] = []
    if isinstance(model, functools.partial):
        held = [model.func, *model.args, *model.keywords.values()]
    elif isinstance(model, types.MethodType):
        held = [model.__self__, model.__func__]
    elif isinstance(model, types.FunctionType):
        cells = [cell for cell in model.__closure__ or () if _is_filled(cell)]
        names = [name for name in model.__code__.co_names if name in model.__globals__]
        held = [cell.cell_contents for cell in cells] + [model.__globals__[name] for name in names]
        held += [*(model.__defaults__ or ()), *(model.__kwdefaults__ or {}).values()]
    elif callable(model) and hasattr(model, "__dict__") and not isinstance(model, type):
        held = [*vars(model).values()]
    found = [root for part in held if callable(part) for root in roots_of(part, depth - 1)]
    return list(dict.fromkeys(found))


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


class _Function(nn.Module):
    """A function of x that calls modules, as a module that holds them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.called = function, nn.ModuleList(roots_of(function))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def as_module(model: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a module as it is, and a function as a module that holds those that it calls."""
    return model if isinstance(model, nn.Module) else _Function(model)


def named_modules_in(model: object) -> Iterator[tuple[str, nn.Module]]:
    """Yield the names and the modules of a model, or of those that a function calls."""
    for root in roots_of(model):
        yield from root.named_modules()


def random_state(x: Tensor) -> tuple[bytes, ...]:
    """Return the state of the global random numbers that a model on x's device can draw."""
    if torch._C._functorch.peek_interpreter_stack() is not None:  # pyright: ignore
        return ()  # inside vmap or jvp, where it cannot be read; estimators call f outside of them first
    if values_are_known():
        return ()
    states = [torch.get_rng_state()]
    if x.is_cuda:
        states.append(torch.cuda.get_rng_state(x.device))
    return tuple(state.numpy().tobytes() for state in states)


def refuse_random(model: object, before: tuple[bytes, ...], x: Tensor, *, training_too: bool) -> None:
    """Raise a ValueError if a call drew random numbers; in training mode only where that is asked for."""
    if random_state(x) == before:
        return
    if not training_too and any(module.training for _, module in named_modules_in(model)):
        return
    raise ValueError(
        "the model draws random numbers (functional dropout, stochastic depth, added noise), so each call of "
        "it is another function: a gradient, a difference or a curve would mix several. Call model.eval() "
        "first; where it draws in evaluation mode too, let forward ask self.training before it does."
    )


def state_of(model: object) -> State:
    """Return each parameter and buffer with its version, but for what normalisation layers count."""
    found = []
    for _, module in named_modules_in(model):
        if not isinstance(module, _NormBase):
            values = (*module._parameters.values(), *module._buffers.values())
            found += [(v, v._version) for v in values if v is not None and not v.is_inference()]
    return found


def same_state(before: State, after: State) -> bool:
    """Say whether no parameter and no buffer was written to or replaced."""
    return len(before) == len(after) and all(
        old is new and version == now for (old, version), (new, now) in zip(before, after, strict=True)
    )


def refuse_moving(model: object, before: State, *, advice: str = "Call model.eval() first.") -> None:
    """Raise a ValueError if a call changed the model's parameters or buffers."""
    if not same_state(before, state_of(model)):
        raise ValueError(
            "the model changes its own weights or buffers when it is called (spectral norm in training mode, "
            f"for one), so each call of it is another function. {advice}"
        )


def has_half(model: object) -> bool:
    """Say whether the model has weights in half precision, whatever the type of its inputs."""
    return any(
        p is not None and p.dtype in HALF
        for _, module in named_modules_in(model)
        for p in module._parameters.values()
    )


@contextmanager
def plain_autograd() -> Iterator[None]:
    """Call models as they are written, outside of `torch.inference_mode`.

    Gradients stay off until they are enabled. A compiled model, which gives a gradient without its graph, is
    called as the model inside.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
        if "torch._dynamo" in sys.modules:  # nothing is compiled before it is imported, which takes seconds
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextmanager
def twice_differentiable_kernels() -> Iterator[None]:
    """Compute attention by its formula where a result is differentiated twice, or differences are taken.

    Fused attention has no second derivative; for the rest see `plain_autograd`.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    with plain_autograd(), sdpa_kernel(SDPBackend.MATH):
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(before)


def plain(x: Tensor) -> Tensor:
    """Return x, or a copy that autograd takes if it was made in `torch.inference_mode`."""
    return x.clone() if x.is_inference() else x


def leaf_of(x: Tensor, *, requires_grad: bool = True) -> Tensor:
    """Return a leaf with the values of x: what a gradient is taken with respect to."""
    return plain(x).detach().requires_grad_(requires_grad and x.is_floating_point())


@contextmanager
def explained() -> Iterator[None]:
    """Say in a sentence what PyTorch's refusals of a model mean here.

    Raises:
        ValueError: weights made in inference mode, activation checkpointing, a layer without a second
            derivative.
    """
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        for words, sentence in _MEANINGS.items():
            if words in str(error).lower():
                raise ValueError(sentence) from error
        raise


CHECKPOINTING = (
    "the model saves memory by activation checkpointing, which a gradient of this kind cannot pass. Switch "
    "it off for this call."
)
_ONCE = (
    "the model has a layer that can be differentiated only once, so that its Hessian cannot be computed. "
    "trace.taylor needs function values alone; or write the layer with PyTorch's own functions."
)
_MEANINGS = {
    "inference tensor": (
        "the model's weights were made inside torch.inference_mode(), and no gradient can pass them. "
        "Load or build the model outside of it; torch.no_grad() is enough to save memory."
    ),
    "checkpointing is not compatible": CHECKPOINTING,
    "torch.utils.checkpoint": CHECKPOINTING,
    "saved tensor hooks": CHECKPOINTING,
    "does not require grad": (
        "no gradient leads from the logits back to the images: the model's forward runs under "
        "torch.no_grad(), detaches what it computes, or returns numbers that do not depend on the images. "
        "Take that out, or ask for the gradient of the part before it."
    ),
    "differentiate twice": _ONCE,
    "once_differentiable": _ONCE,
    "setup_context": (
        "the model has a layer with a backward of its own, which the exact trace cannot pass. Use "
        "trace.hutchinson, or trace.taylor, which needs function values alone; or write the layer with "
        "PyTorch's own functions."
    ),
}


def in_checkpoint() -> tuple[bool, object]:
    """Return what activation checkpointing changes while it runs a part of a model."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(False)  # pyright: ignore
    return torch.is_grad_enabled(), hooks


class _CopiedActivations(TorchFunctionMode):
    """Copies a tensor that has a graph without its graph; only leaves can be copied otherwise."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Collection[type],
        args: tuple = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if func is Tensor.__deepcopy__ and args[0].grad_fn is not None:
            tensor, memo = args
            if id(tensor) not in memo:
                memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return func(*args, **(kwargs or {}))


def copied(model: M) -> M:
    """Copy a model with its weights, buffers and modes; what forward kept comes without its graph.

    Of a compiled model it is the model inside that is copied.
    """
    with _CopiedActivations():
        return copy.deepcopy(getattr(model, "_orig_mod", model))
