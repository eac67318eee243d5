"""The stand-in's training: fifty short steps, a checkpoint after each, a log of every step ever taken."""

from __future__ import annotations

import os
import time

from tqdm import tqdm

from companion.experiments import shelf
from companion.experiments.settings import Settings

CHECKPOINT = "checkpoint.pt"


def train(settings: Settings, device: str = "cpu", progress: bool = True) -> None:
    """Train, or go on."""
    folder = shelf.directory(settings)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / CHECKPOINT
    begun = int(checkpoint.read_text(encoding="utf-8")) if checkpoint.exists() else 0
    for step in tqdm(range(begun, 50), initial=begun, total=50, desc=settings.run_id, disable=not progress):
        time.sleep(float(os.environ.get("TOY_STEP_SECONDS", "0")))
        with (folder / "steps.log").open("a", encoding="utf-8") as log:
            log.write(f"{step}\n")
        partial = checkpoint.with_suffix(".partial")
        partial.write_text(str(step + 1), encoding="utf-8")
        partial.replace(checkpoint)
    loss = settings.loss()
    weight = 1.0 if loss is None else loss.weight
    (folder / "history.csv").write_text(f"epoch,loss\n1,{weight}\n", encoding="utf-8")
    (folder / "weights.safetensors").write_text(f"{settings.run_id} {weight}", encoding="utf-8")
    (folder / "record.json").write_text("{}", encoding="utf-8")
    checkpoint.unlink()
