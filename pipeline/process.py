"""A process of its own for a piece of work, here or on a Dask worker.

Dask workers are sent the code of this module, so it imports nothing of the project.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

FIXED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NO_COLOR": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "COMPANION_BOOK": "1",  # live figures are made for a page, which has no kernel
}


def start(arguments: Sequence[str], root: str, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start Python on one thread in the project's folder.

    Args:
        arguments: Python's.
        root: the project's folder.
        variables: of its environment, where this machine's own does not set them.
    """
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env={**variables, **os.environ, **FIXED, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def follow(process: Any, show: Callable[[str], None]) -> tuple[int, str]:  # noqa: ANN401
    """Hand what a process writes to `show`, until it ends; return its status and the end of what it wrote.

    Args:
        process: one that `start` has started, or a `forks.Fork`.
        show: is given the end of what was written until then, again and again.
    """
    written = b""
    while chunk := os.read(process.stdout.fileno(), 65536):
        written = (written + chunk)[-20000:]
        show(written.decode(errors="replace"))
    lines = [line.rsplit("\r", 1)[-1] for line in written.decode(errors="replace").splitlines()]
    return process.wait(), "\n".join(lines[-40:])
