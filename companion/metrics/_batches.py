"""Rows in batches, for metrics whose result must not depend on the batch size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from companion._support import Target, at_least, logits_of, resolve_target


def row_batches(x: Tensor, batch_size: int) -> Iterator[slice]:
    """Yield slices of at most `batch_size` rows that cover x in order; a ValueError if x has no rows."""
    batch_size = at_least("batch_size", batch_size, 1)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"x must be a batch (B, ...) of at least one input; got shape {tuple(x.shape)}")
    for start in range(0, len(x), batch_size):
        yield slice(start, min(start + batch_size, len(x)))


@torch.no_grad()
def logits_in_batches(model: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    """Return the (B, C) logits of x as float64, computed `batch_size` rows at a time, without a graph."""
    return torch.cat([logits_of(model, x[rows]).double() for rows in row_batches(x, batch_size)])


def target_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Return each row's logit of its own class: (B, C) and (B,) to (B,)."""
    return logits.gather(1, target[:, None]).squeeze(1)


@torch.no_grad()
def targets_in_batches(model: nn.Module, x: Tensor, target: Target, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return the classes (B,) and the logits (B, C) that they were checked against."""
    logits = logits_in_batches(model, x, batch_size)
    return resolve_target(target, logits), logits


def checked_levels(name: str, levels: Sequence[float] | Tensor, *, maximum: float | None = None) -> Tensor:
    """Return levels as a float64 vector on the CPU: not empty, finite, from 0 to maximum."""
    values = torch.as_tensor(levels, dtype=torch.float64).detach().cpu()
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must be a non-empty sequence of numbers; got shape {tuple(values.shape)}")
    upper = float("inf") if maximum is None else maximum
    if not bool((values.isfinite() & (values >= 0) & (values <= upper)).all()):
        allowed = "at least 0 and finite" if maximum is None else f"between 0 and {maximum:g}"
        raise ValueError(f"every one of {name} must be {allowed}; got {values.tolist()}")
    return values
