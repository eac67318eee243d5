"""The advice: numbers over seeds, the strongest evidence first, and the verdicts it rests on."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from companion import claims
from companion.experiments.methods import METHODS
from tests.claims.conftest import Maker

ACCURACY, NORM = "test accuracy, %", "squared gradient norm"


def test_numbers_are_means_over_seeds_and_what_has_no_record_is_left_out(make_run: Maker) -> None:
    values = (0.6, 0.61, 0.625)
    for name in METHODS:
        for seed, value in enumerate(values):
            make_run(name, seed, {"test_accuracy": 0.9, "squared_norm": value})
    frame = claims.advice(["quick"])
    assert set(frame["quantity"]) == {ACCURACY, NORM}
    rows = {(row["model"], row["quantity"]): row for row in frame.to_dict("records")}
    norm = rows["baseline", NORM]
    mean = sum(values) / 3
    assert norm["value"] == pytest.approx(mean)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / 2)
    assert norm["high"] == pytest.approx(mean + 4.302653 * spread / math.sqrt(3))
    assert norm["n"] == 3


def test_the_papers_network_comes_first_and_a_missing_record_is_named(make_run: Maker) -> None:
    make_run("baseline", 0, {"test_accuracy": 0.9})
    for name in METHODS:
        make_run(name, 0, {"test_accuracy": 0.7}, tier="paper", dataset="cifar100")
    shown = claims.wide(claims.advice())
    assert shown.index.tolist() == [("paper: CIFAR-100", ACCURACY), ("quick: MNIST-5k", ACCURACY)]
    assert shown.loc[("paper: CIFAR-100", ACCURACY), "baseline"] == "70 (68 to 72)"
    assert shown.loc[("quick: MNIST-5k", ACCURACY)].tolist().count("no record") == 3


def test_support_repeats_the_verdict_of_the_strongest_evidence() -> None:
    rows = [("bayes", "", "holds"), ("samples", "small", "reproduced"), ("samples", "quick", "undecided")]
    frame = pd.DataFrame(rows, columns=["id", "tier", "verdict"]).assign(parts=[[]] * len(rows))
    support = claims.support(frame).set_index("claim")
    assert support.loc["logits as densities", ["verdict", "tier"]].tolist() == ["holds", ""]
    assert support.loc["samples", ["verdict", "tier"]].tolist() == ["reproduced", "small"]
    assert support.loc["gradient maps", "verdict"] == "not judged"
