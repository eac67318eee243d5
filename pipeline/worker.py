"""The work, each piece in a process of its own: a fork, or `python -m pipeline.worker <command> <JSON>`.

A task starts its piece with `run`, which shows the piece's progress and reports its failure. A piece ends
when the process that started it is gone, so that a killed build leaves nothing behind that writes.

Networks are trained and evaluated on the device that COMPANION_DEVICE names; on the CPU, if it is unset.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pipeline import forks, process, progress
from pipeline.paths import PDF, ROOT

AT_ONCE = min(4, os.cpu_count() or 1)
"""How many pieces run on this machine at a time."""
_pieces: set[Any] = set()
_lock = threading.RLock()  # The handler of a signal may find its own thread holding it.
_ended = threading.Event()
_places = threading.BoundedSemaphore(AT_ONCE)


def run(label: str, command: str, **arguments: object) -> None:
    """Run one piece of work in a process of its own, on one thread, its progress on the terminal.

    With COMPANION_DASK_ADDRESS set, training and evaluation run on a worker of that cluster.

    Raises:
        RuntimeError: it failed; the message is the end of what it wrote.
    """
    words = ["-m", "pipeline.worker", command, json.dumps(arguments)]
    if os.environ.get("COMPANION_DASK_ADDRESS") and command in ("train", "evaluate"):
        from pipeline import cluster  # Here, since Dask takes a while to import.

        status, written = cluster.run(label, words)
    else:
        with _places, progress.board.entry(label) as show:
            status, written = _followed(words, show)
    if status:
        how = f", killed by signal {-status}" if status < 0 else ""
        raise RuntimeError(f"{label} failed{how}\n{written}")


def _followed(words: list[str], show: Callable[[str], None]) -> tuple[int, str]:
    with _lock:
        if _ended.is_set():
            return -signal.SIGTERM, ""
        piece = forks.piece(main, words[2:]) if forks.SUPPORTED else process.start(words, str(ROOT), {})
        _pieces.add(piece)
    try:
        return process.follow(piece, show)
    finally:
        with _lock:
            _pieces.discard(piece)


def end_all() -> None:
    """End every piece that runs on this machine, and let none begin."""
    with _lock:
        _ended.set()
        for piece in _pieces:
            piece.terminate()


def _alone(folder: Path, what: str) -> AbstractContextManager[None]:
    """Keep a run's folder to one process; a second one waits, and says for whom.

    Where a Dask worker was lost, its piece may live a moment longer, beside the one that goes on with it.
    """
    from companion.experiments import lock

    return lock.alone(folder, f"{what} of {folder.name}", waiting=lambda words: print(words, flush=True))


def _device() -> str:
    return os.environ.get("COMPANION_DEVICE") or "cpu"


def train(settings: dict[str, Any]) -> None:
    """Train a run, or go on with it. A run that these settings and this code have finished is left alone."""
    from companion.experiments import shelf, training
    from companion.experiments.settings import Settings

    wanted = Settings.from_dict(settings)
    with _alone(shelf.directory(wanted), "training"):
        if not shelf.is_finished(wanted):
            training.train(wanted, device=_device())


def evaluate(directory: str, brief: bool) -> None:
    """Measure a trained run and complete its record; `brief`ly for those of the sweep."""
    from companion.experiments import evaluation

    with _alone(Path(directory), "evaluation"):
        evaluation.evaluate(Path(directory), device=_device(), brief=brief)


def notebook(source: str, target: str, parameters: dict[str, Any]) -> None:
    """Execute a chapter."""
    from pipeline import notebooks

    forked = multiprocessing.parent_process() is not None
    notebooks.execute(Path(source), Path(target), parameters, ROOT, progress=True, fork=forked)


def book(root: str = str(ROOT), builder: str = "html") -> None:
    """Build the book, as pages or, with the builder `singlehtml`, as one; a warning is an error."""
    import pipeline.quick_jupyter  # noqa: F401

    # isort: split
    from jupyter_book.cli.main import main as jupyter_book

    if builder == "html":  # The PDF is of an earlier book.
        (Path(root) / PDF.relative_to(ROOT)).unlink(missing_ok=True)
    how = ["--builder", builder, "-q", "--all", "-n", "-W", "--keep-going"]
    jupyter_book(["build", root, "--path-output", root, *how])


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(words: Sequence[str]) -> None:
    """Run a command: its name, and its arguments as JSON."""
    commands = {function.__name__: function for function in (train, evaluate, notebook, book)}
    try:
        commands[words[0]](**json.loads(words[1]))
    except (ValueError, RuntimeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except OSError as error:
        sys.exit(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))


if __name__ == "__main__":
    _end_with_parent()
    main(sys.argv[1:])
