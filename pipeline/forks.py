"""Processes whose imports are done: forked from one that has imported what they use.

A small piece of work takes less time than its imports: Jupyter's to execute a chapter, PyTorch's and
Matplotlib's in its kernel. Python's fork server does them once a build (`preloaded`). Pieces are forked from
it, and a kernel from the piece that executes its chapter. Of the project, only the digits are read there: a
chapter that forgets an import fails here as it does in a reader's Jupyter.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

SUPPORTED = sys.platform == "linux" and os.environ.get("COMPANION_FORK") != "0"
"""Elsewhere it is impossible, or not safe; with COMPANION_FORK=0, pieces start afresh on Linux, too."""
INLINE = "module://matplotlib_inline.backend_inline"


class Fork:
    """A forked process, with what Jupyter and `process.follow` use of `subprocess.Popen`."""

    stdin = stderr = None

    def __init__(self, forked: BaseProcess, stdout: Connection | None = None) -> None:
        """Start it."""
        forked.start()
        assert forked.pid is not None
        self.pid, self.stdout = forked.pid, stdout
        self._process = forked
        self.terminate, self.kill = forked.terminate, forked.kill

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        self._process.join()
        status = self._process.exitcode
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


def piece(function: Callable[..., None], *arguments: object) -> Fork:
    """Call a module's function in a process that ends when this one does; what it writes is in `stdout`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.preloaded"])
    reader, writer = context.Pipe(duplex=False)
    with writer:
        return Fork(context.Process(target=_piece, args=(writer, function, arguments)), reader)


def _piece(output: Connection, function: Callable[..., None], arguments: Sequence[object]) -> None:
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    function(*arguments)


def kernel(arguments: Sequence[str], variables: Mapping[str, str]) -> Fork:
    """Start a Jupyter kernel, forked from this process."""
    context = multiprocessing.get_context("fork")
    return Fork(context.Process(target=_kernel, args=(arguments, variables)))


def _kernel(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    import matplotlib as mpl
    from ipykernel.kernelapp import IPKernelApp

    asyncio.set_event_loop(asyncio.new_event_loop())  # The other one is waiting for this kernel.
    os.setsid()  # Ctrl-C is for the process that executes the chapter.
    os.environ.update(variables)
    mpl.rcParams["backend"] = os.environ["MPLBACKEND"] = INLINE  # As every kernel does, before it imports.
    IPKernelApp.launch_instance(argv=list(arguments), parent_handle=os.getppid())  # It ends with its parent.
