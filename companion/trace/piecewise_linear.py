"""Noticing a model that is linear piece by piece, as ReLU networks are: its Hessian is zero there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from types import TracebackType

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from companion._calls import HALF
from companion._kinks import chooses, compares, has_kink, name_of


class PiecewiseLinearWarning(UserWarning):
    """The Hessian is zero for a reason that more probes cannot mend."""


class ActivationWatch(TorchFunctionMode):
    """Notes what modules and functions call inside the block: activations with kinks, half precision.

    Attributes:
        seen: the names of the functions with kinks.
        half: whether a result was in half precision.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.seen: set[str] = set()
        self.half = False
        self._compared: list[object] = []

    def __enter__(self) -> ActivationWatch:
        """Begin; a transformer's layers are computed as written, not by one function that hides its parts."""
        self._fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        super().__enter__()
        return self

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Collection[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Note the function's name, then call it."""
        given = [*args, *(kwargs or {}).values()]
        if has_kink(func, given[1:]):
            self.seen.add(name_of(func))
        if chooses(func) and any(a is b for a in given for b in self._compared):
            self.seen.add(f"{name_of(func)} of a comparison")
        result = func(*args, **(kwargs or {}))
        if compares(func):
            self._compared.append(result)
        self.half = self.half or (isinstance(result, Tensor) and result.dtype in HALF)
        return result

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Warn of what was seen, unless the block failed."""
        super().__exit__(exc_type, exc_value, traceback)
        torch.backends.mha.set_fastpath_enabled(self._fast)
        self._compared.clear()
        if self.seen and exc_type is None:
            warnings.warn(
                f"the model uses a piecewise-linear activation ({', '.join(sorted(self.seen))}): the Hessian "
                "is zero almost everywhere, or lacks what those layers bend, so its trace says nothing about "
                "the density. Use models.to_softplus(model, beta) for a smooth model.",
                PiecewiseLinearWarning,
                stacklevel=4,
            )


def warn_if_zero(values: Tensor) -> Tensor:
    """Return the values; warn if they are all exactly zero, which no smooth network gives."""
    if values.numel() and not torch.count_nonzero(values.detach()):
        warnings.warn(
            "the Hessian is exactly zero at every sample: f is linear around each of them, as a ReLU network "
            "is almost everywhere. Use models.to_softplus(model, beta) for a smooth model.",
            PiecewiseLinearWarning,
            stacklevel=3,
        )
    return values
