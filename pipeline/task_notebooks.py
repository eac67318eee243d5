"""Two tasks a chapter: execute its code, and carry its prose into the executed copy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode, task

from pipeline import notebooks, project, worker

request = project.request()
ours = project.made_for_notebooks(project.plan())
folders = {path.parent for path in ours}


def earlier_results() -> str:
    """Return a hash of all results that no task of this build makes: the committed ones, and those of other builds."""
    digest = hashlib.sha256()
    for place in ("results", "_runs"):
        for path in sorted((project.ROOT / place).rglob("*")):
            if path.suffix in (".json", ".csv", ".toml") and path.parent not in folders:
                digest.update(str(path.relative_to(project.ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


results = earlier_results()

for path in project.notebook_sources():
    chapter = notebooks.read_source(path)
    notebooks.check_parameters(chapter, request.parameters, path.name)
    reads = notebooks.reads_records(chapter, project.ROOT)
    kept = project.EXECUTED / ".cells" / request.label / f"{path.stem}.ipynb"
    key = notebooks.key(chapter, request.parameters, project.ROOT) + (results if reads else "")

    @task(id=f"{path.stem}-{request.label}")
    def task_execute(
        source: str = str(path.relative_to(project.ROOT)),
        key: Any = PythonNode(value=key, hash=True),  # noqa: B008
        records: tuple[Path, ...] = ours if reads else (),
        executed: Annotated[Path, Product] = kept,
    ) -> None:
        """Execute the code of one chapter."""
        worker.run(
            f"notebook {Path(source).stem}",
            "notebook",
            source=str(project.ROOT / source),
            target=str(executed),
            parameters=request.parameters,
        )

    @task(id=path.stem)
    def task_page(
        source: Path = path,
        executed: Path = kept,
        page: Annotated[Path, Product] = project.EXECUTED / f"{path.stem}.ipynb",
    ) -> None:
        """Carry the present prose of one chapter into its executed copy."""
        notebooks.merge(source, executed, page)
