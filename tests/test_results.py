"""The committed records: whole, where they say they are, and what the same code computes again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from companion.experiments import presets, provenance, series, shelf, training

RECORDS = sorted((provenance.PROJECT / "results").glob("*/*/*/record.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: "/".join(path.parts[-4:-1]))
def test_committed_record_is_whole_and_lies_where_it_says(path: Path) -> None:
    run = shelf.load(path.parent)
    assert run.settings.run_id == "/".join(path.parts[-4:-1])
    run.history()
    for name, metric in run.record.metrics.items():
        assert set(metric) == {"value", "low", "high", "n"}, name
        assert metric["low"] is None or metric["low"] <= metric["value"] <= metric["high"], name
    if (path.parent / "weights.safetensors").exists():
        run.model()


def test_every_run_of_the_quick_tier_is_committed() -> None:
    missing = [
        settings.run_id
        for settings in series.committed_plan("quick")
        if not (shelf.committed_directory(settings) / "record.json").exists()
    ]
    assert not missing


@pytest.mark.parametrize("tier", ["quick", "small"])
def test_committed_settings_are_those_of_the_presets(tier: str) -> None:
    for settings in series.committed_plan(tier):
        folder = shelf.committed_directory(settings)
        if (folder / "record.json").exists():
            assert shelf.load(folder).settings == settings


def test_committed_files_are_small_and_hold_no_photographs() -> None:
    for path in (provenance.PROJECT / "results" / "small").glob("*/*/*"):
        assert path.stat().st_size < 1e6, path
        if path.name == "pictures.safetensors":
            assert set(load_file(path)) == {"samples", "gradients"}, path


def test_the_first_of_the_two_judges_is_the_one_behind_the_records() -> None:
    for row in pd.read_csv(provenance.PROJECT / "results" / "small" / "judges.csv").to_dict("records"):
        judge, run = (
            shelf.load(shelf.committed_directory(presets.preset("small", row["dataset"], method, seed)))
            for method, seed in (("judge", None), (row["model"], row["seed"]))
        )
        assert row["first_width"] == judge.settings.width
        assert row["first_accuracy"] == judge.metric("test_accuracy")["value"]
        assert row["first"] / row["samples"] == run.metric("gan_test")["value"]
        assert row["both"] <= min(row["first"], row["second"])


def test_a_committed_training_is_computed_again_another_one_every_day(tmp_path: Path) -> None:
    candidates = [shelf.load(shelf.committed_directory(settings)) for settings in series.search()]
    learned = [run for run in candidates if run.metric("test_accuracy")["value"] > 0.9]
    committed = learned[date.today().toordinal() % len(learned)]
    again = training.train(committed.settings, directory=tmp_path, progress=False)
    # Another processor rounds otherwise, and training amplifies it.
    assert again.metric("test_accuracy")["value"] == pytest.approx(
        committed.metric("test_accuracy")["value"], abs=0.03
    )
    first, recorded = again.history().iloc[0], committed.history().iloc[0]
    for column in {"loss", "penalty", "squared_norm"} & set(recorded.index):
        assert first[column] == pytest.approx(recorded[column], rel=0.2, abs=0.01), column
