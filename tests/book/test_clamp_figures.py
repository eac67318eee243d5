"""The figures of the clamp: the numbers that they are given, at the places where they belong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from companion.book import axes, clamp_figures
from companion.experiments.methods import METHODS

HISTORY = pd.DataFrame(
    {"epoch": [1, 2], "trace_validation": [-50.0, 3000.0], "squared_norm_validation": [4.0, 25.0]}
)


def test_the_trace_is_drawn_over_training_and_counted_in_spreads_above_tau() -> None:
    left, right = clamp_figures.through_training({"digits": [HISTORY]}, tau=1000.0, sigma=0.01).axes
    assert np.allclose(left.lines[0].get_xydata(), [[0.5, -50.0], [1.0, 3000.0]])
    # 2 |grad f| / sigma is 400, then 1,000.
    assert np.allclose(right.lines[0].get_xydata(), [[0.5, -2.625], [1.0, 2.0]])
    assert "τ = 1,000" in [label.get_text() for label in left.get_yticklabels()]


def test_shares_below_a_threshold_are_drawn_beside_the_closed_form() -> None:
    h, grid = torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([2.0, 6.0])
    options = {"tau": 2.0, "thresholds": grid, "expected": torch.tensor([0.2, 0.8])}
    measured, closed, exact, balance, _ = (
        clamp_figures.draws(h, h.mean(dim=0), balance=0.1, **options).axes[1].lines
    )
    assert np.allclose(measured.get_ydata(), [0.25, 0.75])
    assert np.allclose(closed.get_ydata(), [0.2, 0.8])
    # The traces are 2 and 6: none is below the first threshold, one below the second.
    assert np.allclose(exact.get_ydata(), [0.0, 0.5])
    assert set(np.asarray(balance.get_ydata())) == {0.1}
    assert len(clamp_figures.draws(h, h.mean(dim=0), balance=-0.1, **options).axes[1].lines) == 4


def test_clamps_have_a_colour_each_and_the_papers_is_anti_score_matchings() -> None:
    histories = {"the paper's": [HISTORY, HISTORY], "another": [HISTORY]}
    left, right = clamp_figures.other_clamps(histories, tau=1000.0).axes
    colours = [line.get_color() for line in right.lines]
    assert colours[0] == colours[1] == METHODS["anti_score_matching"].colour != colours[2]
    assert np.allclose(left.lines[0].get_ydata(), [-50.0, 3000.0])
    assert np.allclose(right.lines[0].get_ydata(), [4.0, 25.0])


def test_a_figure_without_runs_says_so() -> None:
    for figure in (
        clamp_figures.through_training({}, tau=1000.0, sigma=0.01),
        clamp_figures.other_clamps({}, tau=1000.0),
    ):
        assert axes.NOT_RUN in [text.get_text() for ax in figure.axes for text in ax.texts]
        figure.canvas.draw()
