"""Records made by hand, in a project of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from companion.experiments import files, methods, presets, provenance, records, shelf
from companion.experiments.settings import ROLES

Maker = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Return a function that writes a record with given metrics and history, without any weights.

    It is one of a run made on this machine, or, if asked for, a committed one.
    """
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)

    def make(
        name: str,
        seed: int,
        metrics: Mapping[str, float] | None = None,
        *,
        tier: str = "quick",
        dataset: str = "mnist5k",
        history: Mapping[str, list[float]] | None = None,
        status: str = "finished",
        diverged: Mapping[str, int] | None = None,
        committed: bool = False,
    ) -> Path:
        method = name if name in methods.METHODS else "score_matching"
        kind = name.partition("-")[0]
        role = kind if kind in ROLES else "model"
        settings = presets.preset(tier, dataset, method, seed, name=name, role=role)
        folder = shelf.committed_directory(settings) if committed else shelf.directory(settings)
        record = records.Record(
            tier=tier, dataset=dataset, method=method, name=name, seed=seed,
            settings=asdict(settings), status=status, diverged=diverged,
            commit="unknown", source_hash={}, versions={},
            device="by hand", seconds={"train": 10.0 + seed}, weights_sha256="", metrics={
                key: {"value": value, "low": value - 0.02, "high": value + 0.02, "n": 1000}
                for key, value in (metrics or {}).items()
            },
        )  # fmt: skip
        record.write(folder / "record.json")
        files.write_table(pd.DataFrame(history or {}), folder / "history.csv")
        return folder

    return make
