"""What an evaluation has finished before it was interrupted."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file, save

from companion.experiments import files
from companion.experiments.measurements import Findings
from companion.metrics.intervals import Interval

SAID = "findings.json"
"""The file that is written last, with the SHA-256 of the others and of what it says itself."""
PICTURES = "pictures.safetensors"


def keep(findings: Findings, folder: Path, key: str) -> None:
    """Keep the findings until the evaluation is whole; the file that says so comes last."""
    digests = {PICTURES: files.write_atomically(folder / PICTURES, save(findings.pictures))}
    for name, table in findings.tables.items():
        digests[f"{name}.csv"] = files.write_table(table, folder / f"{name}.csv")
    said = {
        "key": key,
        "seconds": findings.seconds,
        "tables": list(findings.tables),
        "metrics": {name: asdict(interval) for name, interval in findings.metrics.items()},
        "digests": digests,
    }
    whole = {"sha256": _digest(said), "said": said}
    files.write_atomically(folder / SAID, json.dumps(whole).encode())


def kept(folder: Path, key: str) -> Findings | None:
    """Return what `keep` kept for the same key; None if there is nothing, or anything about it is damaged."""
    try:
        whole = json.loads((folder / SAID).read_text(encoding="utf-8"))
        said = whole["said"]
        if whole["sha256"] != _digest(said) or said["key"] != key:
            return None
        if any(files.sha256(folder / name) != sum_ for name, sum_ in said["digests"].items()):
            return None
        return Findings(
            metrics={name: Interval(**values) for name, values in said["metrics"].items()},
            tables={name: pd.read_csv(folder / f"{name}.csv") for name in said["tables"]},
            pictures=load_file(folder / PICTURES),
            seconds=said["seconds"],
        )
    except Exception:  # whatever is there, it is not what `keep` wrote: it is measured again
        return None


def _digest(said: object) -> str:
    return files.digest(json.dumps(said, sort_keys=True).encode())
