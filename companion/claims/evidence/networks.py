"""What the claims need from the trained networks themselves: robustness, confidence, time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from companion import data, trace
from companion._support import choose
from companion.attacks import projected_gradient
from companion.claims.evidence.records import Shelf
from companion.claims.rule import ImagesMissing, NotYetRun
from companion.experiments import presets, settings
from companion.experiments.records import Run
from companion.experiments.shelf import find_all, load
from companion.gradients import loss_gradient
from companion.metrics.intervals import Interval, wilson

IMAGES = {"tiny": 20, "quick": 200, "small": 200, "paper": 200}
"""Test images for the attack and for the loss-gradients, by tier."""
REPETITIONS = {"tiny": 2, "quick": 15, "small": 15, "paper": 15}
ATTACK = {"mnist5k": 0.1, "cifar10": 2 / 255, "cifar100": 2 / 255}
"""Size of the one-step attack in the largest norm: customary for these data, fixed before any was run."""
CONFIDENT = 0.99
"""A sample counts as confident if its label's probability is at least this."""
RIPPLE = (0.01, 1.0)
"""Amplitude and frequency of the noise added to the loss: an amplitude that nobody would see, a small m."""


@cache
def images_of(dataset: str) -> data.ImageData:
    """Return a data set, read once; nothing is downloaded for a table.

    Raises:
        ImagesMissing: it is not on this machine.
    """
    root = Path(os.environ.get("COMPANION_DATA") or "data").expanduser()
    folders = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
    if dataset in folders and not any((root / n).exists() for n in (f"{dataset}.npz", folders[dataset])):
        raise ImagesMissing(f'python -c "from companion import data; data.load({dataset!r})"')
    return data.load(dataset)


def first_images(dataset: str, count: int) -> tuple[Tensor, Tensor]:
    """Return the first test images, in [0, 1], and their classes; the test split's order is random."""
    images = images_of(dataset)
    return data.to_float(images.x_test[:count]), images.y_test[:count]


def with_weights(shelf: Shelf, name: str) -> list[Run]:
    """Return the runs of one name whose weights lie here.

    Raises:
        NotYetRun: none does.
    """
    found = [run for run in shelf.runs(name) if (run.directory / "weights.safetensors").exists()]
    if not found:
        raise NotYetRun(shelf.command(name))
    return found


def subject(shelf: Shelf, count: int = 8) -> tuple[nn.Module, Tensor, Tensor, Run | None]:
    """Return the network that identities are checked on, in float64, with images and classes.

    It is the MNIST baseline of the shelf's seed at every tier, since an identity does not depend on data;
    without a trained one, the network as it is initialised, which must obey them too.
    """
    tier = "tiny" if shelf.tier == "tiny" else "quick"
    x, y = first_images("mnist5k", count)
    found = [
        run
        for run in find_all(tier, "mnist5k", "baseline", shelf.places)
        if (run.directory / "weights.safetensors").exists()
    ]
    found.sort(key=lambda run: run.record.seed != shelf.seed)
    run = found[0] if found else None
    model = (
        run.model()
        if run
        else settings.build_network(presets.preset(tier, "mnist5k", "baseline", shelf.seed))
    )
    return model.double().eval(), x.double(), y, run


def attacked_accuracy(run: Run) -> Interval:
    """Return a run's accuracy under one step of the fast gradient sign method, with its Wilson interval.

    Goodfellow et al. (2015): x + eps sign(grad loss), clamped to [0, 1], eps being `ATTACK`.
    """
    return _attacked_accuracy(run.directory, run.record.weights_sha256)


@cache
def _attacked_accuracy(directory: Path, weights_sha256: str) -> Interval:
    """Compute it once for the same weights."""
    run = load(directory)
    x, y = first_images(run.record.dataset, IMAGES[choose("tier", run.record.tier, tuple(IMAGES))])
    model = run.model()
    moved = attack(model, x, y, ATTACK[run.record.dataset])
    with torch.no_grad():
        right = (model(moved).argmax(dim=1) == y).sum()
    return wilson(int(right), len(y))


def attack(model: nn.Module, x: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """Move each image by epsilon along the sign of its loss-gradient, within [0, 1]; (B, ...) -> (B, ...)."""
    return projected_gradient(model, x, y, eps=epsilon, steps=1, step_size=epsilon, random_start=False)


def loss_gradients_by_confidence(run: Run) -> dict[str, float]:
    """Return what appendix A.1 says of confident samples, measured on one run's test images.

    The noise is a ripple, eps sin(m sum_d x_d) with `RIPPLE`: a sample is drowned if what the ripple adds to
    its loss-gradient has a larger l1 norm than the gradient. A classifier can have the ripple in a logit,
    here in the label's; the printed ripple is added to the loss itself, which no classifier does.

    Returns:
        `loss_confident`, `loss_others`, `gradient_confident`, `gradient_others`: means, of the loss and of
        the l1 norm of its gradient; `drowned`, `drowned_as_printed`: shares of the confident samples;
        `confident`: the share of confident samples. Means over no sample are nan.
    """
    x, y = first_images(run.record.dataset, IMAGES[run.record.tier])
    model = run.model()
    with torch.no_grad():
        loss = functional.cross_entropy(model(x), y, reduction="none")
    gradient = loss_gradient(model, x, y)
    norm = gradient.abs().flatten(1).sum(dim=1)
    epsilon, m = RIPPLE
    printed = epsilon * m * x[0].numel() * (m * x.double().flatten(1).sum(dim=1)).cos().abs()
    leaf = x.clone().requires_grad_()
    logits = model(leaf)
    ripple = epsilon * (m * leaf.double().flatten(1).sum(dim=1)).sin()
    rippled = logits + functional.one_hot(y, logits.shape[1]) * ripple[:, None].to(logits)
    (moved,) = torch.autograd.grad(functional.cross_entropy(rippled, y, reduction="sum"), leaf)
    noise = (moved - gradient).abs().flatten(1).sum(dim=1)
    sure = (-loss).exp() >= CONFIDENT
    return {
        "loss_confident": float(loss[sure].mean()),
        "loss_others": float(loss[~sure].mean()),
        "gradient_confident": float(norm[sure].mean()),
        "gradient_others": float(norm[~sure].mean()),
        "drowned": float((noise > norm)[sure].double().mean()),
        "drowned_as_printed": float((printed > norm)[sure].double().mean()),
        "confident": float(sure.double().mean()),
    }


def cost_ratios(model: nn.Module, x: Tensor, y: Tensor, repetitions: int) -> dict[str, Tensor]:
    """Time one Hutchinson sample against one Taylor sample, in turns, on the same images.

    Both times include the forward pass of x that the two share.

    Returns: Logarithms of the ratio Hutchinson / Taylor, (repetitions,), for the `estimate` alone and for an
        estimate with its `derivative` with respect to the parameters, as training needs it.
    """
    generator = torch.Generator().manual_seed(0)
    f = trace.logit(model, y)

    def taylor() -> Tensor:
        return trace.taylor(f, x, sigma=0.01, generator=generator)

    def hutchinson() -> Tensor:
        return trace.hutchinson(f, x, generator=generator)

    def derivative(estimate: Callable[[], Tensor]) -> None:
        torch.autograd.grad(estimate().mean(), list(model.parameters()), allow_unused=True)

    ratios: dict[str, list[Tensor]] = {"estimate": [], "derivative": []}
    for _ in range(repetitions + 1):
        with torch.no_grad():
            ratios["estimate"].append(_seconds(hutchinson).log() - _seconds(taylor).log())
        ratios["derivative"].append(
            _seconds(lambda: derivative(hutchinson)).log() - _seconds(lambda: derivative(taylor)).log()
        )
    return {name: torch.stack(values[1:]) for name, values in ratios.items()}  # The first turn warms up.


def _seconds(action: Callable[[], object]) -> Tensor:
    started = time.perf_counter()
    action()
    return torch.tensor(max(time.perf_counter() - started, 1e-9), dtype=torch.float64)
