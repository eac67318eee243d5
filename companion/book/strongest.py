"""The strongest evidence on a data set: the records of the paper's own network, else of a smaller one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from companion.book.words import counted, listed
from companion.experiments import shelf
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.experiments.settings import NETWORKS

STRONGEST_FIRST = ("paper", "small")
"""The tiers that have the paper's data, from the strongest evidence down."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evaluated networks of one tier on one data set.

    Attributes:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        runs: by method, in the order of `METHODS` and of their seeds; empty where there is none.
    """

    tier: str
    dataset: str
    runs: Mapping[str, Sequence[Run]]

    @property
    def shelf(self) -> tuple[str, str]:
        """Tier and data set, as the functions of figures and tables take them."""
        return self.tier, self.dataset

    @property
    def seeds(self) -> int:
        """How many networks there are of the method that has fewest."""
        return min((len(found) for found in self.runs.values()), default=0)

    @property
    def network(self) -> str:
        """The network and its size: `ResNet-18 of width 64`."""
        if not self.seeds:
            return "network"
        settings = next(iter(self.runs.values()))[0].settings
        return f"{NETWORKS[settings.network]} of width {settings.width}"

    @property
    def is_the_papers(self) -> bool:
        """Whether the network is the one that the paper trained."""
        return self.tier == "paper"

    def described(self) -> str:
        """Say which networks these are, for a sentence.

        Example:
            >>> Evidence(tier="small", dataset="cifar100", runs={}).described()
            'none has been evaluated yet'
        """
        if not self.seeds:
            return "none has been evaluated yet"
        epochs = sorted({run.settings.epochs for found in self.runs.values() for run in found})
        whose = "the paper's network, a" if self.is_the_papers else "a"
        return f"{whose} {self.network}, trained for {' or '.join(map(str, epochs))} epochs; {self.unit()}"

    def short(self) -> str:
        """Say which networks these are, in a few words.

        Example:
            >>> Evidence(tier="small", dataset="cifar100", runs={}).short()
            'none yet'
        """
        if not self.seeds:
            return "none yet"
        count = "one network each" if self.seeds == 1 else f"{counted(self.seeds, 'seed')} each"
        return f"{self.network}, {count}"

    def unit(self) -> str:
        """Say how many networks stand behind a number, and what its interval is over.

        Example:
            >>> Evidence(tier="small", dataset="cifar100", runs={}).unit()
            'no network'
        """
        if self.seeds == 1:
            seed = next(iter(self.runs.values()))[0].record.seed
            return f"one network each, seed {seed}"
        return (
            f"{counted(self.seeds, 'seed')} each, with intervals over seeds" if self.seeds else "no network"
        )

    def notes(self) -> str:
        """Quote what the records say of how they were made, each note once, after whom it concerns.

        Example:
            >>> Evidence(tier="small", dataset="cifar100", runs={}).notes()
            'There are no records.'
        """
        of: dict[str, list[str]] = {}
        for name, found in self.runs.items():
            for note in dict.fromkeys(note for run in found for note in run.record.notes):
                of.setdefault(note, []).append(METHODS[name].label)
        said = [
            note if len(names) == len(self.runs) else f"Of {listed(names)}: {note}"
            for note, names in of.items()
        ]
        if said:
            return " ".join(said)
        return "The records carry no notes of how they were made." if self.seeds else "There are no records."


def strongest(
    dataset: str = "cifar100", table: str = "density_ratio", tiers: Sequence[str] = STRONGEST_FIRST
) -> Evidence:
    """Return the first tier in which all four methods have a table; the last tier if none has.

    Args:
        dataset: the data set's name.
        table: the CSV that the runs must have, such as `samples`.
        tiers: from the strongest down.

    Raises:
        ValueError: no tier.

    Example:
        >>> strongest("no_such_data").tier
        'small'
    """
    if not tiers:
        raise ValueError("give at least one tier, such as 'small'")
    found = Evidence(tier=tiers[-1], dataset=dataset, runs={})
    for tier in tiers:
        runs = {
            name: [
                run
                for run in shelf.find_all(tier, dataset, name)
                if (run.directory / f"{table}.csv").exists()
            ]
            for name in METHODS
        }
        found = Evidence(tier=tier, dataset=dataset, runs={name: have for name, have in runs.items() if have})
        if len(found.runs) == len(METHODS):
            return found
    return found
