"""Statistics over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from companion._support import choose
from companion.metrics.intervals import Interval, normal_quantile, paired_difference_interval, seed_interval


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, draws: int = 2000, seed: int = 0
) -> Interval:
    """Return Spearman's rank correlation, with a 95 % interval from drawing the pairs anew (bootstrap).

    Args:
        first: numbers, one a network, say.
        second: as many.
        draws: bootstrap samples; those in which all numbers are equal do not count.
        seed: of the draws.

    Returns:
        The correlation, -1 to 1; nan where there are fewer than three pairs or all numbers are equal.

    Raises:
        ValueError: the two do not have the same length, or a number is not finite.

    Example:
        >>> rank_correlation([1, 2, 3, 4], [2, 4, 8, 16]).value
        1.0
    """
    if len(first) != len(second):
        raise ValueError(f"the two must have the same length; got {len(first)} and {len(second)}")
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a rank correlation needs finite numbers; leave out the pairs that lack one")
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return replace(mean_over_seeds([]), n=len(x))
    drawn = np.random.default_rng(seed).integers(len(x), size=(draws, len(x)))
    found = spearman(x[drawn], y[drawn])
    low, high = np.quantile(found[np.isfinite(found)], [0.025, 0.975])
    return Interval(value=float(spearman(x, y)), low=float(low), high=float(high), n=len(x))


def steady_correlation(frame: pd.DataFrame, x: str, y: str) -> dict[str, float]:
    """Correlate the ranks of two columns over networks, and again with each kind of network left out.

    Args:
        frame: one row a network; `model` is its kind. Rows that lack one of the two do not count.
        x: a column.
        y: another.

    Returns:
        value, low, high (95 % bootstrap interval over networks), n, the networks that have both; least and
        most: the extremes when one kind of network is left out; and sign: 1 or -1 where interval and extremes
        all lie on that side of 0, else 0.
    """
    known = frame.dropna(subset=[x, y])
    one = rank_correlation(known[x].tolist(), known[y].tolist())
    rest = [known.loc[known["model"] != kind, [x, y]] for kind in known["model"].unique()]
    without = [float(spearman(*part.to_numpy(dtype=float).T)) if len(part) > 2 else math.nan for part in rest]
    least, most = min(without, default=math.nan), max(without, default=math.nan)
    sign = int(min(one.low, least) > 0) - int(max(one.high, most) < 0)
    return {**asdict(one), "least": least, "most": most, "sign": sign}


def over_seeds(
    frame: pd.DataFrame, keys: Sequence[str], value: str, error: str | None = None
) -> pd.DataFrame:
    """Average rows over seeds: one row for each combination of the keys, with its interval.

    Args:
        frame: rows with a column `seed`, as from `run_rows`; each combination has one row a seed.
        keys: the columns that stay, such as model and sigma.
        value: the column that is averaged.
        error: a column of standard errors, over images: the interval where there is one seed alone.

    Returns:
        The keys, value, low, high (Student's 95 % interval over seeds) and n (seeds); it fits
        `curves.curve_with_band` after a choice of the model.

    Raises:
        ValueError: a column that the frame lacks.

    Example:
        >>> rows = pd.DataFrame({"model": "baseline", "seed": [0, 1], "sigma": 0.1, "ratio": [1.0, 3.0]})
        >>> over_seeds(rows, ["model", "sigma"], "ratio")[["value", "n"]].values.tolist()
        [[2.0, 2.0]]
    """
    for column in (*keys, value, *([error] if error else [])):
        choose("column", column, tuple(frame.columns))
    found = []
    for _, rows in frame.groupby(list(keys), sort=False):
        interval = mean_over_seeds(rows[value])
        if error and len(rows) == 1:
            reach = normal_quantile(0.95) * rows[error].item()
            interval = replace(interval, low=interval.value - reach, high=interval.value + reach)
        found.append({**rows.iloc[0][list(keys)], **asdict(interval)})
    return pd.DataFrame(found, columns=[*keys, "value", "low", "high", "n"])


def by_seed(found: pd.DataFrame, name: str) -> dict[int, float]:
    """Return the values of one model, by seed, from rows with columns model, seed and value."""
    rows = found.loc[found["model"] == name].dropna(subset=["value"])
    return {int(seed): float(value) for seed, value in zip(rows["seed"], rows["value"], strict=True)}


def paired(values: Mapping[int, float], base: Mapping[int, float]) -> Interval:
    """Return the mean difference over the seeds that both have, with its interval."""
    seeds = [seed for seed in values if seed in base]
    if not seeds:
        return mean_over_seeds([])
    return paired_difference_interval([values[s] for s in seeds], [base[s] for s in seeds])


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlate ranks along the last axis; nan where all numbers of one side are equal."""
    a, b = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (_ranks(x), _ranks(y)))
    size = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return np.divide((a * b).sum(axis=-1), size, out=np.full_like(size, math.nan), where=size > 0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank along the last axis: how many are smaller, and half of those that are equal."""
    here, others = values[..., :, None], values[..., None, :]
    return (others < here).sum(axis=-1) + (others == here).sum(axis=-1) / 2


def mean_over_seeds(values: Iterable[float]) -> Interval:
    """Return the mean with Student's 95 % interval; nan without any value."""
    numbers = list(values)
    return seed_interval(numbers) if numbers else Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
