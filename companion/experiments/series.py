"""The runs around the book's networks: Table 2's sweep, those of chapters 06, 07 and 14, and 17's search.

The names are also the names of their folders.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from companion._support import choose
from companion.experiments.methods import KIN, METHODS, known
from companion.experiments.presets import (
    DATASETS,
    KIN_SEEDS,
    PAPER,
    SEEDS,
    SEEDS_WITH_WEIGHTS,
    command,
    preset,
)
from companion.experiments.settings import Settings

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
STRENGTH_WEIGHTS: Mapping[str, Mapping[str, Sequence[float]]] = {
    "quick": {
        "score_matching": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
        "gradient_norm": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0),
    },
    "small": {"score_matching": (1e-3,), "gradient_norm": (1e-2, 1e-1)},
}
"""Two penalties' lambda, from weak to strong, by tier; the tier's own are among them.

At the small tier, on CIFAR-100, the gradient norm's own costs the most accuracy of all: one weaker is enough.
"""


def _strength_name(method: str, weight: float) -> str:
    return f"strength-{method}-{weight:.0e}"


STRENGTHS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    method: {_strength_name(method, weight): {"penalty": {"weight": weight}} for weight in weights}
    for method, weights in STRENGTH_WEIGHTS["quick"].items()
}
"""What chapter 14's comparison at the same accuracy changes in each method's preset."""
STRENGTH_SEEDS = (0, 1, 2)
"""How often a network is trained with each of them."""
COLLAPSE: Mapping[str, Mapping[str, Any]] = {
    "collapse-naive": {"penalty": {"weight": 1e-2, "mu": math.inf}},
    "collapse-noise": {"penalty": {"weight": 1e-2, "mu": math.inf}, "input_noise": 0.1},
    "collapse-stable": {"penalty": {"weight": 1e-2, "mu": 1e-1}},
}
"""What chapter 06's runs change in it: with and without the stability term and input noise."""
NOISES: Mapping[str, Mapping[str, Any]] = {
    f"collapse-noise-{width:g}": {**COLLAPSE["collapse-noise"], "input_noise": width} for width in (0.03, 0.3)
}
"""The same with less noise and with more."""
COLLAPSE_SIZES: Mapping[str, Mapping[str, Any]] = {"quick": {"width": 8, "epochs": 12}}
"""The size of chapter 06's runs, where it is not the tier's own."""
COLLAPSE_SEEDS = range(5)
"""How often each of chapter 06's kinds is trained at the quick tier."""
CLAMPS: Mapping[str, Mapping[str, Any]] = {
    "clamp-central": {"penalty": {"variant": "central"}},
    "clamp-two-sided-forward": {"penalty": {"clamp": "two_sided"}},
    "clamp-two-sided": {"penalty": {"variant": "central", "clamp": "two_sided"}},
}
"""What chapter 07's runs change in anti-score-matching's preset: the estimate, the clamp, and both."""
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    f"published-{name}": {"epochs": 200, "schedule": "step", "penalty": penalty}
    for name, penalty in PAPER.items()
}
"""What the paper publishes, beside the paper tier's preset: 200 epochs, and every constant that it prints."""
PRINTED: Mapping[str, Mapping[str, Any]] = {
    "printed-constants": {"epochs": 1, "penalty": PAPER["score_matching"]}
}
"""Score-matching with the constants that the paper prints: it diverges in the first epoch."""
_VARIED: tuple[tuple[str, str, Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]], ...] = (
    ("sweep", "score_matching", SWEEP, SWEEP_SIZES),
    *(("strength", method, changes, {}) for method, changes in STRENGTHS.items()),
    ("collapse", "score_matching", {**COLLAPSE, **NOISES}, COLLAPSE_SIZES),
    ("clamp", "anti_score_matching", CLAMPS, {}),
    *(
        ("published", method, {f"published-{method}": PUBLISHED[f"published-{method}"]}, {})
        for method in PAPER
    ),
    ("printed", "score_matching", PRINTED, {}),
)
"""The role of each series' runs, whose preset they change, how, and their sizes."""
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


def how_to_make(tier: str, dataset: str, name: str, seed: int) -> str:
    """Return a sentence with the command that makes a run of any name, as far as its name tells its settings.

    Raises:
        ValueError: the tier does not have the data set.
    """
    choose("dataset", dataset, DATASETS[tier])
    if name in (*known(), "judge"):
        settings = preset(tier, dataset, name, seed)
        return f"Make it with: {command(settings)}{' --evaluate' if settings.is_evaluated else ''}"
    planned = sweep(tier, dataset)
    if tier == "quick":
        planned += collapse() + clamps()
    if tier == "paper":
        planned += [varied(name, tier, dataset) for name in (*PUBLISHED, *PRINTED)]
    if tier in SEARCH:
        planned += [run for run in search(tier) + strengths(tier) if run.dataset == dataset]
    for settings in planned:
        if settings.name == name:
            again = replace(settings, seed=seed)
            brief = "--brief " if again.is_brief else ""
            evaluate = f" && companion evaluate {brief}{shlex.quote(f'_runs/{again.run_id}')}"
            return f"Make it with: {command(again)}{evaluate if again.is_evaluated else ''}"
    return (
        f"Its settings are not known here. Make it with: companion train --tier {tier} --dataset {dataset} "
        f"--method METHOD --seed {seed} --set name={name}, where METHOD is one of {', '.join(known())}"
    )


def sweep(tier: str = "quick", dataset: str = "mnist5k", seed: int = 0) -> list[Settings]:
    """Return Table 2's 20 runs, every lambda with every mu."""
    return [varied(name, tier, dataset, seed) for name in SWEEP]


def strengths(tier: str = "quick") -> list[Settings]:
    """Return the runs of two penalties with every weight, the tier's models among them.

    Args:
        tier: `quick`, on digits, or `small`, on CIFAR-100.

    Example:
        >>> [run.name for run in strengths() if run.seed == 0 and run.method == "gradient_norm"][:3]
        ['strength-gradient_norm-3e-03', 'strength-gradient_norm-1e-02', 'gradient_norm']
    """
    place = tier, DATASETS[choose("tier", tier, STRENGTH_WEIGHTS)][0]
    found = []
    for method, weights in STRENGTH_WEIGHTS[tier].items():
        for weight, seed in product(weights, STRENGTH_SEEDS):
            model = preset(*place, method, seed)
            run = varied(_strength_name(method, weight), *place, seed)
            found.append(model if run.penalty == model.penalty else run)
    return found


def kin() -> list[Settings]:
    """Return the runs of `methods.KIN`, beside the quick tier's models."""
    return [preset("quick", "mnist5k", method, seed) for method in KIN for seed in KIN_SEEDS]


def collapse() -> list[Settings]:
    """Return chapter 06's runs, five seeds of each."""
    return [varied(name, seed=seed) for name in (*COLLAPSE, *NOISES) for seed in COLLAPSE_SEEDS]


def clamps() -> list[Settings]:
    """Return chapter 07's runs with other clamps, three seeds of each."""
    return [varied(name, seed=seed) for name in CLAMPS for seed in SEEDS_WITH_WEIGHTS]


def varied(name: str, tier: str = "quick", dataset: str = "mnist5k", seed: int = 0) -> Settings:
    """Return a run of one of the series above: its method's preset, changed, at its size there.

    Raises:
        ValueError: an unknown name, tier or data set; the known ones are listed.
    """
    choose("run", name, [known for _, _, changes, _ in _VARIED for known in changes])
    role, method, changes, sizes = next(row for row in _VARIED if name in row[2])
    base = preset(tier, dataset, method, seed)
    values = {**sizes.get(tier, {}), **changes[name]}
    if role in ("published", "printed"):
        choose("tier", tier, ("paper",))
    else:
        values["penalty"] = {**base.penalty, **values["penalty"]}
    return replace(base, name=name, role=role, **values)


def committed_plan(tier: str = "quick") -> list[Settings]:
    """Return every run whose record is committed at this tier: what `FRESH=1` makes anew."""
    plan = []
    for dataset, seeds in SEEDS[tier].items():
        plan += [preset(tier, dataset, "judge")]
        plan += [preset(tier, dataset, method, seed) for seed in seeds for method in METHODS]
    if tier in SEARCH:
        plan += search(tier) + [run for run in strengths(tier) if run.role == "strength"]
    if tier == "quick":
        plan += sweep() + kin() + collapse() + clamps()
    return plan


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
            role="candidate",
            **{**SEARCH_RUNS[tier], **({"penalty": candidate} if method != "baseline" else candidate)},
        )
        for method, candidates in SEARCH[tier].items()
        for number, candidate in enumerate(candidates)
    ]
