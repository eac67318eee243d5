"""What this build was asked for: TIER, SEED and FRESH from the environment, and the runs that follow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from companion.experiments import registry, shelf
from companion.experiments.plan import plan as runs_to_make
from companion.experiments.settings import TIERS, Settings
from pipeline.paths import NOTEBOOKS


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to build: the experiments' size, their first seed, and whether to train every seed anew."""

    tier: str = "quick"
    seed: int = 0
    fresh: bool = False

    @property
    def parameters(self) -> dict[str, str | int]:
        """What papermill puts into each notebook's `parameters` cell."""
        return {"tier": self.tier, "seed": self.seed}

    @property
    def label(self) -> str:
        """A folder name that no other request has."""
        return f"{self.tier}-seed{self.seed}" + ("-fresh" if self.fresh else "")


def request() -> Request:
    """Read TIER, SEED and FRESH; unset or empty means the default.

    Raises:
        ValueError: an unknown tier (the known ones are listed), a seed that is no whole number, or FRESH
            other than 0 or 1.
    """
    tier, seed, fresh = (os.environ.get(name, "") for name in ("TIER", "SEED", "FRESH"))
    if tier and tier not in TIERS:
        raise ValueError(f"TIER={tier} does not exist; choose one of {', '.join(TIERS)}")
    if seed and not seed.isdecimal():
        raise ValueError(f"SEED={seed} is not a seed; give a whole number, for example SEED=0")
    if fresh not in ("", "0", "1"):
        raise ValueError(f"FRESH={fresh} is neither 0 nor 1; FRESH=1 trains every run anew")
    return Request(tier=tier or "quick", seed=int(seed or 0), fresh=fresh == "1")


def plan() -> list[Settings]:
    """Return the runs to be trained here for this request."""
    wanted = request()
    return runs_to_make(wanted.tier, seed=wanted.seed, fresh=wanted.fresh)


@cache
def standings() -> list[str]:
    """Return by which code each committed record is, one of `registry.STANDINGS`."""
    return [run.standing for run in shelf.committed()]


def said_of_code() -> str:
    """Return a sentence where committed records are by other code than today's; otherwise nothing."""
    earlier = standings().count(registry.EARLIER)
    if not earlier:
        return ""
    return (
        f"{earlier} of {len(standings())} committed records are by other code than today's. If no edit "
        "changed a result, companion behaviour --accept says so, and nothing is trained anew."
    )


def needed_to_evaluate(settings: Settings, plan: Sequence[Settings]) -> tuple[Path, ...]:
    """Return the weights, made by this build, of the judge and the baseline that a run is compared with."""
    return tuple(
        shelf.directory(other) / "weights.safetensors"
        for other in plan
        if other.dataset == settings.dataset
        and other.run_id != settings.run_id
        and (other.role == "judge" or (other.name, other.seed) == ("baseline", settings.seed))
    )


def made_for_notebooks(plan: Sequence[Settings]) -> tuple[Path, ...]:
    """Return the last file that this build makes of each run: its record, or the weights if not evaluated."""
    return tuple(
        shelf.directory(settings) / ("record.json" if settings.is_evaluated else "weights.safetensors")
        for settings in plan
    )


def notebook_sources() -> list[Path]:
    """Return the chapters in their order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
