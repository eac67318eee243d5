"""Processes that end at a moment of chance: training, evaluation, a book. What they go on to is compared.

A run that was killed again and again must end with the weights, curves and tables of one that was not; a book
with the same executed cells and pages. Nothing half-written may lie beside them, and no process may live on.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd

from benchmarks.faults.trials import Trials
from companion.experiments.files import sha256
from companion.experiments.settings import JUDGE_SEED
from tests import builds

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMAND = """
import sys
from companion import __main__
try:
    from companion.experiments import training
except KeyboardInterrupt:
    sys.exit(130)
training.CHECKPOINT_SECONDS = 0  # a checkpoint after each step
training.PROBED_IMAGES = 4
sys.exit(__main__.main())
"""
"""The `companion` command, with as many moments to be killed at as there can be."""


def _start(project: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        cwd=project,
        env=builds.environment(builds.ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _whole(project: Path, *words: str) -> float:
    """Let a command end; return how long it took."""
    began = time.monotonic()
    process = _start(project, *words)
    written, _ = process.communicate()
    assert process.returncode == 0, written.decode(errors="replace")
    return time.monotonic() - began


def _kill(process: subprocess.Popen, after: float, number: int) -> tuple[bool, str]:
    """End a process after some seconds; return whether it was still at work, and what it wrote."""
    time.sleep(after)
    alive = process.poll() is None
    process.send_signal(number)
    written, _ = process.communicate(timeout=60)
    return alive, written if isinstance(written, str) else written.decode(errors="replace")


def _left(folder: Path) -> list[str]:
    """Return the half-written files in a folder."""
    return [path.name for path in folder.rglob("*partial*")]


def _contents(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return what files hold, less the times that took their while."""
    found = {}
    for path in sorted(path for name in names for path in folder.glob(name)):
        if path.suffix == ".csv":
            found[path.name] = pd.read_csv(path).drop(columns="seconds", errors="ignore").to_csv()
        else:
            found[path.name] = sha256(path)
    return found


def runs(trials: Trials, folder: Path, kills: int, draw: random.Random) -> None:
    """Kill a training, then its evaluation, each until so many kills have hit it."""
    train = ("train", "--tier", "tiny", "--method", "score_matching", "--set", "epochs=2", "--set", "name=it")
    train += ("--quiet", "--threads", "1", "--directory", "run")
    evaluate = ("evaluate", "run", "--quiet", "--threads", "1")
    for method, seed in (("judge", JUDGE_SEED), ("baseline", 0)):  # The evaluation finds them under _runs/.
        _whole(folder, "train", "--tier", "tiny", "--method", method, "--seed", str(seed), "--quiet")
    for part, words, tables in (
        ("training", train, ("weights.safetensors", "history.csv")),
        ("evaluation", evaluate, ("*.csv", "pictures.safetensors")),
    ):
        right, killed = folder / f"{part}-right", folder / f"{part}-killed"
        if part == "training":
            for project in (right, killed):
                project.mkdir()
        else:
            for project in (right, killed):
                shutil.copytree(folder / "training-right", project)
        seconds = _whole(right, *words)
        hit = 0
        while hit < kills:
            number = draw.choice(SIGNALS)
            alive, written = _kill(_start(killed, *words), draw.uniform(0.3, 1.0) * seconds, number)
            if not alive:  # it had ended: begin again, and strike earlier
                seconds *= 0.8
                shutil.rmtree(killed)
                if part == "training":
                    killed.mkdir()
                else:
                    shutil.copytree(folder / "training-right", killed)
                continue
            hit += 1
            kind = f"{part}, {signal.Signals(number).name}"
            trials.add("kills", kind, "it died in a traceback" if "Traceback" in written else "")
        _whole(killed, *words)
        expected, found = _contents(right / "run", tables), _contents(killed / "run", tables)
        differ = [name for name in expected if found.get(name) != expected[name]]
        trials.add("kills", f"{part}: the end", f"differs in {differ}" if differ else "")
        left = _left(killed)
        trials.add("kills", f"{part}: half-written files", f"{left}" if left else "")


CHANCE = (
    r"\?v=\w+|state-\w+\.js|_images/\w+\.svg"  # addresses made from what is in a file
    r"|id=\"\w{8}-[\w-]+\"|\"model_id\": \"\w+\""  # of cells and widgets, drawn by Jupyter
    r"|<td class=\"text-right\"><p>[\d.]+</p>"  # seconds
)
"""What differs between two executions of a book to which nothing happened."""


def _pages(project: Path) -> dict[str, str]:
    """Return the text of a built book's pages, less what is left to chance."""
    html = project / "_build" / "html"
    pages = {name: (html / name).read_text(encoding="utf-8") for name in builds.page_names(html)}
    return {name: re.sub(CHANCE, "", text) for name, text in pages.items()}


def _outputs(project: Path) -> list[list[str]]:
    """Return what the cells of the executed chapters wrote."""
    found = []
    for path in sorted((project / "_executed").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found.append([str(output.get("text", "")) for cell in cells for output in cell.get("outputs", [])])
    return found


def _is_made(project: Path) -> bool:
    """Say whether there is nothing left to do for a book."""
    return " done " not in builds.pipeline(project).stdout


def book(trials: Trials, folder: Path, kills: int, draw: random.Random) -> None:
    """Kill the building of a small book, from its first chapter to its last page."""
    right = builds.copy_toy(folder / "book-right")
    began = time.monotonic()
    done = builds.pipeline(right)
    assert done.returncode == 0, done.stdout
    seconds = time.monotonic() - began
    project = builds.copy_toy(folder / "book-killed")
    hit = 0
    while hit < kills:
        number = draw.choice(SIGNALS)
        process = builds.start(project)
        alive, written = _kill(process, draw.uniform(0.2, 1.0) * seconds, number)
        if not alive or ("The book (tier" in written and _is_made(project)):
            seconds *= 0.8
            for name in ("_build", "_executed", "_runs"):
                shutil.rmtree(project / name, ignore_errors=True)
            (project / "pytask.lock").unlink(missing_ok=True)
            continue
        hit += 1
        wrong = [word for word in ("Succeeded", "The book (tier", "Traceback") if word in written]
        trials.add("kills", f"a book, {signal.Signals(number).name}", f"it wrote {wrong}" if wrong else "")
        try:
            builds.wait_for(lambda: not builds.processes_of(project), 15)
            alive_still = ""
        except AssertionError:
            alive_still = f"{builds.processes_of(project)} live on"
            for other in builds.processes_of(project):
                os.kill(other, signal.SIGKILL)
        trials.add("kills", "a book: orphans", alive_still)
    done = builds.pipeline(project)
    trials.add("kills", "a book: the end", done.stdout[-300:] if done.returncode else "")
    trials.add("kills", "a book: its cells", "" if _outputs(project) == _outputs(right) else "they differ")
    expected, found = _pages(right), _pages(project)
    differ = [name for name in expected if found.get(name) != expected[name]]
    trials.add("kills", "a book: its pages", f"{differ} differ" if differ else "")
    left = _left(project)
    trials.add("kills", "a book: half-written files", f"{left}" if left else "")
