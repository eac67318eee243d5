"""`python -m pipeline`: bring everything up to date, and say where the book is."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, suppress
from types import FrameType

import pytask

from companion.experiments import lock
from pipeline import paths, progress, project, worker
from pipeline.chapter import Chapter


def main() -> None:
    """Run the tasks, several at a time, and print the book's address.

    Arguments are handed to pytask: `python -m pipeline -k execute` runs the chapters and what they need,
    `--explain` says why a task would run.
    """
    with ExitStack() as stack:
        try:
            request = project.request()
            for path in project.notebook_sources():
                Chapter.read(path).check_parameters(request.parameters)
            if said := project.said_of_code():
                print(said)
            threads = worker.AT_ONCE
            if address := os.environ.get("COMPANION_DASK_ADDRESS"):
                from pipeline import cluster  # Here, since Dask takes a while to import.

                stack.enter_context(cluster.connected(address, worker.AT_ONCE))
                # One for each run: those that wait are in Dask's queue, which a worker may join at any time.
                threads += len(project.plan())
        except ValueError as error:
            sys.exit(str(error))
        os.chdir(paths.ROOT)
        _stop_at_once()
        # A second build of this folder waits for the first.
        stack.enter_context(lock.alone(paths.EXECUTED, "a build", waiting=progress.board.line))
        parallel = ["-n", str(threads), "--parallel-backend", "threads"] if threads > 1 else []
        try:
            pytask.cli(["build", *parallel, *sys.argv[1:]])
        except SystemExit as end:
            if end.code:
                raise
    if len(sys.argv) == 1:
        print(f"The book (tier {request.tier}): {paths.HTML / 'index.html'}")


def _stop_at_once() -> None:
    """At Ctrl-C or SIGTERM end the build and all that it started, in one line, with the signal's status.

    pytask would end as if all had been done, and wait for what still runs.
    """
    former = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda again, _: os._exit(128 + again))
        os.write(1, b"\nStopped; the same command goes on where it was.\n")
        worker.end_all()
        if callable(former) and former is not signal.default_int_handler:
            with suppress(KeyboardInterrupt):
                former(number, frame)  # A Dask cluster's, which frees the threads that wait for it.
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)


if __name__ == "__main__":
    main()
