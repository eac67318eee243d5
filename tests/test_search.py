"""The rule of chapter 17, on tables written by hand and on the committed searches."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from companion.experiments import presets, search, series


def table(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    """Return candidates of 1,000 validation pictures: method, right, objective and squared norm."""
    found = pd.DataFrame(rows, columns=["method", "right", "objective", "squared norm"])
    return found.assign(of=1000.0)


def test_the_rule_admits_what_loses_one_point_and_takes_each_methods_own_extreme() -> None:
    found = search.by_rule(
        table(
            ("baseline", 900, 0, 5),
            ("score_matching", 890, -10, 5),
            ("score_matching", 950, -9, 5),
            ("score_matching", 889, -99, 5),
            ("anti_score_matching", 900, 40, 5),
            ("anti_score_matching", 900, 30, 5),
            ("gradient_norm", 900, 0, 2),
            ("gradient_norm", 900, -5, 3),
        )
    )
    assert found["admitted"].tolist() == [True, True, True, False, True, True, True, True]
    assert found["chosen"].tolist() == [True, True, False, False, True, False, True, False]


def test_a_run_that_diverged_or_was_not_made_is_not_admitted_and_none_is_chosen() -> None:
    found = search.by_rule(
        table(
            ("baseline", 900, 0, 5),
            ("score_matching", 950, math.nan, math.nan),
            ("gradient_norm", math.nan, math.nan, math.nan),
        )
    )
    assert found["admitted"].tolist() == [True, False, False]
    assert found["chosen"].tolist() == [True, False, False]


def test_of_several_schedules_the_one_with_most_right_is_taken_and_the_first_is_the_reference() -> None:
    found = search.by_rule(
        table(("baseline", 900, 0, 5), ("baseline", 920, 0, 5), ("gradient_norm", 895, 0, 1))
    )
    assert found["chosen"].tolist() == [False, True, True]


@pytest.mark.parametrize("tier", series.SEARCH)
def test_the_presets_are_what_the_rule_takes(tier: str) -> None:
    found = search.by_rule(search.candidates(tier))
    if (found["outcome"] == "not run").any():
        pytest.skip(f"the search of tier {tier} is not whole here")
    for settings in (series.search(tier)[row] for row in found.index[found["chosen"]]):
        ours = presets.preset(tier, settings.dataset, settings.method)
        if settings.method == "baseline":
            assert ours.learning_rate == settings.learning_rate
        else:
            assert ours.loss() == settings.loss()
