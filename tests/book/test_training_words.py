"""Sentences on training: single networks by their images, presets by the rule of the search."""

from __future__ import annotations

import pandas as pd
import pytest

from companion.book import training_words
from companion.experiments.methods import METHODS

OTHERS = [name for name in METHODS if name != "baseline"]


def differences(values: list[float], reach: float = 0.005) -> pd.DataFrame:
    """Return paired differences of the three penalties, with intervals."""
    rows = [
        {"model": name, "value": value, "low": value - reach, "high": value + reach, "n": 3}
        for name, value in zip(OTHERS, values, strict=True)
    ]
    return pd.DataFrame(rows)


def test_presets_that_lose_more_than_the_rule_allows_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_words, "paired_differences", lambda *_: differences([-0.005, -0.02, 0.03]))
    said = training_words.over_the_rule("quick", "mnist5k")
    assert said.startswith("Anti-score-matching loses more in whole runs than the 1 percentage point")
    monkeypatch.setattr(training_words, "paired_differences", lambda *_: differences([-0.005, 0.0, 0.03]))
    assert "No penalty loses more" in training_words.over_the_rule("quick", "mnist5k")


@pytest.mark.parametrize(
    ("shift", "words"),
    [(5.0, "is higher than"), (-5.0, "is lower than"), (0.0, "is not told from")],
)
def test_the_objective_is_said_whichever_way_it_moved(
    monkeypatch: pytest.MonkeyPatch, shift: float, words: str
) -> None:
    monkeypatch.setattr(
        training_words, "paired_differences", lambda *_: differences([shift, 0.0, 0.0], reach=1.0)
    )
    assert words in training_words.beyond_the_rule("quick", "mnist5k")


def test_a_single_network_is_told_apart_only_where_the_intervals_are_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = {"baseline": 0.6, "score_matching": 0.5, "anti_score_matching": 0.7, "gradient_norm": 0.61}
    rows = [{"model": name, "value": v, "low": v - 0.02, "high": v + 0.02} for name, v in ends.items()]
    monkeypatch.setattr(training_words, "model_table", lambda *_: pd.DataFrame(rows))
    said = training_words.single_networks("paper", "cifar100")
    assert "The intervals of score-matching (-10.0 points) lie below its own." in said
    assert "The intervals of anti-score-matching (+10.0 points) lie above its own." in said
    assert "do not tell it from gradient norm (+1.0 points)" in said
