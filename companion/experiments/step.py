"""One step of training on eq. 4: cross-entropy plus one penalty, and the arithmetic that it is done in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from companion._calls import known_values
from companion.experiments.augmentation import crop_and_flip
from companion.experiments.checkpoint import State
from companion.experiments.cuda_graph import Batch, Captured
from companion.experiments.settings import Settings
from companion.trace.precision import tensor_float32, tf32_suffices


def training_step(
    settings: Settings, state: State, x: Tensor, y: Tensor, *, gradients: Batch | None = None
) -> dict[str, Tensor]:
    """Take one step of SGD; return the batch's mean loss, terms and accuracy.

    They stay on the device, so that the next step need not wait for them. The first step checks labels and
    model value by value; the others are like it, and do not. `gradients` computes what `batch_gradients`
    does, where that has been recorded as a CUDA graph.
    """
    with known_values() if state.checked else nullcontext():
        means = batch_gradients(settings, state, x, y) if gradients is None else gradients(x, y)
    state.optimizer.step()
    state.schedule.step()
    state.checked = True
    return means


def batch_gradients(settings: Settings, state: State, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Compute the gradients of a batch's loss; return its mean loss, terms and accuracy."""
    model, loss = state.model.train(), settings.loss()
    if settings.augment:
        x = crop_and_flip(x, state.generator)
    if settings.input_noise > 0:
        noise = torch.randn(x.shape, generator=state.generator, device=x.device)
        x = x + settings.input_noise * noise
    half = settings.precision == "bfloat16"
    with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        if loss is None:
            logits, shown = model(x), {}
        else:
            terms = loss.terms(model, x, y, generator=state.generator)
            logits = terms.logits
            shown = {
                "penalty": terms.penalty,
                "trace": terms.trace,
                "squared_norm": terms.squared_gradient_norm,
            }
    objective = cross_entropy = F.cross_entropy(logits.float(), y)
    if loss is not None:
        objective = cross_entropy + shown["penalty"].mean()
    state.optimizer.zero_grad(set_to_none=True)
    objective.backward()
    means = {"loss": cross_entropy.detach()}
    for name, value in shown.items():
        if value is not None:
            means[name] = value.detach().mean()
    means["accuracy"] = (logits.detach().argmax(1) == y).float().mean()
    return means


def captured(settings: Settings, state: State, device: torch.device) -> Batch:
    """Return `batch_gradients` of a run, to be recorded as a CUDA graph at its first calls.

    Raises:
        ValueError: the device has no such graphs.
    """
    return Captured(partial(batch_gradients, settings, state), state.generator, device)


@contextmanager
def numerics(settings: Settings, device: torch.device) -> Iterator[None]:
    """No denormals, which slow a collapsing network many times; on a GPU the fastest kernels, and TF32.

    TF32 is not used where digits cancel.
    """
    tuned = torch.backends.cudnn.benchmark
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = True
    try:
        with tensor_float32(uses_tf32(settings, device)):
            yield
    finally:
        torch.backends.cudnn.benchmark = tuned
        torch.set_flush_denormal(False)


def uses_tf32(settings: Settings, device: torch.device) -> bool:
    """Say whether a training computes with TF32: on a GPU, unless differences cancel at a small sigma."""
    loss = settings.loss()
    return device.type == "cuda" and (loss is None or not loss.has_differences or tf32_suffices(loss.sigma))
