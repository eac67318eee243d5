"""Noticing a model that is linear piece by piece, as ReLU networks are: its Hessian is zero there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from types import TracebackType

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_PIECEWISE_LINEAR = {
    "relu",
    "relu_",
    "relu6",
    "leaky_relu",
    "leaky_relu_",
    "prelu",
    "rrelu",
    "rrelu_",
    "hardtanh",
    "hardtanh_",
    "threshold",
    "threshold_",
}


class PiecewiseLinearWarning(UserWarning):
    """The Hessian is zero for a reason that more probes cannot mend."""


class ActivationWatch(TorchFunctionMode):
    """Notes which piecewise-linear activations are called inside the block, as modules or as functions."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.seen: set[str] = set()

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Collection[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Note the function's name, then call it."""
        name = getattr(func, "__name__", "")
        if name in _PIECEWISE_LINEAR:
            self.seen.add(name.rstrip("_"))
        return func(*args, **(kwargs or {}))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Warn of what was seen, unless the block failed."""
        super().__exit__(exc_type, exc_value, traceback)
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
