"""Numbers, intervals and lists in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from companion._words import listed as listed
from companion.metrics.intervals import Interval


def interval_text(
    row: Mapping[str, Any] | pd.Series | Interval, form: str = "{:.2f}", scale: float = 1.0
) -> str:
    """Write a value with its interval, for a sentence or a cell: `0.60 (0.50 to 0.70)`.

    Args:
        row: value, low and high; and n, if it is known.
        form: the format of each number.
        scale: what the numbers are multiplied by: 100 for percent.

    Example:
        >>> from companion.metrics import seed_interval
        >>> interval_text({"value": 0.6, "low": 0.5, "high": 0.7})
        '0.60 (0.50 to 0.70)'
        >>> interval_text(seed_interval([0.6]))
        '0.60 (one seed, no interval)'
        >>> interval_text({"value": 0.0, "low": -0.001, "high": 0.01})  # what rounds to 0 has no sign
        '0.00 (0.00 to 0.01)'
    """
    values = _entries(row)
    value, low, high = (_written(form, scale * values[key]) for key in ("value", "low", "high"))
    if math.isnan(values["value"]):
        return "not measured"
    if not math.isnan(values["low"]):
        return f"{value} ({low} to {high})"
    return f"{value} ({'one seed, ' if values['n'] == 1 else ''}no interval)"


def led(lead: str, sentence: str) -> str:
    """Write a sentence behind words that lead to it.

    Example:
        >>> led("On digits", "None is better.")
        'On digits, none is better.'
    """
    return f"{lead}, {sentence[:1].lower()}{sentence[1:]}"


def counted(count: int, word: str) -> str:
    """Write a number of things: `1 seed`, `3 seeds`.

    Example:
        >>> counted(1, "seed"), counted(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{count} {word}{'s' * (count != 1)}"


def direction(
    row: Mapping[str, Any] | pd.Series | Interval,
    above: str = "higher",
    below: str = "lower",
    neither: str = "not clearly different",
) -> str:
    """Say which way a difference goes, by its interval and never by eye; `neither` if it holds 0 or is nan.

    Example:
        >>> direction({"low": 0.1, "high": 0.3}), direction({"low": -0.1, "high": 0.3})
        ('higher', 'not clearly different')
    """
    values = _entries(row)
    return above if values["low"] > 0 else below if values["high"] < 0 else neither


def sides(above: str, below: str, better: str = "better", worse: str = "worse") -> str:
    """Say what lies clearly above and what below, for a sentence of its own; `none` stands for nothing.

    Example:
        >>> sides("none", "none"), sides("a and b", "none")
        ('None is clearly better or worse.', 'Clearly better: a and b. None is clearly worse.')
        >>> sides("none", "c", "higher", "lower")
        'None is clearly higher. Clearly lower: c.'
    """
    if above == below == "none":
        return f"None is clearly {better} or {worse}."
    return " ".join(
        f"None is clearly {word}." if names == "none" else f"Clearly {word}: {names}."
        for word, names in ((better, above), (worse, below))
    )


def _written(form: str, value: float) -> str:
    """Format a number; one that is rounded to 0 is written as 0 itself would be, never as -0.00."""
    text = form.format(value)
    return form.format(0.0) if math.isfinite(value) and not any(c in "123456789" for c in text) else text


def _entries(row: Mapping[str, Any] | pd.Series | Interval) -> dict[str, float]:
    entries = asdict(row) if isinstance(row, Interval) else dict(row)
    return {key: float(entries.get(key, math.nan)) for key in ("value", "low", "high", "n")}
