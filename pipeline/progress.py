"""What the terminal shows: a line for each finished task, and below them what is going on right now.

This module is pytask's hook module (`[tool.pytask.ini_options]`): its functions are hooks.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import format_exception

from pytask import ExecutionReport, PTask, TaskOutcome, hookimpl

MARKS = {TaskOutcome.SUCCESS: "done", TaskOutcome.FAIL: "FAILED"}


class Board:
    """The last words of each running piece of work, on one line of the terminal, redrawn in place.

    Where the output is no terminal (a log), only the lines of finished tasks are written.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._drawn = 0.0

    @contextmanager
    def entry(self, label: str, *, waiting: bool = False) -> Iterator[Callable[[str], None]]:
        """Show `label`, or the last line that the yielded function was given, until the block ends.

        What is `waiting` is not shown before the function's first call.
        """
        ended = False

        def show(written: str) -> None:
            last = next(
                (part for part in reversed(written.replace("\r", "\n").split("\n")) if part.strip()), label
            )
            with self._lock:
                if not ended:  # The words of a Dask worker may come late.
                    self._texts[label] = last.strip()
                    self._draw()

        if not waiting:
            show(label)
        try:
            yield show
        finally:
            with self._lock:
                ended = True
                self._texts.pop(label, None)
                self._draw(now=True)

    def line(self, text: str) -> None:
        """Write a line above what is going on."""
        with self._lock:
            if sys.stdout.isatty():
                sys.stdout.write("\r\x1b[2K")
            sys.stdout.write(text + "\n")
            self._draw(now=True)

    def _draw(self, *, now: bool = False) -> None:
        if not sys.stdout.isatty():
            sys.stdout.flush()
            return
        if now or time.monotonic() - self._drawn > 0.1:
            width = shutil.get_terminal_size().columns - 1
            share = max(20, (width - 3 * len(self._texts)) // max(1, len(self._texts)))
            sys.stdout.write("\r\x1b[2K" + " | ".join(text[:share] for text in self._texts.values())[:width])
            sys.stdout.flush()
            self._drawn = time.monotonic()


board = Board()
_started: dict[str, float] = {}


@hookimpl
def pytask_execute_task_log_start(task: PTask) -> None:
    """Note when a task began."""
    _started[task.name] = time.monotonic()


@hookimpl(tryfirst=True)
def pytask_execute_task_log_end(report: ExecutionReport) -> bool:
    """Write a line for a task that did something, and why it failed; pytask's own signs are not shown."""
    mark = MARKS.get(report.outcome)  # pyright: ignore[reportArgumentType]
    if mark is not None:
        name = report.task.name.split("::")[-1].removeprefix("task_")
        seconds = time.monotonic() - _started[report.task.name]
        board.line(f"  {name:<60} {mark:>6} {seconds:6.1f} s")
    if report.outcome == TaskOutcome.FAIL and report.exc_info is not None:
        error = report.exc_info[1]
        board.line(str(error) if isinstance(error, RuntimeError) else "".join(format_exception(error)))
    return True
