"""The tables of measurements: each row says at which commit it was made, and on what machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from companion.experiments import provenance

HERE = Path(__file__).resolve().parent
TRIALS = provenance.PROJECT / "results" / "trials"
COMMIT = provenance.commit()
"""What the program was when it began: it may take an hour, and the project go on meanwhile."""


def machine(*packages: str) -> str:
    """Name the machine, its Python, and packages that decide how fast it is."""
    versions = [f"{name} {version(name).split('+')[0]}" for name in packages]
    system = f"{platform.machine()} {os.cpu_count()} cores Python {platform.python_version()}"
    return " ".join([system, *versions])


def write(table: pd.DataFrame, path: Path, *packages: str) -> None:
    """Write a table of what this program has measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = table.assign(commit=COMMIT, machine=machine(*packages))
    measured.to_csv(path, index=False, float_format="%.6g")
