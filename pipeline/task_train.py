"""One task a run to be trained here: history and weights, keyed on its settings and the code it uses."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode, mark, task

from companion.experiments import registry, shelf
from companion.experiments.settings import Settings
from pipeline import project, worker


def define(settings: Settings) -> None:
    """Add the task of one run."""
    folder = shelf.directory(settings)
    code = registry.read().codes_of("train", settings)
    decides = json.dumps({"settings": asdict(settings), "code": code}, sort_keys=True)

    @mark.try_first
    @task(id=settings.run_id)
    def task_train(
        key: object = PythonNode(value=decides, hash=True),  # noqa: B008
        history: Annotated[Path, Product] = folder / "history.csv",
        weights: Annotated[Path, Product] = folder / "weights.safetensors",
    ) -> None:
        """Train the run, or go on with it."""
        worker.run(f"train {settings.run_id}", "train", settings=asdict(settings))


for one in project.plan():
    define(one)
