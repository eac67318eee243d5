"""`python -m pipeline`: bring everything up to date, and say where the book is."""

from __future__ import annotations

import os
import sys

import pytask

from pipeline import notebooks, paths, project


def main() -> None:
    """Run the tasks, several at a time, and print the book's address.

    Arguments are handed to pytask: `python -m pipeline -k execute` runs the chapters and what they need,
    `--explain` says why a task would run.
    """
    try:
        request = project.request()
        for path in project.notebook_sources():
            notebooks.check_parameters(notebooks.read_source(path), request.parameters, path.name)
    except ValueError as error:
        sys.exit(str(error))
    os.chdir(paths.ROOT)
    workers = min(4, os.cpu_count() or 1)
    parallel = ["-n", str(workers), "--parallel-backend", "threads"] if workers > 1 else []
    try:
        pytask.cli(["build", *parallel, *sys.argv[1:]])
    except SystemExit as end:
        if end.code:
            raise
    if len(sys.argv) == 1:
        print(f"The book (tier {request.tier}): {paths.HTML / 'index.html'}")


if __name__ == "__main__":
    main()
