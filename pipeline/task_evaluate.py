"""One task a trained run: its measurements, in its record and tables. The judge only judges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode, mark, task

from companion import runs
from pipeline import project, worker

plan = project.plan()
for settings in plan:
    if settings.name == "judge":
        continue
    folder = runs.directory(settings)
    code = runs.source_hash(runs.source_files("evaluate", settings))

    @mark.try_first
    @task(id=settings.run_id)
    def task_evaluate(
        run_id: str = settings.run_id,
        code: Any = PythonNode(value=code, hash=True),  # noqa: B008
        brief: bool = settings.name not in runs.METHODS,
        weights: Path = folder / "weights.safetensors",
        others: tuple[Path, ...] = project.needed_to_evaluate(settings, plan),  # noqa: B008
        record: Annotated[Path, Product] = folder / "record.json",
    ) -> None:
        """Evaluate one run."""
        worker.run(f"evaluate {run_id}", "evaluate", directory=str(record.parent), brief=brief)
