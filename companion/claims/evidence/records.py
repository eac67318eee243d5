"""From the records of trained runs to comparisons.

Their unit is the training seed. Where a model was trained once, it is the image or the sample, and the
comparison says so: it is one of networks then, and not of methods.
"""

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
from companion.metrics.intervals import (
    Interval,
    independent_difference_interval,
    paired_difference_interval,
    seed_interval,
)

IN_SAMPLES = {
    "gan_test": "correct",
    "sample_total_variation": "total_variation",
    "sample_high_frequency_share": "high_frequency_share",
}
"""Metrics whose values sample by sample are a column of `samples.csv`; its rows have the same class and the
same starting noise in each run of a seed, so that they are pairs."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A quantity as one run has it.

    Attributes:
        interval: its value, with the interval over the run's images or samples; nan ends where it has none.
        each: returns its value image by image, in the same order for each model; None where no table has it.
    """

    interval: Interval
    each: Callable[[], Sequence[float]] | None = None

    @classmethod
    def plain(cls, value: float) -> Reading:
        """Return a number without an interval."""
        return cls(interval=Interval(value=value, low=math.nan, high=math.nan, n=1))

    @property
    def value(self) -> float:
        """The number itself."""
        return self.interval.value


Quantity = Callable[[Run], Reading]


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

    def values(self, name: str, quantity: Quantity) -> dict[int, Reading]:
        """Return a quantity of every run of one name, by seed; a run that lacks it is left out.

        Raises:
            NotYetRun: no run has it.
        """
        values = {}
        for run in self.runs(name):
            reading = quantity(run)
            if not math.isnan(reading.value):
                values[run.record.seed] = reading
        if not values:
            raise NotYetRun(
                f"companion evaluate {self.runs(name)[0].directory.relative_to(provenance.PROJECT)}"
            )
        return values


def used(shelf: Shelf, *names: str) -> list[Run]:
    """Return all runs of some names."""
    return [run for name in names for run in shelf.runs(name)]


def metric(name: str) -> Quantity:
    """Return the function that reads one metric from a run; nan where it has none."""

    def read(run: Run) -> Reading:
        if name not in run.record.metrics:
            return Reading.plain(math.nan)
        has_samples = name in IN_SAMPLES and (run.directory / "samples.csv").exists()
        return Reading(
            interval=run.interval(name), each=(lambda: _samples(run, name)) if has_samples else None
        )

    return read


def _samples(run: Run, name: str) -> Sequence[float]:
    return run.table("samples")[IN_SAMPLES[name]].astype(float).tolist()


def mean_value(readings: Mapping[int, Reading]) -> float:
    """Return the plain mean over seeds."""
    return math.fsum(reading.value for reading in readings.values()) / len(readings)


def mean_reading(intervals: Sequence[Interval]) -> Reading:
    """Return the plain mean of quantities of the same images; its interval is the widest that they allow."""
    count = len(intervals)
    value, low, high = (
        math.fsum(getattr(i, end) for i in intervals) / count for end in ("value", "low", "high")
    )
    return Reading(interval=Interval(value=value, low=low, high=high, n=min(i.n for i in intervals)))


def negative(reading: Reading) -> Reading:
    """Return minus a reading, for a quantity of which less is claimed."""
    i, each = reading.interval, reading.each
    return Reading(
        interval=Interval(value=-i.value, low=-i.high, high=-i.low, n=i.n),
        each=None if each is None else lambda: [-value for value in each()],
    )


def compare(
    label: str,
    first: Mapping[int, Reading],
    second: Mapping[int, Reading],
    *,
    ratio: bool = False,
    log: bool = False,
    scale: float = 1.0,
) -> Comparison:
    """Compare two models over the seeds that both have: first - second, claimed to be above 0.

    Args:
        label: what is compared.
        first: the quantity by seed, for the model that is claimed to have more of it.
        second: likewise, for the other model.
        ratio: compare logarithms, for positive quantities.
        log: the quantities are logarithms already, and their difference is written as a ratio.
        scale: see `Comparison`.

    Returns: The mean paired difference with Student's 95 % interval. A quantity that is infinite in every
        seed (a run that diverged) decides by itself. With one seed the interval is over its images or
        samples, paired where a table has them one by one, if the runs have such an interval at all.

    Raises:
        NotYetRun: the two have no seed in common.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        raise NotYetRun("train both models with the same seed: " + label)
    if len(seeds) == 1:
        interval = _of_one_network(first[seeds[0]], second[seeds[0]], ratio=ratio)
        known = math.isfinite(interval.low)
        return Comparison(label=label, interval=interval, ratio=ratio or log, scale=scale, one_network=known)
    pairs = [(first[seed].value, second[seed].value) for seed in seeds]
    if ratio:
        pairs = [(math.log(max(a, 1e-30)), math.log(max(b, 1e-30))) for a, b in pairs]
    differences = [a - b for a, b in pairs]
    if all(map(math.isfinite, differences)):
        interval = paired_difference_interval(*zip(*pairs, strict=True))
    else:
        same = len(set(differences)) == 1
        end = differences[0] if same else math.nan
        interval = Interval(
            value=math.fsum(differences) if same else math.nan, low=end, high=end, n=len(seeds)
        )
    return Comparison(label=label, interval=interval, ratio=ratio or log, scale=scale)


def _of_one_network(first: Reading, second: Reading, *, ratio: bool) -> Interval:
    """Compare two networks, with the interval over their images or samples."""
    a, b = first.interval, second.interval
    if ratio:
        a, b = _logarithm(a), _logarithm(b)
    if first.each is not None and second.each is not None and not ratio:
        return paired_difference_interval(first.each(), second.each())
    return independent_difference_interval(a, b)


def _logarithm(interval: Interval) -> Interval:
    value, low, high = (math.log(max(end, 1e-30)) for end in (interval.value, interval.low, interval.high))
    return Interval(value=value, low=low, high=high, n=interval.n)


def against(
    label: str,
    values: Mapping[int, Reading],
    constant: float = 0.0,
    *,
    log: bool = False,
    scale: float = 1.0,
) -> Comparison:
    """Compare a quantity of one model, by seed, with a constant: it is claimed to be above it."""
    known = max(reading.interval.n for reading in values.values())
    fixed = Reading(interval=Interval(value=constant, low=constant, high=constant, n=known))
    return compare(
        label,
        {seed: Reading(interval=reading.interval) for seed, reading in values.items()},
        dict.fromkeys(values, fixed),
        log=log,
        scale=scale,
    )


def over_seeds(values: Sequence[Interval]) -> Interval:
    """Return the interval of a mean over seeds; of a single run its own, over its samples."""
    return values[0] if len(values) == 1 else seed_interval([interval.value for interval in values])
