"""One process at a time for a run's folder, or for a build; a second one is told who is at work there."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


class Busy(ValueError):
    """Another process is at work; the message says which."""


@contextmanager
def alone(folder: Path, what: str, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep a folder to this process for the block.

    The lock is a file beside the folder. The system gives it back when a process ends, in whatever way.
    Where a system has no such locks (Windows, some shared file systems) nothing is kept.

    Args:
        folder: need not be there.
        what: the work, for the sentence that another process is told: "training", "a build".
        waiting: is told who is at work, and then the end of that work is waited for; None refuses instead.

    Raises:
        Busy: another process is at work there, and `waiting` is None.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = folder.with_name(f".{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = _holder(file.read())
            if waiting is None:
                raise Busy(
                    f"{holder} is at work in {folder}: wait for it to end, or end it. What it has done is "
                    "kept, and the same command goes on from there"
                ) from None
            waiting(f"{holder} is at work in {folder}; waiting for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            yield
            return
        file.truncate(0)
        since = datetime.now().astimezone().strftime("%H:%M")
        file.write(json.dumps([what, os.getpid(), socket.gethostname(), since]))
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        what, number, host, since = json.loads(text)
    except ValueError:
        return "another process"
    return f"{what} (process {number} on {host}, since {since})"
