"""Two penalties at the same price, on networks made up by hand: rule, differences and words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from companion.book import strengths
from companion.experiments import series

WEAK, MIDDLE, STRONG = 1e-4, 1e-3, 1e-2


def networks(lead: float = 0.1) -> pd.DataFrame:
    """Return a baseline and three weights of both penalties; the stronger, the better and the less accurate.

    Score-matching leads by so much at the same weight, but for a thousandth that differs from seed to seed.
    """
    rows = [("baseline", math.nan, seed, 0.98, 0.97, 0.5, 0.5, 0.5) for seed in range(3)]
    for method in strengths.PENALTIES:
        for step, weight in enumerate((WEAK, MIDDLE, STRONG)):
            for seed in range(3):
                quality = 0.5 + 0.1 * step + 0.2 * seed
                quality += (lead + 0.001 * seed) * (method == "score_matching")
                rows.append((method, weight, seed, 0.98 - 0.008 * step, 0.97, *[quality] * 3))
    columns = ["method", "λ", "seed", "validation_accuracy", "test_accuracy", *strengths.QUALITIES]
    return pd.DataFrame(rows, columns=columns)


def test_the_strongest_weight_that_keeps_to_the_price_is_taken() -> None:
    for price, weight in ((0.005, WEAK), (0.008, MIDDLE), (0.02, STRONG)):
        chosen = strengths.strongest_within(networks(), price)
        assert chosen == dict.fromkeys(strengths.PENALTIES, weight)


def test_the_price_is_paid_on_validation_images_and_not_on_test_images() -> None:
    found = networks()
    found.loc[found["λ"] == STRONG, "test_accuracy"] = 0.1
    assert strengths.strongest_within(found, 0.02)["gradient_norm"] == STRONG
    found.loc[found["λ"] == STRONG, "validation_accuracy"] = 0.1
    assert strengths.strongest_within(found, 0.02)["gradient_norm"] == MIDDLE


def test_a_weight_at_which_a_seed_diverged_is_not_taken() -> None:
    found = networks()
    lost = (found["λ"] == STRONG) & (found["seed"] == 1) & (found["method"] == "score_matching")
    chosen = strengths.strongest_within(found[~lost], 0.02)
    assert chosen == {"score_matching": MIDDLE, "gradient_norm": STRONG}


@pytest.mark.parametrize(("lead", "word"), [(0.1, "higher"), (-0.1, "lower")])
def test_differences_are_paired_by_seed_and_told_under_both_signs(lead: float, word: str) -> None:
    compared = strengths.at_equal_cost(networks(lead), 0.02)
    assert [one.label for one in compared] == list(strengths.QUALITIES.values())
    for one in compared:  # The seeds differ by 20 points, their pairs by a tenth of one.
        assert one.interval.value == pytest.approx(lead + 0.001)
        assert one.interval.high - one.interval.low < 0.01
    assert strengths.in_words(compared).count(f", {word}") == 3


def test_what_is_undecided_says_which_difference_would_have_shown() -> None:
    found = networks(0.0)
    mine = (found["method"] == "score_matching") & (found["seed"] == 0)
    found.loc[mine, "gan_test"] += 0.3
    said = strengths.in_words(strengths.at_equal_cost(found, 0.02)[:1])
    assert "undecided (" in said
    assert "would have shown four times in five)" in said
    assert "higher" not in said


def test_what_strength_buys_is_the_strongest_affordable_weight_minus_the_weakest() -> None:
    found = networks()
    first = series.STRENGTH_WEIGHTS["quick"]["gradient_norm"][0]
    found["λ"] = found["λ"].replace(WEAK, first).replace(MIDDLE, 10 * first).replace(STRONG, 100 * first)
    values = [one.interval.value for one in strengths.bought(found, "gradient_norm", 0.02)]
    assert values == pytest.approx([0.2] * 3)
    assert strengths.bought(found, "gradient_norm", 0.0) == []


def test_without_runs_nothing_is_compared_and_the_figure_says_so() -> None:
    empty = networks().iloc[:0]
    assert strengths.at_equal_cost(empty, 0.01) == []
    assert [ax.texts[0].get_text() for ax in strengths.curves(empty).axes] == ["not run at this tier"] * 4


def test_a_line_leads_through_the_means_over_seeds_less_the_baseline_of_the_same_seed() -> None:
    found = networks()
    found.loc[(found["method"] == "baseline") & (found["seed"] == 2), "gan_test"] = 0.8
    accuracy, samples, *_ = strengths.curves(found).axes
    heights = [
        np.asarray(line.get_ydata(), dtype=float)
        for panel in (accuracy, samples)
        for line in panel.lines
        if line.get_label() == "Gradient norm"
    ]
    assert heights[0] == pytest.approx([0, -0.8, -1.6], abs=1e-9)
    assert heights[1] == pytest.approx([10, 20, 30])  # Of the seeds 0, 20 and 40, less 0, 0 and 30.


def test_a_price_is_the_baselines_accuracy_minus_the_penaltys_on_validation_images() -> None:
    assert strengths.price(networks(), "gradient_norm", STRONG) == pytest.approx(0.016)
    assert math.isnan(strengths.price(networks(), "gradient_norm", 0.5))


def test_on_photographs_the_presets_and_one_weaker_penalty_are_compared() -> None:
    runs = {(run.method, run.penalty["weight"], run.role) for run in series.strengths("small")}
    assert runs == {
        ("score_matching", 1e-3, "model"),
        ("gradient_norm", 1e-1, "model"),
        ("gradient_norm", 1e-2, "strength"),
    }
    assert {run.dataset for run in series.strengths("small")} == {"cifar100"}
