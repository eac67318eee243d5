"""Which tier's evidence counts for a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from companion.claims.page.marks import EMPTY
from companion.claims.parts import comparisons, estimates
from companion.experiments.settings import TIERS

STRONGEST_FIRST = tuple(reversed(TIERS))
"""The tiers in the order of the page: the larger the network and the nearer the data, the earlier."""


def tiers_of(frame: pd.DataFrame) -> list[str]:
    """Return the tiers of a table, the strongest evidence first."""
    there = set(frame["tier"])
    return [tier for tier in STRONGEST_FIRST if tier in there]


def strongest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a claim: of the largest tier that has a record, or the largest tier's where none has.

    A tier in which no comparison has an interval, so that it cannot decide anything, comes after those that
    can.

    Args:
        frame: as `by_tier` returns it.

    Example:
        >>> rows = [("a", "quick", "opposite"), ("a", "paper", "not yet run"), ("a", "small", "undecided")]
        >>> frame = pd.DataFrame(rows, columns=["id", "tier", "verdict"])
        >>> part = {"label": "a - b", "value": 1.0, "low": -1.0, "high": 3.0}
        >>> strongest(frame.assign(parts=[[part]] * 3))["tier"].tolist()
        ['small']
    """
    place = {tier: rank for rank, tier in enumerate(("", *STRONGEST_FIRST))}
    ranked: dict[str, tuple[tuple[bool, bool, int], int]] = {}
    for number, row in enumerate(frame.to_dict("records")):
        rank = (row["verdict"] in EMPTY, _cannot_decide(row), place[row["tier"]])
        ranked[row["id"]] = min(ranked.get(row["id"], (rank, number)), (rank, number))
    return frame.iloc[[number for _, number in ranked.values()]].reset_index(drop=True)


def _cannot_decide(row: Mapping[str, Any]) -> bool:
    compared = comparisons(row)
    return bool(compared) and not estimates(row) and all(math.isnan(part.low) for part in compared)
