"""From the records of trained runs to comparisons, with training seeds as the unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from companion import data
from companion._support import choose
from companion.claims.rule import Comparison, NotYetRun
from companion.experiments import presets, provenance, series, shelf
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.experiments.settings import TIERS, Settings
from companion.metrics.intervals import Interval, paired_difference_interval, seed_interval

Quantity = Callable[[Run], float]


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where the records of one tier and data set are looked up.

    Attributes:
        tier: one of `TIERS`.
        dataset: one of the tier's.
        seed: of the models that an exact check is computed on, and of its random numbers.
        places: where runs are looked for, see `shelf.find_all`.
    """

    tier: str
    dataset: str
    seed: int = 0
    places: tuple[str, ...] = shelf.OWN_FIRST

    def __post_init__(self) -> None:
        """Check tier and data set."""
        choose("tier", self.tier, TIERS)
        choose("dataset", self.dataset, presets.DATASETS[self.tier])

    @property
    def paper_data(self) -> bool:
        """Whether the paper used this data set."""
        return data.DATASETS[self.dataset].in_paper

    def generator(self, purpose: int) -> torch.Generator:
        """Return a generator of its own for each check, so that none depends on what ran before."""
        return torch.Generator().manual_seed(1000 * self.seed + purpose)

    def runs(self, name: str) -> list[Run]:
        """Return the runs of one name, by seed.

        Raises:
            NotYetRun: there is none.
        """
        found = shelf.find_all(self.tier, self.dataset, name, self.places)
        if not found:
            raise NotYetRun(self.command(name))
        return found

    def command(self, name: str) -> str:
        """Return the command that makes the run of one name; the paper tier's asks for a GPU."""
        if self.tier == "quick" and name not in METHODS:
            return "make book FRESH=1"
        settings = self.settings(name)
        command = presets.command(settings) + (" --evaluate" if settings.is_evaluated else "")
        return command + (" --device cuda" if self.tier == "paper" else "")

    def settings(self, name: str) -> Settings:
        """Return the settings of a run that the claims rest on, at this tier."""
        if name == "judge":
            return presets.preset(self.tier, self.dataset, "judge")
        if name in METHODS:
            return presets.preset(self.tier, self.dataset, name, self.seed)
        return series.varied(name, self.tier, self.dataset, self.seed)

    def values(self, name: str, quantity: Quantity) -> dict[int, float]:
        """Return a quantity of every run of one name, by seed; a run that lacks it is left out.

        Raises:
            NotYetRun: no run has it.
        """
        values = {}
        for run in self.runs(name):
            value = quantity(run)
            if not math.isnan(value):
                values[run.record.seed] = value
        if not values:
            raise NotYetRun(
                f"companion evaluate {self.runs(name)[0].directory.relative_to(provenance.PROJECT)}"
            )
        return values


def metric(name: str) -> Quantity:
    """Return the function that reads one metric's value from a run; nan where it has none."""

    def value(run: Run) -> float:
        return run.interval(name).value if name in run.record.metrics else math.nan

    return value


def mean_metric(names: Sequence[str], absolute: bool = False) -> Quantity:
    """Return the plain mean of several metrics, of their absolute values if asked for."""
    readers = [metric(name) for name in names]

    def value(run: Run) -> float:
        values = [reader(run) for reader in readers]
        return math.fsum(abs(v) if absolute else v for v in values) / len(values)

    return value


def compare(
    label: str,
    first: Mapping[int, float],
    second: Mapping[int, float],
    *,
    ratio: bool = False,
    scale: float = 1.0,
) -> Comparison:
    """Compare two models over the seeds that both have: first - second, claimed to be above 0.

    Args:
        label: what is compared.
        first: the quantity by seed, for the model that is claimed to have more of it.
        second: likewise, for the other model.
        ratio: compare logarithms, for positive quantities.
        scale: see `Comparison`.

    Returns: The mean paired difference with Student's 95 % interval. A quantity that is infinite in every
        seed (a run that diverged) decides by itself.

    Raises:
        NotYetRun: the two have no seed in common.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        raise NotYetRun("train both models with the same seed: " + label)
    pairs = [(first[seed], second[seed]) for seed in seeds]
    if ratio:
        pairs = [(math.log(max(a, 1e-30)), math.log(max(b, 1e-30))) for a, b in pairs]
    differences = [a - b for a, b in pairs]
    if all(map(math.isfinite, differences)):
        interval = paired_difference_interval(*zip(*pairs, strict=True))
    else:
        same = len(set(differences)) == 1 and len(seeds) > 1
        end = differences[0] if same else math.nan
        interval = Interval(
            value=math.fsum(differences) if same else math.nan, low=end, high=end, n=len(seeds)
        )
    return Comparison(label=label, interval=interval, ratio=ratio, scale=scale)


def against_zero(label: str, values: Mapping[int, float], *, scale: float = 1.0) -> Comparison:
    """Compare a quantity of one model, by seed, with 0: it is claimed to be above it."""
    return compare(label, values, dict.fromkeys(values, 0.0), scale=scale)


def over_seeds(values: Sequence[Interval]) -> Interval:
    """Return the interval of a mean over seeds; of a single run its own, over its samples."""
    return values[0] if len(values) == 1 else seed_interval([interval.value for interval in values])
