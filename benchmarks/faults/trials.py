"""The record of a campaign: what was tried, and what did not survive."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import pandas as pd


@dataclass
class Trials:
    """Trials by part and kind."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, part: str, kind: str, wrong: str) -> None:
        """Note a trial.

        Args:
            part: of the campaign: "kills", "files", ...
            kind: of fault.
            wrong: what was lost, in words; empty if it survived.
        """
        self.rows.append((part, kind, wrong))
        if wrong:
            print(f"lost: {part}, {kind}: {wrong}", file=sys.stderr, flush=True)

    def table(self) -> pd.DataFrame:
        """Return one row a kind: how often it was tried, survived and lost."""
        frame = pd.DataFrame(self.rows, columns=["part", "kind", "wrong"])
        lost = frame.wrong.ne("")
        grouped = frame.assign(lost=lost).groupby(["part", "kind"], sort=False)["lost"]
        table = pd.DataFrame(grouped.agg(tried="size", lost="sum")).reset_index()
        table.insert(3, "survived", table["tried"] - table["lost"])
        return table
