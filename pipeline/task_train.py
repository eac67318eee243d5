"""One task a run that must be trained here: history and weights, keyed on its settings and the code it uses."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pytask import Product, PythonNode, mark, task

from companion import runs
from pipeline import project, worker

for settings in project.plan():
    key = {"settings": asdict(settings), "code": runs.source_hash(runs.source_files("train", settings))}

    @mark.try_first
    @task(id=settings.run_id)
    def task_train(
        run_id: str = settings.run_id,
        values: dict[str, Any] = asdict(settings),  # noqa: B006, B008
        key: Any = PythonNode(value=json.dumps(key, sort_keys=True), hash=True),  # noqa: B008
        history: Annotated[Path, Product] = runs.directory(settings) / "history.csv",  # noqa: B008
        weights: Annotated[Path, Product] = runs.directory(settings) / "weights.safetensors",  # noqa: B008
    ) -> None:
        """Train one run, or go on with it."""
        worker.run(f"train {run_id}", "train", settings=values)
