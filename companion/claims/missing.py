"""The runs that the table of claims waits for, each with the one command that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from companion import data
from companion._support import choose
from companion.claims.evidence.records import Shelf
from companion.experiments.methods import METHODS
from companion.experiments.presets import DATASETS, SEEDS
from companion.experiments.series import COLLAPSE, SWEEP
from companion.experiments.settings import TIERS
from companion.experiments.shelf import COMMITTED_FIRST, has

LARGER = ("small", "paper")
"""The tiers whose runs may be missing; those of the quick tier are all committed."""
MODELS, COLLAPSES, CELLS = (
    "the judge and the four models",
    "chapter 6's three ways to train",
    "the cells of Table 2",
)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A run without a record.

    Attributes:
        tier: its tier.
        dataset: its data set.
        group: what it belongs to: the four models, chapter 6's runs, or Table 2's.
        run_id: its folder below `_runs/` or `results/`.
        command: the command that trains and evaluates it.
    """

    tier: str
    dataset: str
    group: str
    run_id: str
    command: str


def not_yet_run(tiers: Sequence[str] = LARGER, places: Sequence[str] = COMMITTED_FIRST) -> list[Missing]:
    """List the runs that the claims rest on and that have no record, in the order in which to make them.

    The judge comes first, which every evaluation asks, and each seed's baseline before the models whose maps
    are compared on it. Chapter 6's and Table 2's runs are on a tier's first data set alone, like the paper's.

    Args:
        tiers: each one of `TIERS`.
        places: the folders that count, see `shelf.find_all`.

    Raises:
        ValueError: an unknown tier.
    """
    found = []
    for tier in tiers:
        for dataset in DATASETS[choose("tier", tier, TIERS)]:
            seeds = SEEDS[tier][dataset]
            wanted = [(MODELS, name, seed) for seed in seeds for name in METHODS]
            wanted.insert(0, (MODELS, "judge", 0))
            if dataset == DATASETS[tier][0]:
                wanted += [(COLLAPSES, name, seed) for name in COLLAPSE for seed in seeds]
                wanted += [(CELLS, name, 0) for name in SWEEP]
            for group, name, seed in wanted:
                shelf = Shelf(tier=tier, dataset=dataset, seed=seed)
                settings = shelf.settings(name)
                if not has(settings, places):
                    run_id = settings.run_id
                    command = shelf.command(name)
                    found.append(
                        Missing(tier=tier, dataset=dataset, group=group, run_id=run_id, command=command)
                    )
    return found


def markdown(missing: Sequence[Missing]) -> str:
    """Write the commands by tier, data set and group, each group folded, for the page that says how to run.

    Example:
        >>> markdown([])
        'Nothing is missing: every run that the claims rest on has a record.'
    """
    if not missing:
        return "Nothing is missing: every run that the claims rest on has a record."
    groups: dict[tuple[str, str, str], list[Missing]] = {}
    for run in missing:
        groups.setdefault((run.tier, run.dataset, run.group), []).append(run)
    blocks = [
        f"{_runs(len(missing))} without a record. Each line trains one network and evaluates it; its record "
        "fills the page of claims at the next build. A line that was interrupted goes on where it was.",
    ]
    if any(run.tier == "paper" for run in missing):
        blocks.append("The lines of the paper tier ask for a GPU, `--device cuda`.")
    for (tier, dataset, group), members in groups.items():
        title = f"Tier {tier}, {data.DATASETS[dataset].title}, {group}: {_runs(len(members))}"
        commands = "\n".join(run.command for run in members)
        blocks.append(f"<details><summary>{escape(title)}</summary>\n\n```sh\n{commands}\n```\n\n</details>")
    return "\n\n".join(blocks)


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
