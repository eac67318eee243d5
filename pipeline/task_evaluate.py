"""One task for each run whose experiments the book shows: its measurements, in its record and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode, mark, task

from companion.experiments import registry, shelf
from companion.experiments.settings import Settings
from pipeline import project, worker

plan = project.plan()


def define(settings: Settings) -> None:
    """Add the task of one run."""
    folder = shelf.directory(settings)
    code = registry.read().codes_of("evaluate", settings)
    needed = [folder / "weights.safetensors", *project.needed_to_evaluate(settings, plan)]

    @mark.try_first
    @task(id=settings.run_id)
    def task_evaluate(
        key: object = PythonNode(value=json.dumps(code), hash=True),  # noqa: B008
        weights: list[Path] = needed,  # noqa: B006
        record: Annotated[Path, Product] = folder / "record.json",
    ) -> None:
        """Evaluate the run; the runs of the sweep briefly."""
        arguments = {"directory": str(folder), "brief": settings.is_brief}
        worker.run(f"evaluate {settings.run_id}", "evaluate", **arguments)


for one in plan:
    if one.is_evaluated:
        define(one)
