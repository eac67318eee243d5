"""Whether the digits suffice for a finite difference.

f(x+v) - f(x) cancels nearly all its digits, and 2/sigma^2 then multiplies the rounding error. float32 is
enough at the paper's sigma; bfloat16 and float16 are not. TF32 is, from `TF32_SIGMA` upwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from companion._calls import HALF
from companion._support import positive, require_floating

_ADVICE = " Or pass allow_low_precision=True to measure the damage."

TF32_SIGMA = 0.01
"""The sigma from which on TF32 adds nothing to a Taylor estimate's spread that can be seen.

Measured with trained networks on a GPU (chapter 05, `results/paper/cifar100/tf32.csv`): 155.6 in float32 and
155.8 in TF32 at 0.01, but 158 and 745 at 0.001.
"""


def check_sigma(sigma: float) -> float:
    """Return sigma if it is positive and 2 / sigma^2 is a number other than 0.

    Raises:
        ValueError: it is not.

    Example:
        >>> check_sigma(0.01)
        0.01
        >>> check_sigma(1e-200)
        Traceback (most recent call last):
        ...
        ValueError: sigma must be between 1e-150 and 1e150, since 2 / sigma^2 is computed; got 1e-200. ...
    """
    positive("sigma", sigma)
    if not 1e-150 < sigma < 1e150:
        raise ValueError(
            f"sigma must be between 1e-150 and 1e150, since 2 / sigma^2 is computed; got {sigma:g}. "
            "The paper's code has 0.01."
        )
    return sigma


def refuse_lost_sigma(x: Tensor, noise: Tensor, sigma: float) -> None:
    """Raise a ValueError if every x + v is x: the estimate would be exactly 0.

    On a GPU it waits for the numbers.

    Example:
        >>> x, noise = torch.ones(3, dtype=torch.float64), torch.full((3,), 1e-9, dtype=torch.float64)
        >>> refuse_lost_sigma(x, noise, 1e-9)
        >>> refuse_lost_sigma(x.float(), noise.float(), 1e-9)
        Traceback (most recent call last):
        ...
        ValueError: sigma=1e-09 is lost in torch.float32: x + v rounds to x, so that every difference ...
    """
    if x.numel() and bool((x + noise == x).all()):
        raise ValueError(
            f"sigma={sigma:g} is lost in {x.dtype}: x + v rounds to x, so that every difference is 0. Use a "
            f"larger sigma (the paper's code has 0.01), or float64."
        )


def refuse_half(where: str) -> None:
    """Raise the ValueError of a finite difference in half precision; `where` says what has it.

    Example:
        >>> refuse_half("bfloat16")
        Traceback (most recent call last):
        ...
        ValueError: a finite difference loses its digits in bfloat16: f(x+v) - f(x) cancels. ...
    """
    raise ValueError(
        f"a finite difference loses its digits in {where}: f(x+v) - f(x) cancels. "
        "Use float32 or float64 inputs and model." + _ADVICE
    )


def require_full_precision(
    x: Tensor, *, sigma: float | None = None, allow_low_precision: bool = False
) -> None:
    """Refuse a finite difference where its digits are lost.

    Args:
        x: the inputs; their dtype and device decide what matters.
        sigma: of a Taylor estimate; None for a difference that no sigma tells the size of.
        allow_low_precision: whether to go on all the same.

    Raises:
        ValueError: x is not floating point; or it is float16 or bfloat16, autocast is on for its device, or x
            is float32 on CUDA where matrix products or convolutions use TF32 and sigma is below `TF32_SIGMA`.
            The message says what to do.

    Example:
        >>> require_full_precision(torch.rand(1, 3))
        >>> x = torch.rand(1, 3, dtype=torch.bfloat16)
        >>> require_full_precision(x, allow_low_precision=True)
        >>> require_full_precision(x)
        Traceback (most recent call last):
        ...
        ValueError: a finite difference loses its digits in torch.bfloat16: f(x+v) - f(x) cancels. ...
    """
    require_floating(x)
    if allow_low_precision:
        return
    if x.dtype in HALF:
        refuse_half(str(x.dtype))
    advice = _ADVICE
    if torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            "a finite difference loses its digits under autocast: f(x+v) - f(x) cancels. Leave autocast for "
            f"this call: with torch.autocast({x.device.type!r}, enabled=False)." + advice
        )
    if x.is_cuda and x.dtype == torch.float32 and tf32_in_use() and not tf32_suffices(sigma):
        raise ValueError(
            "a finite difference loses its digits in TF32, which this process allows on CUDA (PyTorch's "
            "default for convolutions): f(x+v) - f(x) cancels. Put the call in: with trace.full_precision()."
            + ("" if sigma is None else f" Or use a sigma of at least {TF32_SIGMA:g}; got {sigma:g}.")
            + advice
        )


def tf32_suffices(sigma: float | None) -> bool:
    """Say whether TF32's digits suffice for a Taylor estimate of this sigma; None for no known sigma.

    Example:
        >>> tf32_suffices(0.01), tf32_suffices(0.001), tf32_suffices(None)
        (True, False, False)
    """
    return sigma is not None and sigma >= TF32_SIGMA


def refuse_autocast(x: Tensor, what: str) -> None:
    """Raise a ValueError, with the remedy, if autocast is on for the device of x.

    Example:
        >>> x = torch.rand(1, 3)
        >>> refuse_autocast(x, "the exact trace")
        >>> with torch.autocast("cpu"):
        ...     refuse_autocast(x, "the exact trace")
        Traceback (most recent call last):
        ...
        ValueError: the exact trace does not work under autocast. Leave autocast for this call: ...
    """
    if torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"{what} does not work under autocast. Leave autocast for this call: "
            f"with torch.autocast({x.device.type!r}, enabled=False)."
        )


def tf32_in_use() -> bool:
    """Whether CUDA convolutions or matrix products may use TF32 in this process.

    Example:
        >>> with tensor_float32(True):
        ...     tf32_in_use()
        True
    """
    attribute, _, switches = _switches()
    return any(getattr(switch, attribute) in ("tf32", True) for switch in switches)


def _switches() -> tuple[str, dict[bool, str | bool], tuple[object, object]]:
    """Return the name of the flags, their values for TF32 forbidden and allowed, and what carries them."""
    convolutions = getattr(torch.backends.cudnn, "conv", None)
    if convolutions is None:
        switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
        return "allow_tf32", {False: False, True: True}, switches
    # PyTorch 2.9 and newer: reading the older flags fails once somebody has set the newer ones.
    return "fp32_precision", {False: "ieee", True: "tf32"}, (convolutions, torch.backends.cuda.matmul)


@contextmanager
def tensor_float32(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 inside the block, in convolutions and matrix products; restore it at the end.

    Example:
        >>> before = tf32_in_use()
        >>> with tensor_float32(not before):
        ...     tf32_in_use() == before
        False
        >>> tf32_in_use() == before
        True
    """
    attribute, values, switches = _switches()
    before = [getattr(switch, attribute) for switch in switches]
    try:
        for switch in switches:
            setattr(switch, attribute, values[allowed])
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            setattr(switch, attribute, value)


@contextmanager
def full_precision() -> Iterator[None]:
    """Turn TF32 off inside the block, in convolutions and matrix products, and restore it at the end.

    The backward pass belongs into the block too, where there is one.

    Example:
        >>> with full_precision():
        ...     tf32_in_use()
        False
    """
    with tensor_float32(False):
        yield
