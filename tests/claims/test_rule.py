"""The rule, on intervals made by hand: what each kind of claim needs for each verdict."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

from companion.claims import Check, Comparison, Estimate, Finding, verdict
from companion.claims.rule import deciding, three_digits
from companion.metrics.intervals import Interval

NAN = math.nan


def comparison(low: float, high: float) -> Comparison:
    return Comparison(label="a - b", interval=Interval(value=(low + high) / 2, low=low, high=high, n=3))


def estimate(reported: float, low: float, high: float) -> Estimate:
    return Estimate(
        label="accuracy", reported=reported, interval=Interval(value=low, low=low, high=high, n=3)
    )


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ([(0.1, 0.5)], "reproduced"),
        ([(-0.5, -0.1)], "opposite"),
        ([(-0.1, 0.5)], "undecided"),
        ([(0.0, 0.5)], "undecided"),
        ([(NAN, NAN)], "undecided"),
        ([(0.1, 0.5), (0.2, 0.3)], "reproduced"),
        ([(0.1, 0.5), (-0.1, 0.3)], "undecided"),
        ([(0.1, 0.5), (-0.3, -0.1)], "opposite"),
        ([(-0.1, 0.5), (-0.3, -0.1)], "opposite"),
        ([(0.1, 0.5), (NAN, NAN)], "undecided"),
        ([], "undecided"),
    ],
)
def test_an_order_needs_every_interval_above_zero(
    intervals: list[tuple[float, float]], expected: str
) -> None:
    assert verdict("order", Finding(comparisons=[comparison(*ends) for ends in intervals])) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.1, 0.5), "holds for one network each"),
        ((-0.5, -0.1), "opposite for one network each"),
        ((-0.1, 0.5), "undecided"),
    ],
)
def test_an_order_of_one_network_each_is_never_called_reproduced(
    ends: tuple[float, float], expected: str
) -> None:
    single = replace(comparison(*ends), one_network=True)
    assert verdict("order", Finding(comparisons=[single])) == expected
    if expected != "undecided":
        also = comparison(*ends)
        assert verdict("order", Finding(comparisons=[also, single])) == expected


def test_the_detectable_difference_has_a_power_of_four_fifths() -> None:
    generator = torch.Generator().manual_seed(0)
    n, spread = 12, 2.0
    exact = Interval(value=0.0, low=-1.0, high=1.0, n=n)
    quantile = stats.t.ppf(0.975, n - 1)
    # The interval whose half-width is 1 has a standard error of 1 / quantile.
    size = float(Comparison(label="", interval=exact).detectable)
    error = 1 / quantile
    draws = size + error * math.sqrt(n) * torch.randn(20_000, n, generator=generator, dtype=torch.float64)
    means, errors = draws.mean(dim=1), draws.std(dim=1) / math.sqrt(n)
    power = float((means - quantile * errors > 0).double().mean())
    assert power == pytest.approx(0.8, abs=0.02)
    assert Comparison(label="", interval=exact, scale=spread).detectable == three_digits(spread * size)
    nothing = Interval(value=0.0, low=math.nan, high=math.nan, n=1)
    assert Comparison(label="", interval=nothing).detectable == ""


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [([1e-12], "holds"), ([1e-12, 1e-3], "does not hold"), ([NAN], "does not hold"), ([], "does not hold")],
)
def test_an_exact_claim_holds_if_every_deviation_is_within_its_tolerance(
    deviations: list[float], expected: str
) -> None:
    checks = [Check(label="c", deviation=d, allowed=1e-8, n=1) for d in deviations]
    assert verdict("exact", Finding(checks=checks)) == expected


def test_a_number_is_compared_only_on_the_papers_data_and_network() -> None:
    inside, outside = estimate(78.0, 77.0, 79.0), estimate(80.0, 77.0, 79.0)
    no_interval = estimate(78.0, NAN, NAN)

    def judged(*estimates: Estimate, data: bool = True, network: bool = True) -> str:
        return verdict("number", Finding(estimates=estimates, paper_data=data, paper_network=network))

    assert judged(inside) == "agrees"
    assert judged(inside, outside) == "differs"
    assert judged(no_interval) == "differs"
    assert judged(inside, network=False) == "other network"
    assert judged(inside, data=False) == judged(inside, data=False, network=False) == "other data"


def test_an_order_within_numbers_is_judged_on_any_data() -> None:
    finding = Finding(estimates=[estimate(78.0, 77.0, 79.0)], comparisons=[comparison(0.1, 0.2)])
    assert verdict("number", finding) == "other data; order reproduced"


@pytest.mark.parametrize("kind", ["exact", "order", "number"])
def test_without_a_record_nothing_is_judged(kind: str) -> None:
    assert (
        verdict(kind, Finding(missing="companion train", comparisons=[comparison(0.1, 0.2)])) == "not yet run"
    )


def test_an_opinion_is_only_shown() -> None:
    assert verdict("opinion", Finding(comparisons=[comparison(-2, -1)])) == "shown"


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'exact', 'order', 'number', 'opinion'"):
        verdict("fact", Finding())


def test_a_monte_carlo_check_passes_exactly_where_the_interval_contains_the_value() -> None:
    interval = Interval(value=1.0, low=0.8, high=1.2, n=100)
    assert Check.monte_carlo("c", interval, 1.19).passed
    assert not Check.monte_carlo("c", interval, 1.21).passed


def test_the_weakest_comparison_decides() -> None:
    strong, weak = comparison(10.0, 30.0), comparison(0.1, 0.5)
    assert deciding(Finding(comparisons=[strong, weak])) is weak
    missing = comparison(NAN, NAN)
    assert deciding(Finding(comparisons=[strong, missing])) is missing
    assert deciding(Finding()) is None


def test_a_comparison_of_logarithms_is_written_as_a_ratio() -> None:
    interval = Interval(value=math.log(3), low=math.log(2), high=math.log(4), n=3)
    assert str(Comparison(label="a / b", interval=interval, ratio=True)) == "a / b ×3 (×2 to ×4)"
    assert str(Comparison(label="a - b", interval=interval, scale=0.0)).startswith("a - b +0")
    alone = Interval(value=math.log(3), low=math.nan, high=math.nan, n=1)
    assert str(Comparison(label="a / b", interval=alone, ratio=True)) == "a / b ×3 (no interval)"


def test_a_comparison_in_thousands_is_written_without_an_exponent() -> None:
    interval = Interval(value=-11600.4, low=-62400.0, high=3.14159, n=3)
    assert str(Comparison(label="a - b", interval=interval)) == "a - b -11,600 (-62,400 to +3.14)"
    assert three_digits(999.7) == "1,000"
