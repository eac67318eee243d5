"""`python -m companion mutants`: change the library in small ways, and see which changes no test notices.

mutmut makes the mutants of `companion/trace`, `losses` and `metrics` (in `mutants/`, see pyproject.toml) and
runs on each the tests that reach it; killed ones fail a test. About an hour on two cores; stopped, it goes on
where it was. With a number, that many drawn at random are tried: `python -m companion mutants 400`.

`mutants.csv` has a row a file. `survivors.csv` has each mutant that no test noticed, with what it changed.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys

import pandas as pd

from benchmarks import tables
from companion.experiments import provenance
from companion.metrics.intervals import wilson

ROOT = provenance.PROJECT
MUTANTS = ROOT / "mutants"
MUTMUT = (sys.executable, "-m", "mutmut")
SURVIVED, NO_TESTS = {0}, {5, 33}
"""Exit statuses of a mutant's tests, as mutmut keeps them; all others (failed, hung, crashed): killed."""
FATES = ("killed", "survived", "no test")


def statuses() -> dict[str, int | None]:
    """Return what became of each mutant: its tests' exit status, None if it was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted(MUTANTS.rglob("*.py.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def change(mutant: str) -> str:
    """Return the lines that a mutant changes, before and after."""
    shown = subprocess.run(
        [*MUTMUT, "show", mutant], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    )
    lines = [line for line in shown.stdout.splitlines() if re.match(r"[-+](?![-+])", line)]
    return " | ".join(" ".join(line.split()) for line in lines)


def main() -> None:
    """Try the mutants, and write the tables."""
    chosen: list[str] = []
    if len(sys.argv) > 1:
        if not statuses():  # Makes them, and tries the first.
            subprocess.run(
                [*MUTMUT, "run", "companion.trace.taylor.x_taylor__mutmut_1"], cwd=ROOT, check=True
            )
        names = sorted(statuses())
        chosen = random.Random(0).sample(names, min(int(sys.argv[1]), len(names)))
    subprocess.run([*MUTMUT, "run", *chosen], cwd=ROOT, check=True)
    tried = {name: status for name, status in statuses().items() if status is not None}
    if chosen:
        tried = {name: tried[name] for name in chosen}
    rows = []
    for name, status in tried.items():
        fate = "survived" if status in SURVIVED else "no test" if status in NO_TESTS else "killed"
        rows.append({"file": "/".join(name.split(".")[1:3]) + ".py", "fate": fate, "mutant": name})
    frame = pd.DataFrame(rows)
    table = pd.crosstab(frame["file"], frame["fate"])
    for fate in FATES:
        table[fate] = table.get(fate, 0)
    table = table[list(FATES)].reset_index()
    table.insert(1, "mutants", table[list(FATES)].sum(axis=1))
    share = wilson(sum(frame["fate"] == "killed"), len(frame))
    print(table.to_string(index=False))
    print(f"killed: {share.value:.3f} [{share.low:.3f}, {share.high:.3f}] of {share.n}")
    tables.write(table.assign(made=len(statuses())), tables.TRIALS / "mutants.csv", "mutmut")
    survivors = frame[frame.fate != "killed"]
    changes = [change(name) for name in survivors.mutant]
    tables.write(survivors.assign(change=changes), tables.TRIALS / "survivors.csv", "mutmut")


if __name__ == "__main__":
    main()
