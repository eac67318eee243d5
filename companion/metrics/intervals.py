"""Intervals of proportions, means, seeds and paired differences: every number in the book has one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import torch
from scipy import special
from torch import Tensor

from companion._support import at_least


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        value: the estimate.
        low: lower end; nan where n is too small for an interval.
        high: upper end; nan likewise.
        n: number of independent observations behind it.

    Example:
        >>> Interval(value=0.5, low=0.2, high=0.8, n=10).sign()
        1
        >>> Interval(value=0.5, low=-1.0, high=2.0, n=3).sign()
        0
    """

    value: float
    low: float
    high: float
    n: int

    def sign(self) -> int:
        """Return 1 if the whole interval is above 0, -1 if it is below 0, and 0 if it is undecided."""
        return int(self.low > 0) - int(self.high < 0)

    def to_frame(self) -> pd.DataFrame:
        """Return one row: value, low, high, n."""
        return pd.DataFrame([asdict(self)])


def normal_quantile(confidence: float) -> float:
    """Return the two-sided standard normal quantile: 1.96 at a confidence of 0.95.

    Args:
        confidence: strictly between 0 and 1.

    Returns:
        The z with P(|N(0, 1)| <= z) = confidence.

    Raises:
        ValueError: confidence outside (0, 1).

    Example:
        >>> round(normal_quantile(0.95), 4)
        1.96
    """
    return float(special.ndtri(_upper_tail(confidence)))


def standard_error(samples: Tensor) -> Tensor:
    r"""Standard error of the mean over the last axis, :math:`s / \sqrt n` with the n - 1 variance.

    Args:
        samples: (..., n), independent along the last axis.

    Returns:
        (...) float64; nan where n = 1, because one observation has no spread.

    Example:
        >>> round(standard_error(torch.tensor([1.0, 2.0, 3.0])).item(), 4)
        0.5774
    """
    values = samples.double()
    n = values.shape[-1]
    if n < 2:
        return torch.full_like(values.mean(dim=-1), math.nan)
    return values.std(dim=-1) / math.sqrt(n)


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    r"""Wilson's score interval of a proportion.

    With :math:`\hat p = k/n` and the normal quantile z, its ends are

    .. math:: \frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n} .

    Unlike :math:`\hat p \pm z\,\mathrm{se}` it stays in [0, 1] and has a width at 0 and at n successes.

    Args:
        successes: k, from 0 to n.
        n: number of trials, at least 1.
        confidence: strictly between 0 and 1.

    Returns:
        The interval around k / n.

    Raises:
        ValueError: n < 1, successes outside 0 ... n, or confidence outside (0, 1).

    Example:
        >>> interval = wilson(8, 10)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.4902, 0.9433)
    """
    n = at_least("n", n, 1)
    successes = at_least("successes", successes, 0)
    if successes > n:
        raise ValueError(f"successes must be at most n; got {successes} successes in {n} trials")
    z = normal_quantile(confidence)
    p = successes / n
    centre = p + z * z / (2 * n)
    half_width = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends at k = 0 and k = n are 0 and 1 exactly; rounding must not leave 1e-17 there.
    low = 0.0 if successes == 0 else (centre - half_width) / scale
    high = 1.0 if successes == n else (centre + half_width) / scale
    return Interval(value=p, low=low, high=high, n=n)


def mean_interval(samples: Tensor | Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Interval of the mean of many independent samples, by the central limit theorem: mean ± z se.

    For a handful of values, such as seeds, use `seed_interval`.

    Args:
        samples: (n,), n at least 1.
        confidence: strictly between 0 and 1.

    Returns:
        The interval around the mean; low and high are nan where n = 1.

    Raises:
        ValueError: samples is not a non-empty vector, or confidence is outside (0, 1).

    Example:
        >>> interval = mean_interval(torch.arange(101.0))
        >>> interval.value, round(interval.low, 2), round(interval.high, 2)
        (50.0, 44.29, 55.71)
    """
    values = _vector("samples", samples)
    return _around_mean(values, normal_quantile(confidence))


def seed_interval(values: Tensor | Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Interval of the mean over independently seeded runs: Student's t with n - 1 degrees of freedom.

    It is exact for normally distributed runs and wide for few of them, as it should be: with three seeds
    the quantile is 4.30, not 1.96.

    Args:
        values: (n,), one number a seed, n at least 1.
        confidence: strictly between 0 and 1.

    Returns:
        The interval around the mean; low and high are nan for one seed, which says nothing about spread.

    Raises:
        ValueError: values is not a non-empty vector, or confidence is outside (0, 1).

    Example:
        >>> interval = seed_interval([0.97, 0.98, 0.99])
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.9552, 1.0048)
    """
    runs = _vector("values", values)
    upper_tail = _upper_tail(confidence)
    quantile = float(special.stdtrit(len(runs) - 1, upper_tail)) if len(runs) > 1 else math.nan
    return _around_mean(runs, quantile)


def paired_difference_interval(
    first: Tensor | Sequence[float], second: Tensor | Sequence[float], *, confidence: float = 0.95
) -> Interval:
    """Interval of the mean of first - second, pair by pair, with Student's t.

    Pairs are the same image under two models, or the same seed under two methods: what the two have in
    common cancels. A direction is established where the interval's `sign()` is not 0.

    Args:
        first: (n,).
        second: (n,), in the same order.
        confidence: strictly between 0 and 1.

    Returns:
        The interval around mean(first - second); low and high are nan where n = 1.

    Raises:
        ValueError: the two are not vectors of one length, or confidence is outside (0, 1).

    Example:
        >>> paired_difference_interval([1.0, 2.1, 3.0], [0.5, 1.5, 2.5]).sign()
        1
    """
    a, b = _vector("first", first), _vector("second", second)
    if len(a) != len(b):
        raise ValueError(f"pairs need two vectors of one length; got {len(a)} and {len(b)} values")
    return seed_interval(a - b, confidence=confidence)


def independent_difference_interval(first: Interval, second: Interval) -> Interval:
    """Interval of first - second for independent estimates, from their own intervals, by squaring and adding.

    For proportions with their Wilson intervals it is method 10 of Newcombe (1998), for means the usual one.
    Two quantities of the same images that rise and fall together have a narrower one.

    Args:
        first: an estimate with its interval.
        second: the other, at the same confidence.

    Returns:
        The difference; its n is the smaller of the two. The ends are nan where one of the intervals' are.

    Example:
        >>> interval = independent_difference_interval(wilson(56, 70), wilson(48, 80))
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.0524, 0.3339)
    """
    difference = first.value - second.value
    return Interval(
        value=difference,
        low=difference - math.hypot(first.value - first.low, second.high - second.value),
        high=difference + math.hypot(first.high - first.value, second.value - second.low),
        n=min(first.n, second.n),
    )


def median_interval(samples: Tensor | Sequence[float]) -> Interval:
    """95 % interval of the median of independent samples, from their order alone.

    How many of n samples lie below the median is binomial, whatever their law. So the median lies between
    the l-th smallest and the l-th largest with a probability of at least 0.95 if at most l - 1 of n fair
    coins show heads with one of at most 0.025.

    Args:
        samples: (n,).

    Returns:
        The median with its interval; low and high are nan where n is below 6, too few for 95 %, and the
        median of nothing is nan, too.

    Example:
        >>> interval = median_interval(torch.arange(101.0))
        >>> interval.value, interval.low, interval.high
        (50.0, 40.0, 60.0)
        >>> median_interval(torch.arange(5.0)).low
        nan
    """
    ordered = torch.as_tensor(samples, dtype=torch.float64).detach().cpu().sort().values
    n = len(ordered)
    rank = sum(float(special.bdtr(k, n, 0.5)) <= 0.025 for k in range(n))
    low, high = (float(ordered[rank - 1]), float(ordered[n - rank])) if rank else (math.nan, math.nan)
    middle = float(ordered.quantile(0.5)) if n else math.nan
    return Interval(value=middle, low=low, high=high, n=n)


def _upper_tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be strictly between 0 and 1, for example 0.95; got {confidence}")
    return 0.5 + confidence / 2


def _vector(name: str, values: Tensor | Sequence[float]) -> Tensor:
    vector = torch.as_tensor(values, dtype=torch.float64).detach().cpu()
    if vector.ndim != 1 or not len(vector):
        raise ValueError(f"{name} must be a non-empty vector; got shape {tuple(vector.shape)}")
    return vector


def _around_mean(values: Tensor, quantile: float) -> Interval:
    mean = float(values.mean())
    half_width = quantile * float(standard_error(values))
    return Interval(value=mean, low=mean - half_width, high=mean + half_width, n=len(values))
