"""The experiments' figures: the numbers of the records, and a word where there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion import data
from companion.book import axes, figures, paired, style, tables, training_figures
from companion.claims.paper import reported
from companion.experiments import methods, provenance, search

RECORDED: tuple[Callable[[str, str], Figure], ...] = (
    training_figures.learning,
    training_figures.density_in_training,
    paired.density_ratios,
    paired.figure_one,
    paired.pixel_perturbation,
    paired.orders,
    figures.map_qualities,
    figures.gradient_maps,
    figures.samples,
)


def said(figure: Figure) -> list[str]:
    """Return what is written in the panels of a figure."""
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.parametrize("draw", RECORDED, ids=lambda draw: draw.__name__)
def test_a_figure_says_so_where_nothing_was_run(
    draw: Callable[[str, str], Figure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    figure = draw("paper", "cifar100")
    assert axes.NOT_RUN in said(figure)
    figure.canvas.draw()


@pytest.mark.parametrize("draw", RECORDED, ids=lambda draw: draw.__name__)
def test_a_figure_of_committed_records_says_nothing_of_the_kind(draw: Callable[[str, str], Figure]) -> None:
    figure = draw("quick", "mnist5k")
    assert axes.NOT_RUN not in said(figure)


def test_networks_are_drawn_at_their_metrics_and_those_of_another_data_set_are_hollow() -> None:
    metrics = {"test_trace": "trace", "test_squared_norm": "norm"}
    frame = tables.run_metrics("quick", "mnist5k", [*metrics, "gan_test"])
    figure = figures.networks({"one": frame, "another": frame}, metrics, {"gan_test": "GAN-test"})
    trace, norm = figure.axes
    assert (trace.get_xscale(), norm.get_xscale(), norm.get_xlabel()) == ("symlog", "log", "norm")
    mine = frame[frame["model"] == "gradient_norm"]
    drawn = [line for line in norm.lines if line.get_color() == methods.METHODS["gradient_norm"].colour]
    assert [line.get_fillstyle() for line in drawn] == ["full", "none"]
    for line in drawn:
        assert np.allclose(np.column_stack(line.get_data()), mine[["test_squared_norm", "gan_test"]])
    for wrong in ({}, dict.fromkeys("abcd", frame)):
        with pytest.raises(ValueError, match="one to 3"):
            figures.networks(wrong, metrics, {"gan_test": "GAN-test"})


def test_a_column_of_samples_bears_the_name_of_its_class_also_without_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data.DATASETS["mnist5k"].first_classes == data.load("mnist5k").class_names
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    for tier, dataset, name in (("quick", "mnist5k", "3"), ("small", "cifar100", "bear")):
        first, *rest = figures.samples(tier, dataset).axes
        assert name in [ax.get_title() for ax in (first, *rest)]
        assert first.get_title() == data.DATASETS[dataset].first_classes[0]


def height(line: Line2D) -> float:
    """Return the height of a single mark."""
    return float(np.asarray(line.get_ydata(), dtype=float)[0])


def curve(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the thick curve that a legend calls so."""
    line = next(line for line in ax.lines if line.get_label() == label)
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def test_the_curves_are_the_records_numbers() -> None:
    rows = tables.run_rows("quick", "mnist5k", "density_ratio")
    logs = pd.Series(rows.groupby(["model", "sigma"])["log_ratio"].mean())
    mean_ratio, log_ratio, *_ = paired.density_ratios("quick", "mnist5k").axes
    for name in methods.METHODS:
        assert np.allclose(curve(log_ratio, style.MODEL_LABELS[name])[1], logs.loc[name])
        assert not np.allclose(curve(mean_ratio, style.MODEL_LABELS[name])[1], logs.loc[name])
    removed = tables.run_rows("quick", "mnist5k", "pixel_perturbation").set_index(
        ["model", "experiment", "attribution", "fraction"]
    )
    panels = paired.pixel_perturbation("quick", "mnist5k").axes
    for ax, experiment in zip(panels, ("own", "common"), strict=False):
        x, y = curve(ax, style.MODEL_LABELS["gradient_norm"])
        half = removed.loc[("gradient_norm", experiment, "gradient", 0.5), "value"]
        assert float(np.interp(0.5, x, y)) == pytest.approx(half.mean())


def test_a_difference_is_that_of_equal_seeds_and_of_one_pair_has_the_interval_of_its_images() -> None:
    rows = pd.DataFrame(
        {
            "model": ["baseline", "baseline", "gradient_norm", "gradient_norm", "score_matching"],
            "seed": [0, 1, 1, 0, 1],
            "x": 1.0,
            "y": [1.0, 10.0, 13.0, 2.0, 15.0],
            "error": [0.3, 3.0, 1.0, 1.0, 4.0],
        }
    )
    found = paired.differences(rows, "x", "y", "error").set_index("model")
    alone, together = (found.loc[name].to_dict() for name in ("score_matching", "gradient_norm"))
    assert (alone["value"], alone["n"]) == (5.0, 1)
    assert (together["value"], together["n"]) == (2.0, 2)
    # One pair, 15 - 10: errors of 4 and 3 add up to 5; without them there is no interval.
    assert alone["high"] - alone["value"] == pytest.approx(1.959964 * 5)
    # Two pairs, 1 and 3: Student's quantile for one degree of freedom is 12.706, the standard error 1.
    assert together["high"] - together["value"] == pytest.approx(12.706, rel=1e-4)
    assert np.isnan(paired.differences(rows, "x", "y").set_index("model").loc["score_matching", "low"])


def test_the_gan_test_has_a_mark_for_each_run_and_the_papers_numbers_in_a_panel_of_their_own() -> None:
    scores = tables.run_table("quick", "mnist5k", "gan_test")
    shown, apart = figures.gan_test("quick", "mnist5k", 0.1).axes
    marks = [
        line
        for line in shown.lines
        if line.get_marker() in ("o", "s") and np.size(np.asarray(line.get_ydata(), dtype=float)) == 1
    ]
    means = tables.seed_table("quick", "mnist5k", "gan_test")["value"].tolist()
    heights = sorted(height(line) for line in marks)
    assert heights == pytest.approx(sorted([*scores["value"], *means]))
    found = tables.paired_differences("quick", "mnist5k", "gan_test")["value"]
    drawn = [height(line) for line in apart.lines if line.get_marker() in ("s", "v", "^")]
    assert drawn == pytest.approx((100 * found).tolist())
    printed = [value / 100 for value in reported("cifar100.gan_test").values()]
    paper = figures.gan_test("small", "cifar100", 0.01).axes[2]
    assert sorted(height(line) for line in paper.lines) == pytest.approx(sorted(printed))
    assert len(figures.gan_test("small", "cifar10", 0.1).axes) == 2


def test_the_search_has_a_point_for_each_finished_candidate_and_a_ring_around_the_chosen_one() -> None:
    found = search.by_rule(search.candidates("quick"))
    axes = training_figures.search(found).axes
    for left, right, method in zip(axes[::2], axes[1::2], list(methods.METHODS)[1:], strict=True):
        mine = found[found["method"] == method].reset_index(drop=True)
        known = mine["objective"].notna()
        quantity = mine[methods.METHODS[method].sought[0]]
        for ax, values in ((left, mine["of"] - mine["right"]), (right, quantity)):
            full, hollow, ring = (line for line in ax.lines if line.get_linestyle() == "None")
            for line, rows in (
                (full, known & mine["admitted"]),
                (hollow, known & ~mine["admitted"]),
                (ring, mine["chosen"]),
            ):
                assert np.array_equal(line.get_xdata(), values[rows])
                # The first candidate has the topmost row.
                assert np.array_equal(line.get_ydata(), len(mine) - 1 - mine.index[rows])
        names = [label.get_text() for label in left.get_yticklabels()]
        assert [name[:2] for name in names] == mine["number"].tolist()
        assert sum(text.get_text() == "diverged" for text in left.texts) == (~known).sum()
