"""What the metrics return: the columns of their tables, and the arithmetic of curves."""

import math

import pytest
import torch
from torch import nn

from companion import metrics
from companion.metrics import Curve
from companion.metrics.intervals import normal_quantile

FRACTIONS = torch.tensor([0.2, 0.4, 0.8], dtype=torch.float64)
SAMPLES = torch.tensor([[1.0, 3.0], [2.0, 2.0], [4.0, 0.0]], dtype=torch.float64)


def curve(fractions=FRACTIONS, samples=SAMPLES, score="accuracy"):
    return Curve.from_samples(fractions, samples, score)


def test_a_curves_table_has_a_row_a_fraction_with_its_normal_interval():
    frame = curve().to_frame(confidence=0.9)
    assert list(frame) == ["fraction", "value", "standard_error", "low", "high", "score", "n"]
    assert frame["fraction"].tolist() == FRACTIONS.tolist()
    assert frame["value"].tolist() == [2.0, 2.0, 2.0]
    assert frame["standard_error"].tolist() == pytest.approx([1.0, 0.0, 2.0])
    assert (frame["high"] - frame["value"]).tolist() == pytest.approx(
        [normal_quantile(0.9), 0, 2 * normal_quantile(0.9)]
    )
    assert (frame["value"] - frame["low"]).tolist() == pytest.approx(
        (frame["high"] - frame["value"]).tolist()
    )
    assert set(frame["score"]) == {"accuracy"}
    assert set(frame["n"]) == {2}


def test_an_area_is_the_mean_height_over_the_range_of_the_fractions():
    # Trapezoids: 1.5 * 0.2 + 3 * 0.4 of 0.6; and 2.5 * 0.2 + 1 * 0.4 of 0.6.
    assert curve().area().tolist() == pytest.approx([1.5 / 0.6, 0.9 / 0.6])
    assert curve(FRACTIONS[:2], SAMPLES[:2]).area().tolist() == pytest.approx([1.5, 2.5])


@pytest.mark.parametrize("fractions", [[0.2], [0.4, 0.2, 0.8], [0.2, 0.2, 0.8]])
def test_an_area_needs_fractions_that_increase(fractions):
    with pytest.raises(ValueError, match=r"two or more increasing fractions; got \[0\."):
        curve(torch.tensor(fractions), SAMPLES[: len(fractions)]).area()


def test_a_difference_is_image_by_image_and_says_what_it_is():
    found = curve().minus(curve(samples=SAMPLES + 1))
    assert torch.equal(found.per_sample, -torch.ones(3, 2, dtype=torch.float64))
    assert found.value.tolist() == [-1, -1, -1]
    assert found.standard_error.tolist() == [0, 0, 0]
    assert found.score == "difference in accuracy"
    assert torch.equal(found.fractions, FRACTIONS)


@pytest.mark.parametrize(
    "other",
    [
        curve(score="logit"),
        curve(FRACTIONS + 0.1),
        curve(samples=SAMPLES[:, :1]),
    ],
)
def test_a_difference_of_curves_that_do_not_fit_is_refused(other):
    with pytest.raises(ValueError, match="a paired difference needs two curves of one score"):
        curve().minus(other)


def test_a_relative_curve_divides_by_the_clean_images_wherever_they_stand():
    fractions = torch.tensor([0.5, 0.0], dtype=torch.float64)
    found = curve(fractions, torch.tensor([[1.0, 2.0], [4.0, 2.0]], dtype=torch.float64)).relative()
    assert found.value.tolist() == pytest.approx([0.5, 1.0])
    # r + (a - r c) / mean c for r = 1/2, c = (4, 2).
    assert found.per_sample[0].tolist() == pytest.approx([0.5 - 1 / 3, 0.5 + 1 / 3])
    assert found.standard_error[1].item() == 0
    assert found.score == "relative accuracy"


@pytest.mark.parametrize(
    ("fractions", "samples", "score", "words"),
    [
        ([0.0, 0.5], [[1.0], [1.0]], "logit", "a logit curve has no clean value"),
        ([0.1, 0.5], [[1.0], [1.0]], "accuracy", "put 0.0 among the fractions"),
        ([0.0, 0.5], [[0.0], [1.0]], "probability", "the probability of the clean images is 0"),
    ],
)
def test_a_relative_curve_without_a_clean_value_is_refused(fractions, samples, score, words):
    with pytest.raises(ValueError, match=words):
        curve(torch.tensor(fractions), torch.tensor(samples), score).relative()


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Softplus(), nn.Linear(8, 3)).eval()


@pytest.fixture
def x():
    return torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def test_density_ratios_table_has_every_column_of_each_noise_level(classifier, x):
    found = metrics.density_ratio(
        classifier, x, 1, sigmas=[0.1, 0.5], num_draws=3, generator=torch.Generator().manual_seed(0)
    )
    frame = found.to_frame()
    assert frame.pop("n").tolist() == [5, 5]
    assert frame.pop("num_draws").tolist() == [3, 3]
    assert frame.pop("sigma").tolist() == [0.1, 0.5]
    assert list(frame) == [
        "ratio",
        "ratio_standard_error",
        "log_ratio",
        "log_ratio_standard_error",
        "log_mean_ratio",
        "log_mean_ratio_standard_error",
        "median_ratio",
        "effective_sample_size",
    ]
    for name, column in frame.items():
        assert column.tolist() == getattr(found, str(name)).tolist()


def test_a_score_alignments_table_is_one_row(classifier, x):
    found = metrics.score_alignment(classifier, x, 1, torch.ones_like(x))
    frame = found.to_frame()
    assert frame.pop("n").tolist() == [5]
    assert list(frame) == [
        "squared_error",
        "squared_error_standard_error",
        "cosine",
        "cosine_standard_error",
        "squared_norm",
        "loss",
    ]
    assert all(frame[name].item() == getattr(found, name) for name in frame)


def test_a_hyvarinen_objectives_table_is_one_row(classifier, x):
    found = metrics.hyvarinen_objective(classifier, x, 1)
    frame = found.to_frame()
    assert frame.pop("n").tolist() == [5]
    assert list(frame) == [
        "value",
        "standard_error",
        "trace",
        "trace_standard_error",
        "half_squared_norm",
        "half_squared_norm_standard_error",
    ]
    assert all(frame[name].item() == getattr(found, name) for name in frame)
    assert found.value == pytest.approx(found.trace + found.half_squared_norm)


def test_image_qualitys_table_has_a_row_a_measure(x):
    found = metrics.sample_quality(x)
    frame = found.to_frame()
    assert tuple(frame.iloc[:, 0]) == found.names
    assert frame["value"].tolist() == found.value.tolist()
    assert frame["standard_error"].tolist() == found.standard_error.tolist()
    assert set(frame["n"]) == {5}


def test_total_variation_by_hand():
    image = torch.tensor([[0.0, 1.0], [0.5, 0.0]]).expand(1, 1, 2, 2)
    # Differences to the right and below: 1, 0.5; 0.5, 1.
    assert metrics.total_variation(image).item() == pytest.approx(3 / 4)
    assert math.isclose(metrics.total_variation(image.expand(2, 3, 2, 2))[1].item(), 0.75)
