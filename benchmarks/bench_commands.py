"""Time the README's commands in a fresh clone, each as a whole process, and write the table beside this file.

    python -m benchmarks.bench_commands [FOLDER]

clones the repository's HEAD into FOLDER (a temporary one by default) and runs there, in this order: `make
setup`, `make test`, `make book`, the same again, the same after one changed paragraph of a page and of a
chapter. Nothing is averaged: a first build happens once. Peak memory is that of the largest single process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks import tables

PAGE, CHAPTER = Path("book/index.md"), Path("notebooks/05_trace_estimators.py")


def main() -> None:
    """Run every step and write `commands.csv`."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "companion"
    subprocess.run(["git", "clone", "--quiet", str(tables.HERE.parent), str(folder)], check=True)
    rows = []
    for step, command, bar in (
        ("install", "make setup", None),
        ("tests", "make test", 600),
        ("first build", "make book", 720),
        ("nothing changed", "make book", 15),
        ("a page's paragraph changed", "make book", 30),
        ("a chapter's paragraph changed", "make book", 30),
    ):
        if "paragraph" in step:
            change_a_paragraph(folder / (PAGE if "page" in step else CHAPTER))
        seconds, peak = measure(command, folder)
        row = {"step": step, "seconds": round(seconds, 1), "peak_memory_mb": round(peak), "bar_seconds": bar}
        print(row, flush=True)
        rows.append(row)
    tables.write(pd.DataFrame(rows).astype({"bar_seconds": "Int64"}), tables.HERE / "commands.csv")


def measure(command: str, folder: Path) -> tuple[float, float]:
    """Return a command's wall time in seconds and its largest process's peak memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen(command.split(), cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed; its folder is {folder}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def change_a_paragraph(path: Path) -> None:
    """Add a sentence to the first paragraph that has one."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(". ", ". This sentence is new. ", 1), encoding="utf-8")


if __name__ == "__main__":
    main()
