"""Put the committed records beside the book's pages, under the path that they have in the repository.

The table of claims links to them. A link from a chapter, such as `../results/quick/mnist5k/baseline-seed0/
record.json`, leads to the same file in the built book and in a clone.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

FILES = ("record.json", "*.csv")


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Copy the records and their tables into the built book, in place of those of an earlier build."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = Path(app.srcdir) / "results", Path(app.outdir) / "results"
    shutil.rmtree(target, ignore_errors=True)
    for pattern in FILES:
        for file in source.glob(f"*/*/*/{pattern}"):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the end of the build."""
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
