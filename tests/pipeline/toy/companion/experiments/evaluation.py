"""The stand-in's evaluation."""

from __future__ import annotations

import json
from pathlib import Path


def evaluate(directory: Path, device: str = "cpu", brief: bool = False, progress: bool = True) -> None:
    """Complete the record: the accuracy is a quarter of the weight."""
    weight = float((directory / "weights.safetensors").read_text(encoding="utf-8").split()[-1])
    record = {"metrics": {"accuracy": {"value": weight / 4}}}
    (directory / "record.json").write_text(json.dumps(record), encoding="utf-8")
