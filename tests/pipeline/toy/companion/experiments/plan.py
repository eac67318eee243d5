"""The stand-in's runs."""

from __future__ import annotations

from companion.experiments.settings import METHODS, Settings


def plan(tier: str, dataset: str | None = None, seed: int = 0, fresh: bool = False) -> list[Settings]:
    """Return two runs, or four if all are to be made anew."""
    seeds = [seed, seed + 1] if fresh else [seed]
    return [Settings(tier, method, each) for method in METHODS for each in seeds]
