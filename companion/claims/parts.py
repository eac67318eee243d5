"""A finding's intervals one by one, as the page of claims draws and counts them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from companion.claims.rule import Finding


@dataclass(frozen=True, kw_only=True)
class Part:
    """One comparison or one estimate.

    Attributes:
        label: what was compared or estimated.
        value, low, high: the number as it is written, and the ends of its 95 % interval; nan where it has
            none.
        ratio: whether it is a ratio, claimed to be above 1, and not a difference, claimed to be above 0.
        printed: the paper's number, for an estimate; None for a comparison.
        detectable: for a comparison, how large a difference would have decided it four times in five.
    """

    label: str
    value: float
    low: float
    high: float
    ratio: bool = False
    printed: float | None = None
    detectable: str = ""

    @property
    def sign(self) -> int:
        """1 where the interval lies on the claimed side, -1 on the other, else 0; estimates: 1 or -1.

        An estimate has 1 if the printed number is in its interval.
        """
        if self.printed is not None:
            return 1 if self.low <= self.printed <= self.high else -1
        zero = 1.0 if self.ratio else 0.0
        return int(self.low > zero) - int(self.high < zero)


def parts_of(finding: Finding) -> list[dict[str, Any]]:
    """Return the estimates and comparisons of a finding, as a row of the table of claims holds them."""
    found = [
        Part(
            label=estimate.label,
            value=estimate.interval.value,
            low=estimate.interval.low,
            high=estimate.interval.high,
            printed=estimate.reported,
        )
        for estimate in finding.estimates
    ]
    for comparison in finding.comparisons:
        i = comparison.written
        found.append(
            Part(
                label=comparison.label,
                value=i.value,
                low=i.low,
                high=i.high,
                ratio=comparison.ratio,
                detectable=comparison.detectable,
            )
        )
    return [asdict(part) for part in found]


def comparisons(row: Mapping[str, Any]) -> list[Part]:
    """Return the comparisons of a row of the table, in its order."""
    return [part for part in _read(row) if part.printed is None]


def estimates(row: Mapping[str, Any]) -> list[Part]:
    """Return the estimates of a row beside the paper's numbers, in its order."""
    return [part for part in _read(row) if part.printed is not None]


def _read(row: Mapping[str, Any]) -> list[Part]:
    """Return a row's parts; a page has null where a number is nan."""
    ends = ("value", "low", "high")
    return [
        Part(**{**part, **{end: math.nan if part[end] is None else part[end] for end in ends}})
        for part in row["parts"]
    ]
