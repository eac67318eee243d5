"""The settings of the book's networks: which tiers there are, and what each trains.

`PRESETS` holds the constants of the book's networks, candidates of a search on validation data (chapter 17
shows it, with the rule that chooses); `PAPER` holds the constants that the paper prints.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from companion._support import choose
from companion.experiments.methods import METHODS, known
from companion.experiments.settings import JUDGE_SEED, TIERS, Settings

DATASETS = {
    "tiny": ("mnist5k",),
    "quick": ("mnist5k",),
    "small": ("cifar100", "cifar10"),
    "paper": ("cifar100", "cifar10"),
}
SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    # Narrower networks crash PyTorch on processors without AVX-512: oneDNN's weight gradient of the 1 x 1
    # convolution of stride 2, channels last, with fewer than 8 channels.
    "tiny": {"epochs": 1, "width": 8, "train_size": 256},
    "quick": {"epochs": 6},
    "small": {"epochs": 12, "batch_size": 128, "learning_rate": 0.2, "augment": True},
    "paper": {"network": "resnet18", "width": 64, "epochs": 10, "batch_size": 128, "augment": True},
}
JUDGE_WIDTHS = {"small": 12}
"""Where the judges are narrower than their tier's networks, so that their weights stay below 1 MB."""
PAPER: Mapping[str, Mapping[str, Any]] = {name: method.paper for name, method in METHODS.items()}
"""The constants of section 5. They can stop a small network from learning: chapter 17 shows it."""

_SMALL_SCORE_MATCHING = {
    "weight": 1e-3,
    "mu": 1e-1,
    "sigma": 0.03,
    "variant": "central",
    "norm": "pair",
    "batch_norm": "joint",
}
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "quick": {
        "baseline": {},
        "score_matching": {
            "weight": 1e-3,
            "mu": 1e-1,
            "variant": "central",
            "norm": "pair",
            "batch_norm": "joint",
        },
        "anti_score_matching": {"weight": 1e-4, "tau": 1000.0, "variant": "forward", "batch_norm": "joint"},
        "gradient_norm": {"weight": 3e-2},
        "adversarial": {"weight": 1.0, "eps": 0.1, "steps": 3},
    },
    "small": {
        "baseline": {},
        "score_matching": _SMALL_SCORE_MATCHING,
        "anti_score_matching": {"weight": 1e-4, "tau": 1000.0, "variant": "forward", "batch_norm": "joint"},
        "gradient_norm": {"weight": 1e-1},
    },
    "paper": {
        "baseline": {},
        "score_matching": _SMALL_SCORE_MATCHING,
        "anti_score_matching": {**PAPER["anti_score_matching"], "variant": "forward", "batch_norm": "joint"},
        "gradient_norm": PAPER["gradient_norm"],
    },
}
"""The constants of each tier's networks; a tier without an entry has the quick tier's, a method the paper's.

Those of the quick and the small tier are candidates of `SEARCH`, chosen on the tier's validation split. The
paper tier has the paper's own where they train, and for score-matching, which diverges with them
(`series.PRINTED`), the small tier's.
"""

SEEDS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "tiny": {"mnist5k": (0,)},
    "quick": {"mnist5k": tuple(range(12))},
    "small": {"cifar100": (0, 1, 2), "cifar10": (0,)},
    "paper": {"cifar100": (0, 1, 2), "cifar10": (0,)},
}
"""How often the four models are trained."""
KIN_SEEDS = range(6)
"""How often a network of each of `methods.KIN` is trained at the quick tier."""
SEEDS_WITH_WEIGHTS = (0, 1, 2)
"""The seeds whose weights and pictures are committed; of the others their records and tables are."""


def preset(tier: str, dataset: str, method: str, seed: int | None = None, **changes: Any) -> Settings:  # noqa: ANN401
    """Return the book's settings of one method at one tier, with some of them changed.

    Args:
        tier: `quick`, `small`, `paper` (or `tiny`, for tests).
        dataset: one of the tier's, see `DATASETS`.
        method: `baseline`, `score_matching`, `anti_score_matching`, `gradient_norm`,
            `adversarial` or `judge`, the independent network of the GAN-test.
        seed: the run's seed; None for 0, or for `settings.JUDGE_SEED` where the method is `judge`.
        changes: any fields of `Settings`.

    Raises:
        ValueError: an unknown tier, data set, method or setting; the known ones are listed.

    Example:
        >>> preset("quick", "mnist5k", "gradient_norm", epochs=3).epochs
        3
    """
    choose("tier", tier, TIERS)
    choose("dataset", dataset, DATASETS[tier])
    choose("method", method, (*known(), "judge"))
    if seed is None:
        seed = JUDGE_SEED if method == "judge" else 0
    values: dict[str, Any] = {"tier": tier, "dataset": dataset, "seed": seed, **SCHEDULES[tier]}
    if method == "judge":
        values |= {
            "method": "baseline",
            "name": "judge",
            "role": "judge",
            "network": "resnet18",
            "width": JUDGE_WIDTHS.get(tier, values.get("width", 16)),
        }
    else:
        values |= {
            "method": method,
            "penalty": PRESETS.get(tier, PRESETS["quick"]).get(method, known()[method].paper),
        }
    return Settings.from_dict({**values, **changes})


def command(settings: Settings) -> str:
    """Return the command that trains a run: its method's preset, and each setting that differs from it.

    Example:
        >>> command(preset("quick", "mnist5k", "gradient_norm", 1, name="short", epochs=3))
        'companion train --tier quick --dataset mnist5k --method gradient_norm --seed 1 --set name=short --set
        epochs=3'
    """
    method = "judge" if settings.role == "judge" else settings.method
    usual = preset(settings.tier, settings.dataset, method, settings.seed)
    words = ["companion", "train", "--tier", settings.tier, "--dataset", settings.dataset]
    words += ["--method", method, "--seed", str(settings.seed)]
    for name, value in asdict(settings).items():
        old = getattr(usual, name)
        if name == "penalty" and value.keys() >= old.keys():
            changed = {option: v for option, v in value.items() if v != old.get(option)}
            for option, v in changed.items():
                text = v if isinstance(v, str) else "inf" if v == math.inf else json.dumps(v)
                words += ["--set", f"penalty.{option}={text}"]
        elif value != old:
            words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
