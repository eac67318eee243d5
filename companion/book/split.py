"""The parts of a logit (`companion.audit.split`) in the book: their names, and their shares over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch import Tensor

from companion.audit.split import split_gradient
from companion.book.seeds import mean_over_seeds
from companion.experiments.records import Run
from companion.metrics.intervals import Interval, median_interval

PARTS = {"own": r"$\log p_i$", "others": r"$-$ mean $\log p_j$", "free": r"mean $f_j$"}
"""How the parts are written in figures."""
WORDS = {"own": "decides", "others": "the other classes", "free": "free"}
"""What the parts are called in tables and under equations."""


def shares_over_seeds(
    runs: Iterable[Run], pictures: Callable[[Run], tuple[Tensor, Tensor]]
) -> dict[str, Interval]:
    """Measure how much of a method's maps each part has: the median over pictures, averaged over networks.

    Some parts are tiny, and never negative: the average is a geometric mean, the interval one of logarithms.

    Args:
        runs: the method's runs; those without weights are left out.
        pictures: returns a run's pictures, (B, C, H, W), and the classes asked about, (B,).

    Returns:
        For each of `PARTS` the geometric mean of the networks' median shares, with Student's 95 % interval
        over seeds.

    Example:
        >>> shares_over_seeds([], lambda run: (torch.rand(1, 1, 8, 8), torch.tensor([0])))["free"].n
        0
    """
    medians: dict[str, list[float]] = {name: [] for name in PARTS}
    for run in runs:
        if not (run.directory / "weights.safetensors").exists():
            continue  # Of many seeds, the weights of the first few are kept.
        x, y = pictures(run)
        for name, share in split_gradient(run.model().to(x.device), x, y).shares().items():
            medians[name].append(math.log(max(median_interval(share).value, 1e-300)))
    return {name: _exponential(mean_over_seeds(found)) for name, found in medians.items()}


def _exponential(found: Interval) -> Interval:
    return Interval(
        value=math.exp(found.value), low=math.exp(found.low), high=math.exp(found.high), n=found.n
    )
