"""`python -m pipeline`: bring everything up to date, and say where the book is."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import pytask

from pipeline import paths, project, worker
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
        parallel = ["-n", str(threads), "--parallel-backend", "threads"] if threads > 1 else []
        try:
            pytask.cli(["build", *parallel, *sys.argv[1:]])
        except SystemExit as end:
            if end.code:
                raise
    if len(sys.argv) == 1:
        print(f"The book (tier {request.tier}): {paths.HTML / 'index.html'}")


if __name__ == "__main__":
    main()
