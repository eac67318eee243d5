"""What a number format adds to an estimate, and chapter 5's sentences on it, from tables written by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from companion.book import precision_figures

NAMES = ["model", "sigma", "variant", "precision", "spread_within_image", "mean"]


def table(tf32_at_large: float = 3.0) -> pd.DataFrame:
    """Return measurements of two networks whose formats add 4 at sigma 0.1 and 400 at 0.01, or nothing."""
    rows = [
        (model, sigma, variant, precision, spread, -10.0)
        for model in ("baseline", "score_matching")
        for variant in ("forward", "central")
        for sigma, spreads in (
            (0.01, (3.0, 3.0, 5.0)),
            (0.001, (300.0, 500.0, 500.0)),
        )
        for precision, spread in zip(("float32", "tf32", "bfloat16"), spreads, strict=True)
    ]
    found = pd.DataFrame(rows, columns=NAMES)
    found.loc[(found["precision"] == "tf32") & (found["sigma"] == 0.01), "spread_within_image"] = (
        tf32_at_large
    )
    return found.assign(standard_error=1.0, hutchinson_mean=-8.0, images=200, probes=16)


def test_what_a_format_adds_is_the_root_of_the_difference_of_the_variances() -> None:
    more = precision_figures.added(table())
    assert more.loc[("baseline", 0.01), "bfloat16"] == pytest.approx(4.0)
    assert more.loc[("baseline", 0.001), "tf32"] == pytest.approx(400.0)
    assert pd.isna(more.loc[("baseline", 0.01), "tf32"])


def test_the_rule_says_how_much_tf32_changes_where_sigma_is_large_whichever_way() -> None:
    for spread in (3.3, 2.7):
        words = precision_figures.in_words(table(spread))
        assert "TF32 changes the scatter of a sample by at most 10.00 %" in words["gpu_rule"]
    assert "At 0.001 the central estimate's scatter in TF32 is 1.67 and 1.67 times" in words["gpu_rule"]


def test_growth_is_told_only_where_a_format_adds_something_at_both_sigmas() -> None:
    growth = precision_figures.in_words(table())["gpu_growth"]
    assert "100-fold for bfloat16 (baseline)" in growth
    assert "TF32" not in growth


def test_the_figure_has_a_curve_for_each_format_and_network_and_a_line_of_slope_minus_two() -> None:
    found = precision_figures.measured()
    left, right = precision_figures.lost_digits(found).axes
    assert len(left.lines) == 2 * len(precision_figures.FORMATS)
    lines = [line for line in right.lines if line.get_linestyle() != "None"]
    assert len(lines) == 4
    for line in lines:
        (x0, y0), (x1, y1), _ = np.asarray(line.get_xydata())
        assert y0 / y1 == pytest.approx((x1 / x0) ** 2)
