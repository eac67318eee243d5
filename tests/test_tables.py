"""Tables over seeds, on records written by hand."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from companion.book import seeds, sentences, tables, words
from companion.claims import paper
from companion.experiments import presets, provenance, records, shelf


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, whose runs are those that a test writes."""
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    return tmp_path


def write_run(project: Path, name: str, seed: int, value: float | None, place: str = "results") -> Path:
    """Write a record with one metric, `score`, and return its folder."""
    folder = project / place / "quick" / "mnist5k" / f"{name}-seed{seed}"
    settings = asdict(presets.preset("quick", "mnist5k", name, seed))
    metric = {"value": value, "low": None, "high": 0.5, "n": 7}
    records.Record(
        tier="quick", dataset="mnist5k", method=name, name=name, seed=seed, settings=settings,
        status="finished",
        commit="", source_hash={}, versions={}, device="", seconds={}, weights_sha256="",
        metrics={"score": metric},  # type: ignore[arg-type]
    ).write(folder / "record.json")  # fmt: skip
    return folder


def test_seed_table_has_the_mean_students_interval_and_every_seed(project: Path) -> None:
    for seed, value in enumerate((0.97, 0.98, 0.99)):
        write_run(project, "baseline", seed, value)
    row = tables.seed_table("quick", "mnist5k", "score", ["baseline"]).iloc[0]
    assert row["value"] == pytest.approx(0.98)
    # t = 4.3027 with two degrees of freedom, s = 0.01.
    assert row["high"] - row["value"] == pytest.approx(4.3027 * 0.01 / math.sqrt(3), rel=1e-4)
    assert (row["n"], row["seed 0"], row["seed 2"]) == (3, 0.97, 0.99)


def test_seed_table_of_one_seed_has_no_interval_and_of_none_no_value(project: Path) -> None:
    write_run(project, "baseline", 4, 0.5)
    table = tables.seed_table("quick", "mnist5k", "score", ["baseline", "gradient_norm"])
    assert table["value"].isna().tolist() == [False, True]
    assert table["low"].isna().all()
    assert table["n"].tolist() == [1, 0]
    assert "no interval" in words.interval_text(table.iloc[0])
    assert words.interval_text(table.iloc[1]) == "not measured"
    assert words.direction(table.iloc[0]) == "not clearly different"


def test_what_rounds_to_nought_is_written_without_a_minus() -> None:
    row = {"value": -0.001, "low": -0.3, "high": -0.0}
    assert words.interval_text(row) == "0.00 (-0.30 to 0.00)"
    assert words.interval_text(row, "{:+.1f}", 100) == "-0.1 (-30.0 to +0.0)"


def test_run_table_keeps_the_records_own_interval_and_reads_null_as_nan(project: Path) -> None:
    write_run(project, "baseline", 0, 0.25)
    row = tables.run_table("quick", "mnist5k", "score", ["baseline"]).iloc[0]
    assert (row["value"], row["high"], row["n"]) == (0.25, 0.5, 7)
    assert math.isnan(row["low"])
    assert tables.run_table("quick", "mnist5k", "other", ["baseline"]).empty


def test_paired_differences_take_the_seeds_in_common_only(project: Path) -> None:
    for seed, value in ((0, 0.1), (1, 0.2), (2, 0.4)):
        write_run(project, "baseline", seed, value)
    for seed, value in ((1, 0.3), (2, 0.7), (3, 9.0)):
        write_run(project, "gradient_norm", seed, value)
    write_run(project, "gradient_norm", 0, None)
    (row,) = tables.paired_differences("quick", "mnist5k", "score", ["baseline", "gradient_norm"]).to_dict(
        "records"
    )
    # Differences 0.1 and 0.3: s = 0.1414, standard error 0.1, t = 12.706 with one degree of freedom.
    assert row["value"] == pytest.approx(0.2)
    assert row["low"] == pytest.approx(0.2 - 1.2706, abs=1e-3)
    assert (row["n"], row["sign"]) == (2, 0)


def test_differences_in_words_decide_by_the_interval_and_leave_out_a_method_without_a_run() -> None:
    values = {"baseline": (1.0, 2.0), "score_matching": (0.5, 1.5), "gradient_norm": (3.0, 1.0)}
    rows = [(name, seed, value) for name, pair in values.items() for seed, value in enumerate(pair)]
    found = pd.DataFrame(rows, columns=["model", "seed", "value"])
    # Differences -0.5 and -0.5; then 2 and -1: standard error 1.5, t = 12.706 with one degree of freedom.
    assert sentences.differences_in_words(found, "{:+.1f}") == (
        "Seed by seed, clearly above the baseline: none; "
        "clearly below: score-matching -0.5 (-0.5 to -0.5); "
        "undecided: gradient norm +0.5 (-18.6 to +19.6)."
    )


def test_rows_of_all_runs_are_averaged_over_seeds_at_each_combination_of_the_keys(project: Path) -> None:
    for seed, height in ((0, 1.0), (1, 3.0)):
        folder = write_run(project, "baseline", seed, 0.0)
        table = pd.DataFrame({"sigma": [0.2, 0.1], "ratio": [10 * height, height], "kind": ["a", "b"]})
        table.to_csv(folder / "curve.csv", index=False)
    write_run(project, "gradient_norm", 0, 0.0)  # It was not evaluated.
    rows = tables.run_rows("quick", "mnist5k", "curve")
    assert rows.columns.tolist() == ["model", "seed", "sigma", "ratio", "kind"]
    found = seeds.over_seeds(rows, ["model", "sigma"], "ratio")
    assert found["model"].tolist() == ["baseline"] * 2
    assert found["sigma"].tolist() == [0.2, 0.1]
    assert found["value"].tolist() == [20.0, 2.0]
    # The mean of two: t = 12.706 with one degree of freedom, standard error 1.
    assert found["high"].tolist()[1] == pytest.approx(2 + 12.706, abs=1e-3)
    assert sentences.runs_in_words("quick", "mnist5k", "curve") == "2 seeds of baseline"
    with pytest.raises(ValueError, match="'ratio', 'kind'"):
        seeds.over_seeds(rows, ["model", "noise"], "ratio")


def test_a_single_seed_takes_its_interval_over_images_and_several_do_not(project: Path) -> None:
    for name, drawn in (("baseline", (0,)), ("gradient_norm", (0, 1))):
        for seed in drawn:
            table = pd.DataFrame({"sigma": [0.1], "ratio": [1.0 + seed], "error": [0.5]})
            table.to_csv(write_run(project, name, seed, 0.4) / "curve.csv", index=False)
    assert (
        sentences.runs_in_words("quick", "mnist5k", "curve") == "1 seed of baseline; 2 seeds of gradient norm"
    )
    rows = tables.run_rows("quick", "mnist5k", "curve")
    one, two = seeds.over_seeds(rows, ["model", "sigma"], "ratio", "error").to_dict("records")
    assert one["high"] == pytest.approx(1 + 1.96 * 0.5, abs=1e-3)
    assert two["high"] == pytest.approx(1.5 + 12.706 * 0.5, abs=1e-3)
    table = tables.model_table("quick", "mnist5k", "score", ["baseline", "gradient_norm", "score_matching"])
    assert table["unit"].tolist() == ["images", "seeds", "seeds"]
    assert table["high"][0] == 0.5  # The record's own.
    assert table["n"].tolist() == [7, 2, 0]


def test_an_interval_decides_a_direction_only_if_it_excludes_nought() -> None:
    said = [words.direction({"low": low, "high": low + 1.0}) for low in (0.5, -0.5, -1.5)]
    assert said == ["higher", "not clearly different", "lower"]


def test_an_unknown_section_or_tier_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"cifar100\.gan_test"):
        paper.reported("table1")
    with pytest.raises(ValueError, match="'tiny', 'quick', 'small', 'paper'"):
        tables.seed_table("huge", "mnist5k", "gan_test")


def test_the_papers_table_1_is_read_as_printed() -> None:
    printed = {
        "baseline": 59.47,
        "anti_score_matching": 16.40,
        "gradient_norm": 80.07,
        "score_matching": 72.75,
    }
    assert paper.reported("cifar100.gan_test") == printed
    beside = tables.beside_reported(pd.DataFrame({"model": ["score_matching", "judge"]}), "cifar100.gan_test")
    assert beside["paper"].iloc[0] == pytest.approx(0.7275)
    assert math.isnan(beside["paper"].iloc[1])


def test_metrics_of_a_run_stand_in_one_row_and_a_run_that_lacks_one_is_left_out(project: Path) -> None:
    for seed, value in ((0, 0.1), (1, None)):
        write_run(project, "baseline", seed, value)
    found = tables.run_metrics("quick", "mnist5k", ["score"], ["baseline"])
    assert found.to_numpy().tolist() == [["baseline", 0, 0.1]]
    assert tables.run_metrics("quick", "mnist5k", ["score", "other"], ["baseline"]).empty


def test_rank_correlation_is_that_of_pandas_with_ties_and_its_interval_that_of_a_plain_bootstrap() -> None:
    source = np.random.default_rng(3)
    first = source.integers(0, 8, 25)
    second = first + source.integers(0, 8, 25)
    frame = pd.DataFrame({"first": first, "second": second})
    found = seeds.rank_correlation(first.tolist(), second.tolist())
    assert found.value == pytest.approx(frame.corr("spearman").iloc[0, 1], abs=1e-12)
    again = [frame.sample(25, replace=True, random_state=k).corr("spearman").iloc[0, 1] for k in range(500)]
    assert np.quantile(again, [0.025, 0.975]) == pytest.approx([found.low, found.high], abs=0.05)
    assert seeds.rank_correlation([3, 2, 1], [0.1, 0.2, 0.3]).value == -1


def test_rank_correlation_of_too_few_or_of_equal_numbers_is_nan() -> None:
    for pair in (([], []), ([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3])):
        assert math.isnan(seeds.rank_correlation(*pair).value)
    with pytest.raises(ValueError, match="finite"):
        seeds.rank_correlation([1, math.nan, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="3 and 2"):
        seeds.rank_correlation([1, 2, 3], [1, 2])


def test_the_trace_in_words_has_the_batches_mean_of_the_last_epoch_and_the_way_from_the_baseline() -> None:
    last = [run.history()["trace"].iloc[-1] for run in shelf.find_all("quick", "mnist5k", "score_matching")]
    words = sentences.trace_in_words("quick", "mnist5k")
    assert words.startswith("the target is -500. ")  # mu = 0.1, so c = 1e-3.
    assert f"mean trace is {sum(last) / len(last):,.0f} (" in words
    baseline = tables.seed_table("quick", "mnist5k", "test_trace", ["baseline"]).iloc[0]
    assert words.endswith("pulls down.") == (baseline["low"] > -500)
