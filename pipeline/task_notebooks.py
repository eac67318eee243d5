"""Two tasks a chapter: execute its code, and carry its prose into the executed copy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode, task

from pipeline import paths, project, worker
from pipeline.chapter import Chapter

request = project.request()
ours = project.made_for_notebooks(project.plan())
folders = {path.parent for path in ours}
RECORDS = paths.ROOT / "companion" / "experiments" / "shelf.py"
"""The module that a chapter reaches if it can read the records of trained networks."""
TRIALS, TABLES = paths.ROOT / "companion" / "book" / "trials.py", paths.ROOT / "results" / "trials"
"""The module that a chapter reaches if it can read the tables of faults, mutants and timings; and these."""


def earlier_results() -> str:
    """Return a hash of the results that no task of this build makes: committed ones, and other builds'.

    Chapters show them beside their own. Those of the tests' tier are shown nowhere else.
    """
    digest = hashlib.sha256()
    for place in ("results", "_runs"):
        for path in sorted((paths.ROOT / place).rglob("*")):
            name = path.relative_to(paths.ROOT / place)
            if name.parts[0] in {"trials", "tiny"} - {request.tier} or path.parent in folders:
                continue
            if path.suffix in (".json", ".csv", ".toml"):
                digest.update(f"{place}/{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


results = earlier_results()
trials = "".join(path.read_text(encoding="utf-8") for path in sorted(TABLES.glob("*.csv")))


def define(source: Path) -> None:
    """Add the two tasks of one chapter."""
    chapter = Chapter.read(source)
    files = chapter.files(paths.ROOT)
    decides = chapter.key(request.parameters, files, paths.ROOT)
    reads: object = PythonNode(value="nothing", hash=True)
    if RECORDS in files:
        decides, reads = decides + results, list(ours)
    if TRIALS in files:
        decides += trials
    kept = paths.EXECUTED / ".cells" / request.label / f"{source.stem}.ipynb"

    @task(id=f"{source.stem}-{request.label}")
    def task_execute(
        key: object = PythonNode(value=decides, hash=True),  # noqa: B008
        records: object = reads,
        executed: Annotated[Path, Product] = kept,
    ) -> None:
        """Execute the chapter's code."""
        arguments = {"source": str(source), "target": str(kept), "parameters": request.parameters}
        worker.run(f"notebook {source.stem}", "notebook", **arguments)

    @task(id=source.stem)
    def task_page(
        source: Path = source,
        executed: Path = kept,
        page: Annotated[Path, Product] = paths.EXECUTED / f"{source.stem}.ipynb",
    ) -> None:
        """Carry the chapter's present prose into its executed copy."""
        from pipeline import notebooks  # Here, since jupytext takes a second to import.

        notebooks.merge(source, executed, page)


for one in project.notebook_sources():
    define(one)
