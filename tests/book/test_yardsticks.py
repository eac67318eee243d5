"""The yardsticks of a density: eq. 2 at its best scale, differences from the same seed's baseline."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from companion.book import yardsticks
from companion.experiments import studies
from companion.experiments.methods import METHODS

QUALITY = "perturbation_own_gradient"


def measured() -> pd.DataFrame:
    return yardsticks.of_networks("quick", "mnist5k")


def test_the_best_scale_is_where_the_objective_of_scaled_logits_is_smallest() -> None:
    row = {"test_objective": -60.0, "test_trace": -80.0, "test_squared_norm": 40.0}
    found = yardsticks.yardsticks(pd.DataFrame([row])).iloc[0]
    scales = np.linspace(0.01, 5, 5000)
    values = scales * row["test_trace"] + scales**2 / 2 * row["test_squared_norm"]
    assert found["scale"] == pytest.approx(scales[values.argmin()], abs=1e-3)
    assert found["best"] == pytest.approx(values.min(), rel=1e-5)
    upward = yardsticks.yardsticks(pd.DataFrame([row | {"test_trace": 80.0}])).iloc[0]
    assert (upward["best"], upward["scale"], upward["off"]) == (0.0, -2.0, 3.0)


def test_a_gaussian_seen_under_itself_has_scale_one() -> None:
    generator = np.random.default_rng(0)
    precision = np.diag([1.0, 4.0, 9.0])
    x = generator.multivariate_normal(np.zeros(3), np.linalg.inv(precision), size=200_000)
    trace, norm = -np.trace(precision), ((x @ precision) ** 2).sum(axis=1).mean()
    row = {"test_objective": trace + norm / 2, "test_trace": trace, "test_squared_norm": norm}
    assert yardsticks.yardsticks(pd.DataFrame([row]))["off"].item() < 0.02


def test_differences_are_from_the_baseline_of_the_same_seed() -> None:
    frame = measured()
    differences = yardsticks.from_baseline(frame, [QUALITY])
    values = frame.set_index(["model", "seed"])[QUALITY]
    assert set(differences["model"]) == set(METHODS) - {"baseline"}
    for row in differences.to_dict("records"):
        expected = values[row["model"], row["seed"]] - values["baseline", row["seed"]]
        assert row[QUALITY] == pytest.approx(expected)


def test_the_figure_has_a_panel_for_each_data_set_and_yardstick_with_the_networks_in_it() -> None:
    frame = measured()
    figure = yardsticks.against_baseline({"one": frame, "none": frame.iloc[:0]}, QUALITY, "gain")
    above, empty, middle, _, below, _ = figure.axes
    expected = yardsticks.from_baseline(frame, ["denoising", "objective", QUALITY])
    mine = expected[expected["model"] == "gradient_norm"]
    colour = METHODS["gradient_norm"].colour
    for ax, x in ((above, 100 * mine["denoising"].dropna()), (middle, mine["objective"])):
        (drawn,) = [line for line in ax.lines if line.get_color() == colour and len(line.get_xdata()) > 0]
        assert np.allclose(drawn.get_xdata(), x)
        assert np.allclose(drawn.get_ydata(), 100 * mine.loc[x.index, QUALITY])
    assert below.get_xscale() == "log"
    assert [t.get_text() for t in empty.texts] == ["not run at this tier"]


def test_a_correlation_is_steady_only_if_no_kind_of_network_makes_it_alone() -> None:
    rows = [(kind, seed, 10.0 * place) for place, kind in enumerate(METHODS) for seed in range(3)]
    frame = pd.DataFrame(rows, columns=["model", "seed", "objective"])
    frame["objective"] += frame["seed"]
    frame = frame.assign(**dict.fromkeys(yardsticks.YARDSTICKS, frame["objective"]))
    frame.loc[0, "denoising"] = math.nan
    frame["follows"] = -frame["objective"]
    frame["apart"] = np.where(frame["model"] == "gradient_norm", -100.0, 0.0) + frame["seed"]
    found = yardsticks.rank_table(frame, {"follows": "one", "apart": "another"})
    found = found.set_index(["yardstick", "quality"])
    assert found.loc[("objective", "follows"), ["value", "least", "most", "sign"]].tolist() == [
        -1,
        -1,
        -1,
        -1,
    ]
    assert found["n"].unstack()["follows"][["denoising", "objective"]].tolist() == [11, 12]
    assert found.loc[("objective", "apart"), "sign"] == 0
    assert found.loc[("objective", "apart"), "most"] > 0


def test_the_noise_left_stands_beside_the_run_it_was_measured_on() -> None:
    frame = measured().set_index(["model", "seed"])
    table = studies.read("denoising").set_index(["tier", "dataset", "method", "seed", "part", "sigma"])[
        "loss"
    ]
    kept = frame["denoising"].dropna()
    assert set(kept.index) == {(method, seed) for method in METHODS for seed in (0, 1, 2)}
    for (method, seed), value in kept.items():
        assert value == table["quick", "mnist5k", method, seed, "whole", 0.1]
