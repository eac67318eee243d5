"""The experiments: which runs each tier has, and their settings.

`PRESETS` holds the constants of the book's networks, candidates of a search on validation data (chapter 07
shows it, with the rule that chooses); `PAPER` holds the constants that the paper prints. The quick
tier's names are also its folders' names below `results/quick/mnist5k/`.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from companion import runs
from companion._support import choose
from companion.runs import METHODS, TIERS, Settings

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
    "paper": {
        "network": "resnet18",
        "width": 64,
        "epochs": 200,
        "batch_size": 128,
        "schedule": "step",
        "augment": True,
    },
}
JUDGE_WIDTHS = {"small": 12}
"""Where the judges are narrower than their tier's networks, so that their weights stay below 1 MB."""
PAPER: Mapping[str, Mapping[str, Any]] = {
    "baseline": {},
    "score_matching": {"weight": 1e-3, "mu": 1e-4},
    "anti_score_matching": {"weight": 1e-4, "tau": 1000.0},
    "gradient_norm": {"weight": 1e-3},
}
"""The constants of section 5. They can stop a small network from learning: chapter 07 shows it."""

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
    },
    "small": {
        "baseline": {},
        "score_matching": {
            "weight": 1e-3,
            "mu": 1e-1,
            "sigma": 0.03,
            "variant": "central",
            "norm": "pair",
            "batch_norm": "joint",
        },
        "anti_score_matching": {"weight": 1e-4, "tau": 1000.0, "variant": "forward", "batch_norm": "joint"},
        "gradient_norm": {"weight": 1e-1},
    },
    "paper": PAPER,
}
"""The constants of each tier's networks; a tier without an entry has the quick tier's.

They are candidates of `SEARCH`, chosen on the tier's validation split; the paper tier has the paper's own.
Chapter 07 shows the rule, and whether each of them is still what it chooses.
"""

SEEDS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "tiny": {"mnist5k": (0,)},
    "quick": {"mnist5k": (0, 1, 2)},
    "small": {"cifar100": (0, 1, 2), "cifar10": (0,)},
    "paper": {"cifar100": (0, 1, 2), "cifar10": (0,)},
}
"""How often the four models are trained."""
SWEEP_WEIGHTS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SWEEP_MUS = (1e-2, 1e-3, 1e-4, 1e-5)
SWEEP: Mapping[str, Mapping[str, Any]] = {
    f"sweep-weight{weight:.0e}-mu{mu:.0e}": {"penalty": {"weight": weight, "mu": mu}}
    for weight, mu in product(SWEEP_WEIGHTS, SWEEP_MUS)
}
"""What Table 2's runs change in score-matching's preset."""
SWEEP_SIZES: Mapping[str, Mapping[str, Any]] = {
    "quick": {"width": 8, "epochs": 2},
    "small": {"epochs": 5},
}
"""The size of Table 2's runs, where it is not the tier's own."""
COLLAPSE: Mapping[str, Mapping[str, Any]] = {
    "collapse-naive": {"penalty": {"weight": 1e-2, "mu": math.inf}},
    "collapse-noise": {"penalty": {"weight": 1e-2, "mu": math.inf}, "input_noise": 0.1},
    "collapse-stable": {"penalty": {"weight": 1e-2, "mu": 1e-1}},
}
"""What chapter 06's runs change in it: with and without the stability term and input noise."""
COLLAPSE_SIZES: Mapping[str, Mapping[str, Any]] = {"quick": {"width": 8, "epochs": 4}}
"""The size of chapter 06's runs, where it is not the tier's own."""


def preset(tier: str, dataset: str, method: str, seed: int | None = None, **changes: Any) -> Settings:  # noqa: ANN401
    """Return the book's settings of one method at one tier, with some of them changed.

    Args:
        tier: `quick`, `small`, `paper` (or `tiny`, for tests).
        dataset: one of the tier's, see `DATASETS`.
        method: `baseline`, `score_matching`, `anti_score_matching`, `gradient_norm` or `judge`, the
            independent network of the GAN-test.
        seed: the run's seed; None for 0, or for `runs.JUDGE_SEED` where the method is `judge`.
        changes: any fields of `Settings`.

    Raises:
        ValueError: an unknown tier, data set, method or setting; the known ones are listed.

    Example:
        >>> preset("quick", "mnist5k", "gradient_norm", epochs=3).epochs
        3
    """
    choose("tier", tier, TIERS)
    choose("dataset", dataset, DATASETS[tier])
    choose("method", method, (*METHODS, "judge"))
    if seed is None:
        seed = runs.JUDGE_SEED if method == "judge" else 0
    values: dict[str, Any] = {"tier": tier, "dataset": dataset, "seed": seed, **SCHEDULES[tier]}
    if method == "judge":
        values |= {
            "method": "baseline",
            "name": "judge",
            "network": "resnet18",
            "width": JUDGE_WIDTHS.get(tier, values.get("width", 16)),
        }
    else:
        values |= {"method": method, "penalty": PRESETS.get(tier, PRESETS["quick"])[method]}
    return Settings.from_dict({**values, **changes})


def command(settings: Settings) -> str:
    """Return the command that trains a run: its method's preset, and each setting that differs from it.

    Example:
        >>> command(preset("quick", "mnist5k", "gradient_norm", 1, name="short", epochs=3))
        'companion train --tier quick --dataset mnist5k --method gradient_norm --seed 1 --set name=short --set
        epochs=3'
    """
    method = "judge" if settings.name == "judge" else settings.method
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


def how_to_make(tier: str, dataset: str, name: str, seed: int) -> str:
    """Return a sentence with the command that makes a run of any name, as far as its name tells its settings.

    Raises:
        ValueError: the tier does not have the data set.
    """
    choose("dataset", dataset, DATASETS[tier])
    if name in (*METHODS, "judge"):
        settings = preset(tier, dataset, name, seed)
        return f"Make it with: {command(settings)}{' --evaluate' if is_evaluated(settings) else ''}"
    known = sweep(tier, dataset) + (collapse() if tier == "quick" else [])
    if tier in SEARCH:
        known += [settings for settings in search(tier) if settings.dataset == dataset]
    for settings in known:
        if settings.name == name:
            again = replace(settings, seed=seed)
            evaluate = f" && companion evaluate --brief {shlex.quote(f'_runs/{again.run_id}')}"
            return f"Make it with: {command(again)}{evaluate if is_evaluated(again) else ''}"
    return (
        f"Its settings are not known here. Make it with: companion train --tier {tier} --dataset {dataset} "
        f"--method METHOD --seed {seed} --set name={name}, where METHOD is one of {', '.join(METHODS)}"
    )


def is_evaluated(settings: Settings) -> bool:
    """Say whether a run's experiments are shown: those of the four models and, in brief, of the sweep.

    Of the other runs, the judge's, the search's and chapter 06's, the book shows what training measures.
    """
    return settings.name in METHODS or settings.name.startswith("sweep-")


def sweep(tier: str = "quick", dataset: str = "mnist5k", seed: int = 0) -> list[Settings]:
    """Return Table 2's 20 runs, every lambda with every mu."""
    return [varied(name, tier, dataset, seed) for name in SWEEP]


def collapse() -> list[Settings]:
    """Return chapter 06's runs, three seeds of each."""
    return [varied(name, seed=seed) for name in COLLAPSE for seed in SEEDS["quick"]["mnist5k"]]


def varied(name: str, tier: str = "quick", dataset: str = "mnist5k", seed: int = 0) -> Settings:
    """Return a run of `SWEEP` or `COLLAPSE`: score-matching's preset, changed, at the size that it has there.

    Raises:
        ValueError: an unknown name, tier or data set; the known ones are listed.
    """
    base = preset(tier, dataset, "score_matching", seed)
    changes = {**COLLAPSE, **SWEEP}[choose("run", name, (*COLLAPSE, *SWEEP))]
    size = (SWEEP_SIZES if name in SWEEP else COLLAPSE_SIZES).get(tier, {})
    return replace(base, name=name, **{**size, **changes, "penalty": {**base.penalty, **changes["penalty"]}})


def committed_plan(tier: str = "quick") -> list[Settings]:
    """Return every run whose record is committed at this tier: what `FRESH=1` makes anew."""
    plan = []
    for dataset, seeds in SEEDS[tier].items():
        plan += [preset(tier, dataset, "judge")]
        plan += [preset(tier, dataset, method, seed) for seed in seeds for method in METHODS]
    if tier in SEARCH:
        plan += search(tier)
    if tier == "quick":
        plan += sweep() + collapse()
    return plan


def plan(tier: str, dataset: str | None = None, seed: int = 0, fresh: bool = False) -> list[Settings]:
    """Return the runs that have to be trained here before the notebooks of one tier can be executed.

    At the quick tier the four models of the given seed are always trained here; what they are compared with
    comes from committed records. At the larger tiers a run whose weights are committed is not trained again.

    Args:
        tier: which tier.
        dataset: one data set; all of the tier's if None.
        seed: the seed of the four models.
        fresh: train everything, the committed records' runs too.
    """
    choose("tier", tier, TIERS)
    datasets = DATASETS[tier] if dataset is None else (choose("dataset", dataset, DATASETS[tier]),)
    wanted = [preset(tier, name, method, seed) for name in datasets for method in METHODS]
    if fresh:
        return wanted + [s for s in committed_plan(tier) if s.dataset in datasets and s not in wanted]
    judges = [preset(tier, name, "judge") for name in datasets]
    live = wanted if tier in ("tiny", "quick") else [s for s in wanted if not _committed(s)]
    return live + [judge for judge in judges if not _committed(judge)]


def _committed(settings: Settings) -> bool:
    return (runs.committed_directory(settings) / "weights.safetensors").exists()


SEARCH_RUNS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"epochs": 2},
    "small": {"epochs": 3, "train_size": 15_000, "learning_rate": 0.2},
}
"""How a tier's candidates are trained: a third of its epochs, or a twelfth of its steps."""
_PAIR = {"variant": "central", "norm": "pair"}
_CODE = {"variant": "forward", "batch_norm": "separate"}
SEARCH: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "quick": {
        "baseline": ({},),
        "score_matching": (
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "of_x", **_PAIR},
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "separate", **_PAIR},
            {"weight": 3e-3, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-2, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-2, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-2, "mu": 1e-2, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-4, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "of_x", "variant": "forward"},
            {"weight": 1e-3, "mu": 1e-1, **_CODE},
            {"weight": 1e-3, "mu": 1e-4, **_CODE},
        ),
        "anti_score_matching": (
            {"weight": 1e-4, **_CODE},
            {"weight": 1e-4, "batch_norm": "joint", "variant": "forward"},
            {"weight": 1e-4, "batch_norm": "joint", "variant": "central"},
            {"weight": 1e-4, "batch_norm": "of_x", "variant": "central"},
            {"weight": 1e-3, "batch_norm": "joint", "variant": "central"},
        ),
        "gradient_norm": ({"weight": 1e-3}, {"weight": 3e-3}, {"weight": 1e-2}, {"weight": 3e-2}),
    },
    "small": {
        "baseline": ({"learning_rate": 0.2}, {"learning_rate": 0.1}),
        "score_matching": (
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "of_x", **_PAIR},
            {"weight": 1e-3, "mu": 1e-1, "batch_norm": "joint", "sigma": 0.03, **_PAIR},
            {"weight": 1e-4, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 3e-3, "mu": 1e-1, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-3, "mu": 1e-2, "batch_norm": "joint", **_PAIR},
            {"weight": 1e-5, "mu": 1e-1, **_CODE},
            {"weight": 1e-3, "mu": 1e-4, **_CODE},
        ),
        "anti_score_matching": (
            {"weight": 1e-4, **_CODE},
            {"weight": 1e-4, "batch_norm": "joint", "variant": "forward"},
            {"weight": 1e-3, "batch_norm": "joint", "variant": "central"},
            {"weight": 3e-4, "batch_norm": "joint", "variant": "central"},
        ),
        "gradient_norm": ({"weight": 1e-3}, {"weight": 1e-2}, {"weight": 1e-1}),
    },
}
"""The searches' candidates: penalties, and for the baseline settings of the schedule.

The paper's constants and the authors' treatment of batch norm are among them.
"""


def search(tier: str = "quick") -> list[Settings]:
    """Return a tier's search on validation data: every candidate at seed 0, on the tier's first data set.

    Args:
        tier: one of `SEARCH`.
    """
    choose("tier", tier, SEARCH)
    return [
        preset(
            tier,
            DATASETS[tier][0],
            method,
            name=f"search-{method}-{number:02d}",
            **{**SEARCH_RUNS[tier], **({"penalty": candidate} if method != "baseline" else candidate)},
        )
        for method, candidates in SEARCH[tier].items()
        for number, candidate in enumerate(candidates)
    ]
