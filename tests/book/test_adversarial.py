"""Adversarial training beside the paper's methods, on networks made up by hand and on the committed ones."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from companion import runs
from companion.book import adversarial
from companion.experiments import attacked, studies
from companion.experiments.presets import KIN_SEEDS, SEEDS_WITH_WEIGHTS


def networks(**effects: dict[str, float]) -> pd.DataFrame:
    """Return three seeds of each kind; a property is 1 + seed / 10, but where an effect is added."""
    rows = []
    for model in adversarial.NAMES:
        for seed in range(3):
            row = dict.fromkeys(adversarial.PROPERTIES, 1 + seed / 10)
            for name, effect in effects.get(model, {}).items():
                row[name] += effect + 0.001 * seed
            parts = {f"left_{part}": row["left_whole"] for part in attacked.PARTS}
            sizes = {f"right_{eps:g}": 0.5 for eps in (0.0, *attacked.EPS)}
            rows.append({"model": model, "seed": seed, **sizes, **row, **parts})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (0.5, 0.5, "both raise it"),
        (-0.5, -0.5, "both lower it"),
        (0.5, -0.5, "opposite"),
        (-0.5, 0.5, "opposite"),
        (0.0, 0.5, "adversarial training alone raises it"),
        (-0.5, 0.0, "score-matching alone lowers it"),
    ],
)
def test_what_two_trainings_share_is_told_by_the_signs_of_their_intervals(
    one: float, other: float, said: str
) -> None:
    effects = {
        model: {"gan_test": effect} if effect else {}
        for model, effect in (("score_matching", one), ("adversarial", other))
    }
    table = adversarial.shared(networks(**effects))
    assert table.loc["GAN-test, points", "in common"] == said
    assert set(table["in common"].drop("GAN-test, points")) == {"undecided"}  # No difference, no sign.


def test_a_difference_is_paired_by_seed_and_a_ratio_where_the_property_asks_for_one() -> None:
    found = networks(adversarial={"map_edge_correlation": 0.5})
    compared = adversarial.difference(found, "map_edge_correlation", "adversarial")
    assert compared.interval.value == pytest.approx(0.501)  # The seeds differ by 0.1, their pairs by 0.001.
    assert compared.interval.high - compared.interval.low < 0.01
    found.loc[found["model"] == "adversarial", "squared_norm"] /= 4
    ratio = adversarial.difference(found, "squared_norm", "adversarial")
    assert ratio.interval.value == pytest.approx(-math.log(4))
    assert str(ratio).startswith("squared gradient norm ×0.25")


@pytest.mark.parametrize(
    ("effect", "said"), [(0.5, "gradient norm"), (0.1, "score-matching"), (0.25, "undecided")]
)
def test_adversarial_training_is_nearer_to_whom_it_is_nearer_to_at_every_seed(
    effect: float, said: str
) -> None:
    found = networks(gradient_norm={"gan_test": 0.5}, adversarial={"gan_test": effect})
    assert adversarial.shared(found).loc["GAN-test, points", "nearer to"] == said


def test_what_the_study_lacks_is_left_out_of_its_own_property_alone() -> None:
    found = networks(adversarial={"right_0.1": 0.2, "gan_test": 0.2})
    found.loc[found["seed"] == 2, "right_0.1"] = math.nan
    assert adversarial.difference(found, "right_0.1", "adversarial").interval.n == 2
    assert adversarial.difference(found, "gan_test", "adversarial").interval.n == 3


def test_the_words_say_which_way_each_property_moves() -> None:
    found = networks(
        score_matching={"gan_test": 0.5, "left_whole": -0.5, "map_edge_correlation": 0.5},
        adversarial={"gan_test": 0.5, "test_accuracy": -0.5, "map_edge_correlation": -0.5},
    )
    words = adversarial.told(adversarial.shared(found))
    assert words["common_agree"] == "GAN-test (raised)"
    assert words["common_count"] == "1 of 10"
    assert words["common_against"] == "edge correlation"
    assert words["common_one"] == "noise left (lowered)"
    assert words["common_other"] == "accuracy (lowered)"
    assert words["common_unclear"].count(",") == 4  # Six of ten.


def test_figures_have_a_panel_a_property_and_a_line_a_kind() -> None:
    found = networks()
    figure = adversarial.properties(found)
    titles = [ax.get_title(loc="left").replace("\n", " ").replace("\xa0", " ") for ax in figure.axes]
    titles = [title.removesuffix(", %") for title in titles]
    assert titles == [one.label for one in adversarial.PROPERTIES.values()]
    (ax,) = adversarial.under_attack(found).axes
    labels = [line.get_label() for line in ax.lines if not str(line.get_label()).startswith("_")]
    assert labels[-1] == "Adversarial training"
    assert len(labels) == len(adversarial.NAMES)
    plt.close("all")


def test_the_parts_are_told_in_percent_of_the_noise_that_is_taken_away() -> None:
    found = networks()
    found["left_free"] = 0.75
    told = adversarial.parts(found)
    assert set(told["the mean logit alone"]) == {"25.0 (25.0 to 25.0)"}


def test_every_network_that_is_compared_has_its_record_and_its_row_of_the_study() -> None:
    found = adversarial.measured()
    for model in adversarial.NAMES:
        mine = found.loc[found["model"] == model]
        assert set(KIN_SEEDS) <= set(mine["seed"])
        assert sorted(mine.dropna()["seed"]) == list(SEEDS_WITH_WEIGHTS)


def test_a_row_of_the_study_is_what_the_weights_give() -> None:
    run = runs.find(*attacked.PLACE, "adversarial", 0)
    table = studies.read("attacked")
    (kept,) = table.loc[(table["method"] == "adversarial") & (table["seed"] == 0)].to_dict("records")
    assert kept["weights_sha256"] == run.record.weights_sha256
    few = attacked.measure(run, 40)
    for name in ("right_0", "right_fast", "right_0.1"):
        error = math.sqrt(kept[name] * (1 - kept[name]) / few["n"]) + 1 / few["n"]
        assert abs(few[name] - kept[name]) < 4 * error
    assert few["right_0"] >= few["right_fast"] >= few["right_0.1"] >= few["right_0.2"]
