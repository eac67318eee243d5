"""One task for each run whose experiments the book shows: its measurements, in its record and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode, mark, task

from companion import presets, runs
from companion.runs import Settings
from pipeline import project, worker

plan = project.plan()


def define(settings: Settings) -> None:
    """Add the task of one run."""
    folder = runs.directory(settings)
    code = runs.source_hash(runs.source_files("evaluate", settings))
    needed = [folder / "weights.safetensors", *project.needed_to_evaluate(settings, plan)]

    @mark.try_first
    @task(id=settings.run_id)
    def task_evaluate(
        key: object = PythonNode(value=code, hash=True),  # noqa: B008
        weights: list[Path] = needed,  # noqa: B006
        record: Annotated[Path, Product] = folder / "record.json",
    ) -> None:
        """Evaluate the run; the runs of the sweep briefly."""
        brief = settings.name not in runs.METHODS
        worker.run(f"evaluate {settings.run_id}", "evaluate", directory=str(folder), brief=brief)


for one in plan:
    if presets.is_evaluated(one):
        define(one)
