"""A row's comparisons and estimates, read back from the words that hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DIGITS = r"(?:\d[\d,]*\.?\d*(?:e[+-]?\d+)?|inf)"
_END = rf"[×+-]?{_DIGITS}"
_COMPARED = re.compile(rf"([^;]*?) ([×+-]{_DIGITS}) \((?:({_END}) to ({_END})|no interval)\)(?=[;.]|$)")
_ESTIMATED = re.compile(r"([^;]*?) (-?[\d.]+) % \((-?[\d.]+|nan) to (-?[\d.]+|nan)\)")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One interval of a row, as it is written there.

    Attributes:
        label: what was compared or estimated.
        value, low, high: the number and the ends of its 95 % interval; nan where it has none.
        ratio: whether it is a ratio, claimed to be above 1, and not a difference, claimed to be above 0.
        printed: the paper's number, for an estimate.
    """

    label: str
    value: float
    low: float
    high: float
    ratio: bool = False
    printed: float | None = None

    @property
    def sign(self) -> int:
        """1 where the interval lies on the claimed side, -1 on the other, else 0; estimates: 1 or -1.

        An estimate has 1 if the printed number is in its interval.
        """
        if self.printed is not None:
            return 1 if self.low <= self.printed <= self.high else -1
        zero = 1.0 if self.ratio else 0.0
        return int(self.low > zero) - int(self.high < zero)


def comparisons(row: Mapping[str, Any]) -> list[Part]:
    """Return the comparisons of a row, in its order.

    Example:
        >>> row = {"measured": "time, a / b ×2 (×1.5 to ×3); area, a - b -1 (-3 to +2); n = 3 seeds."}
        >>> [(part.label, part.low, part.sign) for part in comparisons(row)]
        [('time, a / b', 1.5, 1), ('area, a - b', -3.0, 0)]
    """
    return list(_compared(numbers_of(row)))


def _compared(text: str) -> Iterator[Part]:
    for label, value, low, high in _COMPARED.findall(text):
        yield Part(
            label=label.strip(), value=_read(value), low=_read(low), high=_read(high), ratio="×" in value
        )


def estimates(row: Mapping[str, Any]) -> list[Part]:
    """Return the estimates of a row beside the paper's numbers, in its order.

    Example:
        >>> row = {"measured": "accuracy 57.7 % (56.7 to 58.6); n = 3 seeds.", "reported": "78.01 %"}
        >>> [(part.value, part.printed, part.sign) for part in estimates(row)]
        [(57.7, 78.01, -1)]
    """
    printed = [float(number) for number in re.findall(r"-?[\d.]+(?= %)", row["reported"])]
    found = _ESTIMATED.findall(numbers_of(row))
    return [
        Part(label=label.strip(), value=_read(value), low=_read(low), high=_read(high), printed=paper)
        for (label, value, low, high), paper in zip(found, printed, strict=False)
    ]


def held(row: Mapping[str, Any]) -> str:
    """Say how many comparisons lie on the claimed side: `5 of 6 hold`; nothing where there are none.

    A column `per_part` of the row is taken as it is.

    Example:
        >>> held({"measured": "a - b +2 (+1 to +3); a - c +1 (-1 to +3); n = 3 seeds."})
        '1 of 2 hold'
    """
    given = row.get("per_part")
    if isinstance(given, str) and given:
        return given
    signs = [part.sign for part in comparisons(row)]
    return f"{signs.count(1)} of {len(signs)} hold" if signs else ""


def numbers_of(row: Mapping[str, Any]) -> str:
    """Return the words that hold a row's numbers, without the sentence that belongs to them."""
    counted, measured = row.get("counted", ""), row["measured"]
    return measured.partition(f"{counted}.")[0] if counted else measured


def note(row: Mapping[str, Any]) -> str:
    """Return the sentence that belongs to the numbers, without them.

    Example:
        >>> note({"measured": "off by 0; n = 8 points. A slip.", "counted": "n = 8 points"})
        'A slip.'
    """
    counted, measured = row["counted"], row["measured"]
    return measured.partition(f"{counted}. ")[2] if counted else measured


def _read(text: str) -> float:
    return float(text.replace("×", "").replace(",", "")) if text else math.nan
