"""Weights on disk: safetensors, float16 by default, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as _parse
from safetensors.torch import save as _serialise
from torch import Tensor, nn

from companion._calls import copied

M = TypeVar("M", bound=nn.Module)


class WeightsError(ValueError):
    """A file of weights that is missing, damaged or made for another network."""


def round_to_half(model: M) -> M:
    """Copy a model with every parameter and buffer rounded to what float16 stores, in its own dtype still.

    Metrics computed on the copy are those of the weights that `save_weights` writes.

    Args:
        model: any module; it is not changed.

    Returns:
        The copy; the modes of its modules are kept.

    Raises:
        WeightsError: a value is too large for float16.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> bool(round_to_half(layer).weight.half() == layer.weight.half())
        True
    """
    rounded = copied(model)
    with torch.no_grad():
        for name, value in rounded.state_dict().items():
            value.copy_(_cast(name, value, torch.float16))
    return rounded


def _cast(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value
    small = value.to(dtype)
    if not torch.equal(small.isfinite(), value.isfinite()):
        raise WeightsError(
            f"{name} holds {value.abs().max():.3g}, more than {dtype} can ({torch.finfo(dtype).max:.3g}); "
            "save with dtype=torch.float32"
        )
    return small


def save_weights(model: nn.Module, path: str | Path, dtype: torch.dtype = torch.float16) -> str:
    """Write a model's parameters and buffers as safetensors; the file appears whole or not at all.

    Args:
        model: any module; it is not changed. Its floating-point values are rounded to `dtype`, integers kept.
        path: the file; its folder is made if needed. A former file of that name is replaced.
        dtype: a floating-point type of torch.

    Returns:
        The SHA-256 of the file, 64 hexadecimal digits.

    Raises:
        WeightsError: a value is too large for `dtype`.
        ValueError: `dtype` is no floating-point type.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(save_weights(nn.Linear(2, 2), Path(folder) / "weights.safetensors"))
        64
    """
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type such as torch.float16; got {dtype}")
    state = {
        name: _cast(name, value.detach(), dtype).cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }
    content = _serialise(state)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return sha256(content).hexdigest()


def load_weights(model: M, path: str | Path) -> M:
    """Read what `save_weights` wrote into a model of the same structure.

    Args:
        model: the module that takes the values, in its own dtype and on its own device; changed only when
            the whole file fits it.
        path: the safetensors file.

    Returns:
        The same model.

    Raises:
        WeightsError: no such file, a damaged or half-written one, or names or shapes of another network.

    Example:
        >>> import tempfile
        >>> layer = nn.Linear(2, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = save_weights(layer, Path(folder) / "weights.safetensors")
        ...     load_weights(layer, Path(folder) / "weights.safetensors")
        Linear(in_features=2, out_features=2, bias=True)
    """
    path = Path(path)
    try:
        stored = _parse(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"cannot read weights from {path}: {error.strerror}") from error
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is damaged or not a safetensors file ({error}); delete it and train or copy it again"
        ) from error
    state = model.state_dict()
    wrong = [f"{name} is missing in the file" for name in state if name not in stored]
    wrong += [f"{name} is unknown to the model" for name in stored if name not in state]
    wrong += [
        f"{name} has shape {tuple(stored[name].shape)} in the file, {tuple(state[name].shape)} in the model"
        for name in state
        if name in stored and stored[name].shape != state[name].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise WeightsError(
            f"{path} was made for another network than this {type(model).__name__}: "
            f"{'; '.join(wrong[:3])}{more}. Build the model with the settings of the run's record."
        )
    model.load_state_dict(stored)
    return model
