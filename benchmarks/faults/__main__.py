"""`python -m companion faults`: kill, damage and misuse what there is, and write `results/trials/faults.csv`.

About a quarter of an hour on two cores. A part alone writes no table: `python -m companion faults calls`.
What was lost is printed as it happens, and the status is then 1.
"""

from __future__ import annotations

import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import tables
from benchmarks.faults import calls, files, kills
from benchmarks.faults.trials import Trials

RUN_KILLS, BOOK_KILLS = 15, 14
DAMAGES, FULL_DISKS = 8, 6
CALLS, COMMAND_LINES = 10_000, 2_000


def killed(trials: Trials) -> None:
    """Kill trainings, evaluations and the building of a book."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="companion-faults-") as name:
        kills.runs(trials, Path(name), RUN_KILLS, draw)
        kills.book(trials, Path(name), BOOK_KILLS, draw)


def damaged(trials: Trials) -> None:
    """Damage files, fill disks, put runs where they do not belong."""
    with tempfile.TemporaryDirectory(prefix="companion-faults-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files.damaged(trials, Path(name), DAMAGES, random.Random(0))
        files.full_disks(trials, Path(name), FULL_DISKS)
        files.strangers(trials, Path(name))


PARTS: dict[str, Callable[[Trials], None]] = {
    "kills": killed,
    "files": damaged,
    "command lines": lambda trials: calls.command_lines(trials, COMMAND_LINES),
    "calls": lambda trials: calls.library(trials, CALLS),
}


def main() -> int:
    """Run the campaign, or the parts of it that the command line names."""
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"companion faults: no part is called {unknown}; there are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    trials = Trials()
    for part in parts:
        PARTS[part](trials)
    table = trials.table()
    print(table.to_string(index=False))
    if set(parts) == set(PARTS):
        tables.write(table, tables.TRIALS / "faults.csv")
    return int(any(wrong for _, _, wrong in trials.rows))


if __name__ == "__main__":
    sys.exit(main())
