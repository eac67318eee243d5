"""The rule that turns measurements into verdicts, in one function: `verdict`.

A claim of the paper is of one of four kinds, and each kind is judged by what can be said of it:

- `exact`, by `Check`: a deviation and the largest that is allowed, rounding or a Monte Carlo interval;
- `order`, by `Comparison`: a difference, positive as claimed, with its 95 % interval;
- `number`, by `Estimate`: the printed value beside ours with its 95 % interval;
- `opinion`, by nothing: it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy import special

from companion._support import choose
from companion.experiments.records import Run
from companion.metrics.intervals import Interval

KINDS = ("exact", "order", "number", "opinion")
ONE_NETWORK = {
    "reproduced": "holds for one network each",
    "opposite": "opposite for one network each",
}
"""What a verdict on an order is called where each model was trained once."""


class NotYetRun(Exception):
    """There is no record to judge a claim by; the message is the command that makes one."""


class ImagesMissing(NotYetRun):
    """A network's record is there, but not the images to show it; the message is the command for them."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One fact that an exact claim implies, tested by computation.

    Attributes:
        label: what is checked.
        deviation: how far the computation is from the fact; `passed` if at most `allowed`.
        allowed: the stated tolerance, above 0; rounding for an identity, the half-width of a Monte Carlo
            interval for an expectation.
        n: the number of points or samples.
    """

    label: str
    deviation: float
    allowed: float
    n: int

    @classmethod
    def monte_carlo(cls, label: str, interval: Interval, exact: float) -> Check:
        """Check that a Monte Carlo interval contains the exact value. Exact claims use 99.9 % intervals."""
        allowed = (interval.high - interval.low) / 2
        return cls(label=label, deviation=abs(interval.value - exact), allowed=allowed, n=interval.n)

    @property
    def passed(self) -> bool:
        """Whether the deviation is within what is allowed; a nan is not."""
        return self.deviation <= self.allowed

    def __str__(self) -> str:
        """Write the check as the table does."""
        return f"{self.label}: off by {self.deviation:.1e}, {self.allowed:.1e} allowed"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One direction that an order claim asserts: `interval` is of a difference that is claimed to be above 0.

    Attributes:
        label: what is compared.
        interval: the difference, with its 95 % interval; nan ends where there are too few units for one.
        ratio: whether it is a difference of logarithms, to be written as a ratio, claimed to be above 1.
        scale: what the numbers are multiplied by when they are written: 100 for percentage points.
        one_network: whether each model was trained once, so that the interval is over images or samples and
            says nothing of another training.
    """

    label: str
    interval: Interval
    ratio: bool = False
    scale: float = 1.0
    one_network: bool = False

    @property
    def written(self) -> Interval:
        """The interval in the unit in which it is written: a ratio, or multiplied by `scale`."""
        i = self.interval
        ends = (i.value, i.low, i.high)
        value, low, high = ((_exponential(end) if self.ratio else self.scale * end) for end in ends)
        return Interval(value=value, low=low, high=high, n=i.n)

    @property
    def detectable(self) -> str:
        """How large a difference would have decided it four times in five, as it is written.

        It is (t(0.975) + t(0.8)) standard errors, with n - 1 degrees of freedom; of one network each, by the
        normal distribution. Empty where there is no interval.
        """
        i = self.interval
        if not math.isfinite(i.high - i.low):
            return ""
        tails = special.ndtri([0.975, 0.8]) if self.one_network else special.stdtrit(i.n - 1, [0.975, 0.8])
        size = (i.high - i.low) / 2 * float(1 + tails[1] / tails[0])
        return f"×{three_digits(_exponential(size))}" if self.ratio else three_digits(self.scale * size)

    def __str__(self) -> str:
        """Write the comparison as the table does: value and interval."""
        i = self.written
        value, low, high = (
            f"×{three_digits(end)}" if self.ratio else three_digits(end, "+")
            for end in (i.value, i.low, i.high)
        )
        interval = "no interval" if math.isnan(i.low) else f"{low} to {high}"
        return f"{self.label} {value} ({interval})"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One printed number beside ours, in the paper's unit (percent)."""

    label: str
    reported: float
    interval: Interval

    def __str__(self) -> str:
        """Write the estimate as the table does: value and interval."""
        i = self.interval
        return f"{self.label} {i.value:.1f} % ({i.low:.1f} to {i.high:.1f})"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was measured for one claim.

    Attributes:
        checks: for an exact claim.
        comparisons: for an order claim, and for the order within a number claim.
        estimates: for a number claim.
        paper_data: whether it was measured on the paper's data.
        paper_network: whether it was measured on the paper's network.
        note: a sentence that belongs to the numbers, corrections of the paper's slips among them.
        unit: what the intervals range over: `seeds`, `samples`, `images`, `repetitions`.
        runs: the trained runs behind it.
        missing: the command that makes the record, where there is none.
        other_tier: whether the claim is about data that this tier does not have.
    """

    checks: Sequence[Check] = ()
    comparisons: Sequence[Comparison] = ()
    estimates: Sequence[Estimate] = ()
    paper_data: bool = False
    paper_network: bool = False
    note: str = ""
    unit: str = "seeds"
    runs: Sequence[Run] = field(default=(), repr=False)
    missing: str = ""
    other_tier: bool = False

    @property
    def one_network(self) -> bool:
        """Whether an order in it is of one network each, in any of its comparisons."""
        return any(comparison.one_network for comparison in self.comparisons)


def verdict(kind: str, finding: Finding) -> str:
    """Judge a claim by what was measured, and by nothing else.

    - exact: `holds` if every check is within its stated tolerance, else `does not hold`.
    - order: `reproduced` if every comparison's 95 % interval lies above 0, `opposite` as soon as one lies
      below 0, `undecided` otherwise. Where models were trained once, the intervals are over images or
      samples, and the first two are `holds for one network each` and `opposite for one network each`.
    - number: `agrees` if every printed value lies in our 95 % interval, `differs` if one does not; `other
      data` where we measured on data that the paper did not use, `other network` where we did on another
      network. If an order is claimed too, its verdict follows.
    - opinion: `shown`.

    Without a record the verdict is `not yet run`, and `not at this tier` where the tier does not have the
    claim's data; a claim without a check is never confirmed.

    Args:
        kind: one of `KINDS`.
        finding: the measurements.

    Raises:
        ValueError: a kind that does not exist.

    Example:
        >>> above = Comparison(label="a - b", interval=Interval(value=2.0, low=1.0, high=3.0, n=3))
        >>> verdict("order", Finding(comparisons=[above]))
        'reproduced'
    """
    choose("kind", kind, KINDS)
    if finding.other_tier:
        return "not at this tier"
    if finding.missing:
        return "not yet run"
    if kind == "opinion":
        return "shown"
    if kind == "exact":
        passed = [check.passed for check in finding.checks]
        return "holds" if passed and all(passed) else "does not hold"
    signs = [comparison.interval.sign() for comparison in finding.comparisons]
    order = "opposite" if -1 in signs else "reproduced" if signs and 0 not in signs else "undecided"
    if finding.one_network:
        order = ONE_NETWORK.get(order, order)
    if kind == "order":
        return order
    inside = [e.interval.low <= e.reported <= e.interval.high for e in finding.estimates]
    number = "agrees" if inside and all(inside) else "differs"
    if not (finding.paper_data and finding.paper_network):
        number = "other network" if finding.paper_data else "other data"
    return f"{number}; order {order}" if signs else number


def deciding(finding: Finding) -> Comparison | None:
    """Return the comparison that decides an order: the lowest in units of its interval's half-width.

    All must lie above 0, so the weakest decides; one without an interval is the weakest of all.

    Example:
        >>> clear = Comparison(label="a - b", interval=Interval(value=2.0, low=1.0, high=3.0, n=3))
        >>> close = Comparison(label="a - c", interval=Interval(value=0.5, low=-0.5, high=1.5, n=3))
        >>> deciding(Finding(comparisons=[clear, close])).label
        'a - c'
    """

    def strength(comparison: Comparison) -> float:
        i = comparison.interval
        half_width = (i.high - i.low) / 2
        return -math.inf if math.isnan(i.low) else i.value / max(half_width, 1e-300) if i.value else 0.0

    return min(finding.comparisons, key=strength, default=None)


def three_digits(value: float, sign: str = "") -> str:
    """Write a number with three digits, from 1000 upwards as a whole number and never with an exponent.

    Args:
        value: the number.
        sign: `+` to write the sign of a positive number too.

    Example:
        >>> three_digits(0.01234, "+"), three_digits(-11600.4)
        ('+0.0123', '-11,600')
    """
    large = 999.5 <= abs(value) < 1e12
    return format(value, f"{sign},.0f" if large else f"{sign}.3g")


def _exponential(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)
