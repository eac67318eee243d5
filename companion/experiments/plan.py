"""Which runs have to be made on this machine before the chapters of one tier can be executed."""

from __future__ import annotations

from companion._support import choose
from companion.experiments import shelf
from companion.experiments.methods import METHODS
from companion.experiments.presets import DATASETS, preset
from companion.experiments.series import committed_plan
from companion.experiments.settings import TIERS, Settings

LIVE = "score_matching"
"""The one method whose network is always trained here at the quick tier; chapter 07 shows its training."""


def plan(tier: str, dataset: str | None = None, seed: int = 0, fresh: bool = False) -> list[Settings]:
    """Return the runs to be trained here; all others come from committed records and weights.

    At the quick tier that is one network of the given seed, and what the seed lacks of the four models; at
    the larger tiers only what has no committed weights.

    Args:
        tier: which tier.
        dataset: one data set; all of the tier's if None.
        seed: the seed of the four models.
        fresh: train everything, the committed records' runs too.
    """
    choose("tier", tier, TIERS)
    datasets = DATASETS[tier] if dataset is None else (choose("dataset", dataset, DATASETS[tier]),)
    models = [preset(tier, name, method, seed) for name in datasets for method in METHODS]
    if fresh:
        return models + [s for s in committed_plan(tier) if s.dataset in datasets and s not in models]
    judges = [preset(tier, name, "judge") for name in datasets]
    return [s for s in models + judges if not _is_committed(s) or (tier, s.name) == ("quick", LIVE)]


def _is_committed(settings: Settings) -> bool:
    return (shelf.committed_directory(settings) / "weights.safetensors").exists()
