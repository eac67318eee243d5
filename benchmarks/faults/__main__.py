"""`python -m companion faults`: kill, damage and misuse what there is, and write `results/trials/faults.csv`.

About a quarter of an hour on two cores. What was lost is printed as it happens, and the status is then 1.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
import warnings
from pathlib import Path

import torch

from benchmarks.faults import calls, files, kills
from benchmarks.faults.trials import Trials
from companion.experiments import provenance

RUN_KILLS, BOOK_KILLS = 14, 14
DAMAGES, FULL_DISKS = 8, 6
CALLS, COMMAND_LINES = 10_000, 2_000


def main() -> int:
    """Run the campaign."""
    torch.set_num_threads(1)
    trials, draw = Trials(), random.Random(0)
    with tempfile.TemporaryDirectory(prefix="companion-faults-") as name:
        folder = Path(name)
        kills.runs(trials, folder, RUN_KILLS, draw)
        kills.book(trials, folder, BOOK_KILLS, draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files.damaged(trials, folder, DAMAGES, draw)
            files.full_disks(trials, folder, FULL_DISKS)
            files.strangers(trials, folder)
    calls.command_lines(trials, COMMAND_LINES)
    calls.library(trials, CALLS)
    table = trials.table()
    print(table.to_string(index=False))
    machine = f"{platform.machine()} {os.cpu_count()} cores Python {platform.python_version()}"
    target = provenance.PROJECT / "results" / "trials" / "faults.csv"
    table.assign(commit=provenance.commit(), machine=machine).to_csv(target, index=False)
    return int(table.lost.sum() > 0)


if __name__ == "__main__":
    sys.exit(main())
