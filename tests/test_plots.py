"""The book's figures: fixed colours, white at zero, symmetrical limits, text that stays text."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb

from companion.book import curves, plots, style
from companion.experiments.methods import METHODS


@pytest.fixture(autouse=True)
def _agg_and_no_figures_left():  # noqa: ANN202
    with mpl.rc_context({"backend": "Agg"}):
        yield
    plt.close("all")


def axes(count: int = 1) -> list:
    return list(plt.subplots(1, count, squeeze=False)[1].flat)


def relative_luminance(colour: str) -> float:
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_model_has_its_own_colour_marker_and_label() -> None:
    styles = [style.model_style(name) for name in style.MODEL_LABELS]
    for key in ("color", "marker", "label"):
        assert len({style[key] for style in styles}) == len(styles)
    with pytest.raises(ValueError, match="'baseline', 'score_matching'"):
        style.model_style("vgg")


def test_model_colours_have_a_contrast_of_3_to_white() -> None:
    # WCAG 1.4.11 asks 3:1 of graphics; the figures' paper is white.
    for colour in (style.model_style(name)["color"] for name in style.MODEL_LABELS):
        assert 1.05 / (relative_luminance(colour) + 0.05) >= 3


def test_signed_colours_are_white_at_zero_blue_below_and_orange_above() -> None:
    assert to_hex(style.SIGNED(0.5)) == "#ffffff"
    red_low, _, blue_low, _ = style.SIGNED(0.25)
    red_high, _, blue_high, _ = style.SIGNED(0.75)
    assert blue_low > red_low
    assert red_high > blue_high


def test_signed_maps_have_symmetrical_limits_each_shared_or_given() -> None:
    maps = torch.zeros(2, 3, 4, 4)
    maps[0, 0, 0, 0], maps[1, 2, 1, 1] = -2.0, 5.0
    maps[0, 1, 0, 0] = -1.0  # channels add up: -3
    each = plots.signed_maps(axes(2), maps, quantile=1.0)
    assert [image.get_clim() for image in each] == [(-3.0, 3.0), (-5.0, 5.0)]
    shared = plots.signed_maps(axes(2), maps, limit="shared", quantile=1.0)
    assert [image.get_clim() for image in shared] == [(-5.0, 5.0)] * 2
    assert plots.signed_maps(axes(2), maps, limit=0.5)[0].get_clim() == (-0.5, 0.5)


def test_a_map_of_zeros_is_white() -> None:
    (image,) = plots.signed_maps(axes()[0], torch.zeros(4, 4))
    assert np.asarray(image.to_rgba(np.zeros(1)))[0].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_pictures_and_titles_must_match_the_axes() -> None:
    with pytest.raises(ValueError, match="2 axes"):
        plots.signed_maps(axes(2), torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="1 titles for 2"):
        plots.show_images(axes(2), torch.zeros(2, 1, 4, 4), titles=["one"])
    with pytest.raises(ValueError, match="1 or 3"):
        plots.show_images(axes(2), torch.zeros(2, 2, 4, 4))
    with pytest.raises(ValueError, match="'each', 'shared'"):
        plots.signed_maps(axes()[0], torch.zeros(1, 4, 4), limit="all")


@pytest.mark.parametrize(("channels", "signed"), [(1, False), (3, False), (3, True)])
def test_image_grid_fills_rows_and_hides_the_rest(channels: int, signed: bool) -> None:
    images = torch.rand(5, channels, 6, 6)
    before = images.clone()
    figure = plots.image_grid(images, columns=3, signed=signed, titles=list("abcde"))
    drawn = [bool(ax.images) for ax in figure.axes]
    assert drawn == [True] * 5 + [False]
    assert [ax.get_title() for ax in figure.axes[:5]] == list("abcde")
    assert not figure.axes[5].axison
    assert torch.equal(images, before)


def test_band_spans_low_to_high_in_the_line_colour() -> None:
    frame = pd.DataFrame({"fraction": [0.0, 1.0], "value": [0.9, 0.4], "low": [0.8, 0.3], "high": [1.0, 0.5]})
    (ax,) = axes()
    line = curves.curve_with_band(ax, frame, model="gradient_norm")
    assert to_hex(line.get_color()) == METHODS["gradient_norm"].colour.lower()
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (0.3, 1.0)
    curves.curve_with_band(ax, frame.drop(columns=["low", "high"]), label="no interval")
    assert len(ax.collections) == 1
    with pytest.raises(ValueError, match="'fraction', 'value'"):
        curves.curve_with_band(ax, frame, y="accuracy")


def test_bars_have_the_models_colours_and_an_interval_unless_it_is_nan() -> None:
    frame = pd.DataFrame(
        {"model": ["baseline", "random"], "value": [0.6, 0.1], "low": [0.5, np.nan], "high": [0.8, np.nan]}
    )
    (ax,) = axes()
    bars = curves.bars_with_intervals(ax, frame)
    assert [to_hex(bar.get_facecolor()) for bar in bars] == ["#000000", "#8c8c8c"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Baseline", "Random"]
    segment = ax.collections[0].get_segments()[0]
    assert segment[:, 1].tolist() == pytest.approx([0.5, 0.8])


def test_labels_of_four_bars_do_not_overlap() -> None:
    with mpl.rc_context():
        style.use_style()
        names = list(METHODS)
        frame = pd.DataFrame({"model": names, "value": 0.5, "low": 0.4, "high": 0.6})
        figure, ax = plt.subplots()
        curves.bars_with_intervals(ax, frame)
        figure.canvas.draw()
        boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_heat_map_writes_numbers_legibly_and_leaves_missing_ones_blank() -> None:
    table = pd.DataFrame([[0.0, 1.0], [np.nan, 0.5]], index=["a", "b"], columns=["x", "y"])
    (ax,) = axes()
    curves.heat_map(ax, table, label="accuracy")
    assert [text.get_text() for text in ax.texts] == ["0.00", "1.00", "0.50"]
    assert [text.get_color() for text in ax.texts][:2] == ["black", "white"]
    image = curves.heat_map(axes()[0], table, centre=0.0)
    assert np.asarray(image.to_rgba(np.zeros(1)))[0].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_training_curves_show_the_mean_over_seeds_and_every_seed() -> None:
    frame = pd.DataFrame(
        {
            "method": ["baseline"] * 4,
            "seed": [1, 1, 2, 2],
            "epoch": [1, 2, 1, 2],
            "loss": [1.0, 2.0, 3.0, 6.0],
        }
    )
    (ax,) = axes()
    curves.training_curves(ax, frame, y="loss")
    *thin, mean = ax.lines
    assert [line.get_ydata().tolist() for line in thin] == [[1.0, 2.0], [3.0, 6.0]]
    assert mean.get_ydata().tolist() == [2.0, 4.0]
    assert mean.get_label() == "Baseline"
    with pytest.raises(ValueError, match="'vgg'"):
        curves.training_curves(ax, frame.assign(method="vgg"), y="loss")


def test_svg_keeps_text_on_white_paper_and_is_the_same_twice() -> None:
    def drawn() -> str:
        with mpl.rc_context():
            style.use_style()
            figure, ax = plt.subplots()
            ax.plot([0, 1], [0, 1])
            ax.set_title("What to see")
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            return buffer.getvalue()

    svg = drawn()
    assert ">What to see</text>" in svg
    assert "fill: #ffffff" in svg
    assert drawn() == svg
