"""Two maps of the same images compared: how far they are apart, in which order their pixels are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from companion._support import flat_sum
from companion.audit.findings import Movement
from companion.metrics import Curve, mean_interval, median_interval

ROUNDING = 1e-12
"""A map counts as at least this long, relative to what the shift makes of the bare logit's.

Where a classifier is as sure as float64 can say, the map of the log-probability is no longer than what
rounding leaves of the shift.
"""


def length(maps: Tensor) -> Tensor:
    """Return the Euclidean length of each map, (B,) float64 on the CPU."""
    return flat_sum(maps.double().square()).sqrt().cpu()


def relative(difference: Tensor, of: Tensor) -> Tensor:
    """Divide lengths; nothing over nothing is 0, for a map of zeros that stays one has not moved."""
    return torch.where((difference == 0) & (of == 0), torch.zeros_like(of), difference / of)


class Plain:
    """The maps of one attribution and output, before any shift."""

    def __init__(self, maps: Tensor, curve: Callable[[Tensor], Curve] | None) -> None:
        """Measure them once; `curve` draws the perturbation curve of maps, if it is asked for."""
        self.maps, self.curve = maps.double(), curve
        self.length, self.ranks = length(maps), _ranks(maps)
        self.area = None if curve is None else curve(maps).area()

    def compare(self, attribution: str, output: str, shift: str, maps: Tensor, bare: Tensor) -> Movement:
        """Compare them with shifted ones.

        Args:
            attribution: the method's name.
            output: the output's.
            shift: the shift's.
            maps: like the plain ones, shifted.
            bare: the same method's maps of the shifted bare logit.
        """
        change = relative(length(maps.double() - self.maps), self.length.maximum(ROUNDING * length(bare)))
        same = (_ranks(maps) * self.ranks).sum(axis=1)
        area = None
        if self.curve is not None and self.area is not None:
            # The same maps have the same curve, which need not be drawn again.
            drawn = self.area if torch.equal(maps.double(), self.maps) else self.curve(maps).area()
            area = mean_interval(drawn - self.area)
        return Movement(
            attribution=attribution,
            output=output,
            shift=shift,
            change=median_interval(change),
            correlation=median_interval(torch.from_numpy(same[np.isfinite(same)])),
            area=area,
            per_image=change,
        )


def _ranks(maps: Tensor) -> np.ndarray:
    """Return the pixels' ranks, centred and of length 1 (nan for a constant map): (B, H W)."""
    ranks = stats.rankdata(maps.double().sum(dim=1).flatten(1).cpu().numpy(), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return ranks / np.linalg.norm(ranks, axis=1, keepdims=True)
