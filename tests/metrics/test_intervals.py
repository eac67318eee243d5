"""Intervals against scipy and hand-computed values."""

import math

import pytest
import torch
from scipy import stats

from companion.metrics.intervals import (
    Interval,
    independent_difference_interval,
    mean_interval,
    median_interval,
    paired_difference_interval,
    seed_interval,
    standard_error,
    wilson,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (1, 1), (8, 10), (595, 1000), (1000, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_equals_scipy(successes: int, n: int, confidence: float) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    interval = wilson(successes, n, confidence=confidence)
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)
    assert (interval.value, interval.n) == (successes / n, n)


def test_wilson_ends_are_exact_at_none_and_all() -> None:
    assert wilson(0, 50).low == 0.0
    assert wilson(50, 50).high == 1.0


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (0.5, 5)])
def test_wilson_refuses_impossible_counts(successes: float, n: int) -> None:
    with pytest.raises(ValueError, match="successes|n must"):
        wilson(successes, n)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_must_be_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match="0.95"):
        wilson(1, 2, confidence=confidence)


def test_seed_interval_equals_scipy_t_interval() -> None:
    values = [0.971, 0.968, 0.982]
    low, high = stats.t.interval(0.95, 2, loc=stats.tmean(values), scale=stats.sem(values))
    interval = seed_interval(values)
    assert interval.low == pytest.approx(low, rel=1e-9)
    assert interval.high == pytest.approx(high, rel=1e-9)


def test_mean_interval_is_mean_plus_minus_1_96_standard_errors() -> None:
    values = torch.tensor([0.0, 0.0, 1.0, 1.0])  # variance 1/3, standard error sqrt(1/12)
    interval = mean_interval(values)
    assert interval.value == 0.5
    assert interval.high - 0.5 == pytest.approx(1.959964 * math.sqrt(1 / 12), rel=1e-6)
    assert 0.5 - interval.low == pytest.approx(interval.high - 0.5)


def test_one_observation_has_no_interval_and_decides_nothing() -> None:
    interval = seed_interval([0.9])
    assert interval.value == pytest.approx(0.9)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.sign() == 0
    assert math.isnan(standard_error(torch.tensor([0.9])).item())


def test_paired_difference_equals_scipy_paired_t_test() -> None:
    first, second = [1.0, 2.1, 2.9, 4.2], [0.4, 1.9, 2.1, 3.5]
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    interval = paired_difference_interval(first, second)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert interval.sign() == 1
    assert paired_difference_interval(second, first).sign() == -1


def test_the_difference_of_two_intervals_adds_their_half_widths_in_squares() -> None:
    first, second = Interval(value=0.6, low=0.5, high=0.9, n=20), Interval(value=0.2, low=0.1, high=0.6, n=10)
    found = independent_difference_interval(first, second)
    assert found.value == pytest.approx(0.4)
    assert found.low == pytest.approx(0.4 - math.hypot(0.1, 0.4))
    assert found.high == pytest.approx(0.4 + math.hypot(0.3, 0.1))
    assert found.n == 10


def test_the_median_of_whole_numbers_has_the_order_statistics_around_it() -> None:
    interval = median_interval([5, 1, 4, 2, 3, 6])  # of 6 values, the first and the last: 1 - 2 / 2^6 > 0.95
    assert (interval.value, interval.low, interval.high, interval.n) == (3.5, 1.0, 6.0, 6)
    nothing = median_interval([])
    assert math.isnan(nothing.value)
    assert nothing.n == 0


def test_two_seeds_have_the_interval_of_students_t_with_one_degree_of_freedom() -> None:
    interval = seed_interval([0.9, 1.0])
    half_width = stats.t.ppf(0.975, 1) * 0.05  # the standard error of two values is half their distance
    assert (interval.low, interval.high) == pytest.approx((0.95 - half_width, 0.95 + half_width))
    assert interval.n == 2


def test_an_interval_that_ends_at_0_decides_nothing() -> None:
    assert Interval(value=1.0, low=0.0, high=2.0, n=3).sign() == 0
    assert Interval(value=-1.0, low=-2.0, high=0.0, n=3).sign() == 0


def test_a_paired_difference_has_the_confidence_that_was_asked_for() -> None:
    first, second = [1.0, 2.1, 2.9, 4.2], [0.4, 1.9, 2.1, 3.5]
    expected = stats.ttest_rel(first, second).confidence_interval(0.8)
    interval = paired_difference_interval(first, second, confidence=0.8)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_paired_difference_refuses_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        paired_difference_interval([1.0, 2.0, 3.0], [1.0, 2.0])


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]])
def test_intervals_refuse_what_is_no_vector(values: list) -> None:
    with pytest.raises(ValueError, match="non-empty vector"):
        mean_interval(values)


def test_frame_holds_the_interval() -> None:
    assert wilson(8, 10).to_frame().iloc[0].to_dict() == pytest.approx(
        {"value": 0.8, "low": 0.490162, "high": 0.943318, "n": 10}, rel=1e-5
    )
