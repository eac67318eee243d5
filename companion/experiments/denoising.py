"""The denoising yardstick on every network whose weights are here, for a whole logit and for its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from companion import data, metrics
from companion.audit.split import parts_of
from companion.experiments import shelf, studies
from companion.experiments.known_density import SIGMAS
from companion.experiments.methods import METHODS
from companion.experiments.presets import DATASETS, SEEDS
from companion.experiments.records import Run

IMAGES: Mapping[str, int] = {"tiny": 20, "quick": 500, "small": 500, "paper": 200}
"""How many test images each tier's networks are measured on."""


PARTS = ("whole", "own", "others", "free", "centred")
"""A logit; its three parts; and the first two of them together: see `audit.LogitParts`."""


class Part(nn.Module):
    """A network whose logits are replaced by one of their parts."""

    def __init__(self, model: nn.Module, part: str) -> None:
        """Keep the network and the name of the part, one of `PARTS`."""
        super().__init__()
        self.model = model
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """Return the part of each logit: (B, ...) to (B, C)."""
        return getattr(parts_of(self.model(x)), self.part)


def measure(
    run: Run, images: int, parts: Iterable[str] = PARTS, sigmas: Sequence[float] = SIGMAS
) -> list[studies.Row]:
    """Measure one run on the first test images: a row for each part of the logit and each noise level.

    Args:
        run: with its weights.
        images: how many.
        parts: which of `PARTS`.
        sigmas: the noise levels.

    Returns:
        Rows with tier, dataset, method, seed, weights_sha256, part, and the columns of
        `DenoisingAlignment.to_frame`.

    Example:
        >>> run = shelf.find("quick", "mnist5k", "baseline", 0)
        >>> rows = measure(run, images=2, parts=["whole"])
        >>> [row["sigma"] for row in rows] == list(SIGMAS), rows[0]["part"], rows[0]["n"]
        (True, 'whole', 2)
    """
    record = run.record
    loaded = data.load(record.dataset)
    x, y = data.to_float(loaded.x_test[:images]), loaded.y_test[:images]
    model = run.model()
    rows = []
    for part in parts:
        found = metrics.denoising_alignment(
            model if part == "whole" else Part(model, part),
            x,
            y,
            sigmas=sigmas,
            generator=torch.Generator().manual_seed(record.seed),
            batch_size=50,
        )
        about = {name: getattr(record, name) for name in ("tier", "dataset", "method", "seed")}
        about |= {"weights_sha256": record.weights_sha256, "part": part}
        rows += [about | row for row in found.to_frame().to_dict("records")]
    return rows


def rows_of(subject: str) -> list[studies.Row]:
    """Measure one run, by its name among the subjects: tier, data set, method and seed.

    Example:
        >>> len(rows_of("quick mnist5k baseline 0")) == len(PARTS) * len(SIGMAS)  # doctest: +SKIP
        True
    """
    tier, dataset, method, seed = subject.split(" ")
    return measure(shelf.find(tier, dataset, method, int(seed)), IMAGES[tier])


def subjects() -> list[str]:
    """Name the four models' runs of the larger tiers, of every seed whose weights are here.

    Example:
        >>> [subject for subject in subjects() if subject.startswith("quick mnist5k baseline")]
        ['quick mnist5k baseline 0', 'quick mnist5k baseline 1', 'quick mnist5k baseline 2']
    """
    return [
        f"{tier} {dataset} {method} {seed}"
        for tier in ("quick", "small", "paper")
        for dataset in DATASETS[tier]
        for seed in SEEDS[tier][dataset]
        for method in METHODS
        if _has_weights(tier, dataset, method, seed)
    ]


def _has_weights(tier: str, dataset: str, method: str, seed: int) -> bool:
    runs = shelf.find_all(tier, dataset, method)
    return any(r.record.seed == seed and (r.directory / "weights.safetensors").exists() for r in runs)


def make(*, progress: bool = True) -> Path:
    """Measure every network; go on where an earlier call stopped.

    Example:
        >>> path = make()  # doctest: +SKIP

        It takes half an hour. The committed table:

        >>> table = studies.read("denoising")
        >>> set(table["part"]) == set(PARTS), set(table["sigma"]) == set(SIGMAS)
        (True, True)
    """
    return studies.make("denoising", subjects(), rows_of, progress=progress)
