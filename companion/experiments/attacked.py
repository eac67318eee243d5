"""Digit networks under attack, those trained against attacks too, and how near their density is."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from companion import data
from companion.attacks import projected_gradient
from companion.experiments import denoising, shelf, studies
from companion.experiments.methods import known
from companion.experiments.presets import SEEDS_WITH_WEIGHTS
from companion.experiments.records import Run

PLACE = ("quick", "mnist5k")
"""The tier and data set of the networks."""
IMAGES = 300
"""How many test images."""
EPS = (0.05, 0.1, 0.15, 0.2)
"""How far a pixel may be moved; it runs from 0 to 1."""
STEPS = 20
FAST = 0.1
"""The size of the fast gradient sign method, whose one step shows what the many are worth."""
SIGMA = 0.1
"""The noise of the denoising yardstick."""
PARTS = ("whole", "free", "centred")
"""The parts of a logit that are asked for the way back from it, see `audit.LogitParts`."""


def measure(run: Run, images: int = IMAGES) -> studies.Row:
    """Attack one network on the first test images, and ask it for the way back from noise.

    Args:
        run: with its weights.
        images: how many.

    Returns:
        method, seed, weights_sha256 and n; `right_<eps>`, the share classified rightly after the projected
        gradient attack, `right_0` without one and `right_fast` after the fast gradient sign method; and
        `left_<part>`, the noise left by a step along the gradient of each of `PARTS`.

    Example:
        >>> run = shelf.find(*PLACE, "baseline", 0)
        >>> row = measure(run, images=5)
        >>> row["right_0"], row["right_0.2"]
        (1.0, 0.0)
    """
    record = run.record
    loaded = data.load(record.dataset)
    x, y = data.to_float(loaded.x_test[:images]), loaded.y_test[:images]
    model = run.model().eval()
    row = {name: getattr(record, name) for name in ("method", "seed", "weights_sha256")}
    row |= {"n": len(x), "right_0": _right(model, x, y)}
    for eps in EPS:
        generator = torch.Generator().manual_seed(record.seed)
        attacked = projected_gradient(model, x, y, eps=eps, steps=STEPS, generator=generator)
        row[f"right_{eps:g}"] = _right(model, attacked, y)
    fast = projected_gradient(model, x, y, eps=FAST, steps=1, step_size=FAST, random_start=False)
    row["right_fast"] = _right(model, fast, y)
    left = denoising.measure(run, images, PARTS, sigmas=[SIGMA])
    return row | {f"left_{found['part']}": found["loss"] for found in left}


def _right(model: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).double().mean().item()


def rows_of(subject: str) -> list[studies.Row]:
    """Measure one network, by its name among the subjects: method and seed.

    Example:
        >>> rows_of("adversarial 0")[0]["method"]  # doctest: +SKIP
        'adversarial'
    """
    method, seed = subject.split(" ")
    return [measure(shelf.find(*PLACE, method, int(seed)))]


def subjects() -> list[str]:
    """Name the networks: every method, and the seeds whose weights are kept.

    Example:
        >>> subjects()[0], subjects()[-1]
        ('baseline 0', 'adversarial 2')
    """
    return [f"{method} {seed}" for method in known() for seed in SEEDS_WITH_WEIGHTS]


def make(*, progress: bool = True) -> Path:
    """Measure every network; go on where an earlier call stopped.

    Example:
        >>> path = make()  # doctest: +SKIP

        It takes a quarter of an hour. The committed table:

        >>> table = studies.read("attacked")
        >>> len(table) == len(subjects())
        True
    """
    return studies.make("attacked", subjects(), rows_of, progress=progress)
