"""The work itself, each piece in a process of its own: `python -m pipeline.worker <command> <JSON>`.

A task starts its piece with `run`, which shows the piece's progress and reports its failure. A piece ends
when the process that started it is gone, so that a killed build leaves nothing behind that writes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline import progress
from pipeline.paths import ROOT


def run(label: str, command: str, **arguments: object) -> None:
    """Run one piece of work in a process of its own, on one thread, its progress on the terminal.

    Raises:
        RuntimeError: it failed; the message is the end of what it wrote.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "COMPANION_BOOK": "1",  # live figures are made for a page, which has no kernel
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.worker", command, json.dumps(arguments)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    written = b""
    with progress.board.entry(label) as show:
        while chunk := os.read(process.stdout.fileno(), 65536):
            written = (written + chunk)[-20000:]
            show(written.decode(errors="replace"))
        status = process.wait()
    if status:
        lines = [line.rsplit("\r", 1)[-1] for line in written.decode(errors="replace").splitlines()]
        raise RuntimeError(f"{label} failed\n" + "\n".join(lines[-40:]))


def train(settings: dict[str, Any]) -> None:
    """Train a run, or go on with it. A run that these settings and this code have finished is left alone."""
    from companion import runs, training

    wanted = runs.Settings.from_dict(settings)
    if not runs.is_finished(wanted):
        checkpoint = runs.directory(wanted) / training.CHECKPOINT
        there = checkpoint.exists()
        try:
            training.train(wanted)
        except runs.RecordError:
            if not there or checkpoint.exists():
                raise
            training.train(wanted)  # The checkpoint was other code's, and is gone now.


def evaluate(directory: str, brief: bool) -> None:
    """Measure a trained run and complete its record; `brief`ly for those of the sweep."""
    from companion import evaluation

    evaluation.evaluate(Path(directory), brief=brief)


def notebook(source: str, target: str, parameters: dict[str, Any]) -> None:
    """Execute a chapter."""
    from pipeline import notebooks

    notebooks.execute(Path(source), Path(target), parameters, ROOT, progress=True)


def book(root: str = str(ROOT)) -> None:
    """Build the book; a warning is an error."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", root, "--path-output", root]
    subprocess.run([*command, "-q", "--all", "-n", "-W", "--keep-going"], check=True)


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run the command named on the command line."""
    _end_with_parent()
    commands = {function.__name__: function for function in (train, evaluate, notebook, book)}
    try:
        commands[sys.argv[1]](**json.loads(sys.argv[2]))
    except (ValueError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
