"""Training and evaluation on a Dask cluster, where COMPANION_DASK_ADDRESS names one.

pytask's own Dask back end would send every task there, chapters and book too, and show nothing of a task
before its end. So pytask keeps its threads, and a thread whose piece of work belongs on the cluster hands it
to Dask and waits. Dask gives it to a free worker, and to another one if that worker dies.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from uuid import uuid4

import cloudpickle
import dask.config
from distributed import Client, KilledWorker, LocalCluster, Reschedule, Status, get_worker

from pipeline import process, progress
from pipeline.paths import ROOT

# A worker imports nothing of the project: it may have been started in any folder, and before the last edit.
cloudpickle.register_pickle_by_value(process)
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@contextmanager
def connected(address: str, workers: int) -> Iterator[None]:
    """Be the client of a cluster until the block ends.

    Args:
        address: of a scheduler, for example `tcp://host:8786`; or `local`, for a cluster begun here.
        workers: how many the local cluster has.

    Raises:
        ValueError: no scheduler answers at the address; the message says what to do.
    """
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        target: str | LocalCluster = address
        if address == "local":
            # The workers inherit this: they leave Ctrl-C to the process that started them.
            interrupting = signal.signal(signal.SIGINT, signal.SIG_IGN)
            # Without a dashboard, Dask still serves its other pages at the dashboard's port.
            with dask.config.set({f"distributed.{kind}.http.routes": [] for kind in ("scheduler", "worker")}):
                target = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,  # pyright: ignore[reportArgumentType]
                    # What fails is told here. To Dask a heartbeat that meets the end is an error as well.
                    silence_logs=logging.CRITICAL,
                )
            stack.enter_context(target)
            target.loop.add_callback(target.scheduler.http_server.stop)  # pyright: ignore
            signal.signal(signal.SIGINT, interrupting)
        try:
            client = stack.enter_context(Client(target, timeout=10))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"COMPANION_DASK_ADDRESS={address}: no Dask scheduler answers there; give the address that "
                "`dask scheduler` prints, for example tcp://host:8786, or `local` for one on this machine"
            ) from error

        def interrupt(number: int, frame: FrameType | None) -> None:
            client.close()  # Frees the threads that wait, and the workers.
            signal.default_int_handler(number, frame)

        signal.signal(signal.SIGINT, interrupt)
        found = client.scheduler_info()["workers"]
        progress.board.line(f"  Dask cluster {address}: {len(found)} worker(s) now")
        yield


def run(label: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Run Python with these arguments on a worker; return its status and the end of what it wrote.

    Raises:
        RuntimeError: worker after worker died of it, or the connection to the cluster has ended.
    """
    client = Client.current()
    key = f"{label}-{uuid4().hex}"
    variables = {name: value for name, value in os.environ.items() if name.startswith("COMPANION_")}
    begun = 0

    def hear(event: tuple[float, str]) -> None:
        nonlocal begun
        begun += not event[1]
        if not event[1] and begun > 1:
            progress.board.line(f"  {label}: its worker was lost, another goes on with it")
        show(event[1])

    with progress.board.entry(label, waiting=True) as show:
        client.subscribe_topic(key, hear)
        # A lambda, since Dask would send a named function as its name.
        future = client.submit(lambda: _on_worker(key, arguments, str(ROOT), variables), key=key, pure=False)
        try:
            return future.result()
        except KilledWorker as error:
            raise RuntimeError(
                f"{label} failed: {error.allowed_failures + 1} workers died while they ran it; the same "
                "command goes on where it was"
            ) from error
        except CancelledError as error:
            raise RuntimeError(
                f"{label} stopped: the connection to the Dask cluster has ended; the same command goes on "
                "where it was"
            ) from error
        finally:
            client.unsubscribe_topic(key)


def _on_worker(
    key: str, arguments: Sequence[str], root: str, variables: Mapping[str, str]
) -> tuple[int, str]:
    """Run Python in the project's folder, telling the client once a second what it writes last.

    The first thing told is an empty text: it has begun.
    """
    if not Path(root).is_dir():
        return 1, f"{socket.gethostname()} does not see {root}: all workers must share this file system"
    worker = get_worker()
    worker.log_event(key, "")
    told = time.monotonic()
    piece = process.start(arguments, root, variables)

    def end_if_unwanted() -> None:
        while piece.poll() is None:
            task = worker.state.tasks.get(key)
            closing = worker.status not in (Status.running, Status.paused)
            if closing or task is None or task.state != "executing":
                piece.terminate()
            time.sleep(0.5)

    def tell(written: str) -> None:
        nonlocal told
        if time.monotonic() - told > 1:
            worker.log_event(key, written[-500:])
            told = time.monotonic()

    threading.Thread(target=end_if_unwanted, daemon=True).start()
    status, written = process.follow(piece, tell)
    if status == -signal.SIGTERM:
        raise Reschedule  # Not its own failure: a batch system is clearing this machine.
    return status, written
