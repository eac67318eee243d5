"""A row's intervals as a small drawing, in the page's own colours, with a text for who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from companion.claims.page.marks import BLUE, GREEN, ONE_EACH, RED, parts_of
from companion.claims.parts import Part, comparisons, estimates

WIDTH, MARGIN = 104, 4
"""Of a drawing in pixels, and what stays free at either end."""
_COLOURS = {1: GREEN, -1: RED, 0: "currentColor"}


def glyph(row: Mapping[str, Any]) -> str:
    """Draw a row's intervals as SVG, one below the other; nothing where a row has none.

    Comparisons lie about a line at 0 (at 1, for a ratio), each scaled to its own farthest end, and to the
    right is what the paper claims. Estimates lie on a scale from 0 to 100 %, with a tick where the paper's
    number is. An interval over images, with one network a kind, is dashed.

    Args:
        row: of the table of claims.

    Example:
        >>> part = {"label": "a - b", "value": 2.0, "low": 1.0, "high": 3.0}
        >>> glyph({"parts": [part], "verdict": "reproduced"})[:68]
        '<svg class="claims-glyph" role="img" width="104" height="14" viewBox'
    """
    printed, compared = estimates(row), comparisons(row)
    shown = printed or compared
    if not shown:
        return ""
    step = 14 if len(shown) == 1 else 7
    height = step * len(shown)
    open_ended = parts_of(row["verdict"])[0] in ("other data", "other network")
    dashed = ONE_EACH in row["verdict"]
    lines = [_axis(height, percent=bool(printed))]
    for place, part in enumerate(shown):
        y = step * (place + 0.5)
        colour = BLUE if open_ended and printed else _COLOURS[part.sign]
        lines.append((_estimate if printed else _comparison)(part, y, step, colour, dashed))
    return (
        f'<svg class="claims-glyph" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" aria-label="{escape(in_words(shown))}">{"".join(lines)}</svg>'
    )


def in_words(shown: Sequence[Part]) -> str:
    """Say what the drawing shows.

    Example:
        >>> in_words([Part(label="a - b", value=2.0, low=1.0, high=3.0)])
        '1 interval: 1 on the claimed side of 0'
    """
    count = f"{len(shown)} interval{'s' * (len(shown) != 1)}"
    signs = [part.sign for part in shown]
    if shown[0].printed is not None:
        with_it = signs.count(1)
        return f"{count} beside the paper's numbers: {with_it} with the printed number in it"
    zero = "1" if shown[0].ratio else "0"
    places = {1: f"on the claimed side of {zero}", 0: f"with {zero} in it", -1: "on the other side"}
    said = ", ".join(f"{signs.count(sign)} {where}" for sign, where in places.items() if sign in signs)
    return f"{count}: {said}"


def _axis(height: int, *, percent: bool) -> str:
    ends = [MARGIN, WIDTH - MARGIN]
    drawn = f"M{ends[0]} {height / 2:g}H{ends[1]}"
    zeros = ends if percent else [WIDTH / 2]
    ticks = "".join(f"M{x:g} 0V{height}" for x in zeros)
    faint, line = 'stroke="currentColor" stroke-opacity="0.2"', 'stroke="currentColor" stroke-opacity="0.7"'
    return f'<path d="{drawn}" {faint}/><path d="{ticks}" {line}/>'


def _comparison(part: Part, y: float, step: int, colour: str, dashed: bool) -> str:
    """Draw a difference about 0, or a ratio's logarithm, scaled to the farthest end."""
    ends = [_logarithm(end) if part.ratio else end for end in (part.value, part.low, part.high)]
    if any(math.isnan(end) for end in ends):
        middle = WIDTH / 2 + math.copysign(WIDTH / 4, ends[0]) if ends[0] else WIDTH / 2
        return f'<circle cx="{middle:g}" cy="{y:g}" r="2" fill="none" stroke="{colour}"/>'
    farthest = max(abs(end) for end in ends) or 1.0
    value, low, high = (WIDTH / 2 + end / farthest * (WIDTH / 2 - MARGIN) for end in ends)
    return _interval(value, low, high, y, step, colour, dashed)


def _estimate(part: Part, y: float, step: int, colour: str, dashed: bool) -> str:
    """Draw a percentage between 0 and 100, and the printed one as a tick."""
    per = (WIDTH - 2 * MARGIN) / 100
    printed = MARGIN + per * (part.printed or 0.0)
    half = step / 2 - 1
    tick = f'<path d="M{printed:.1f} {y - half:g}V{y + half:g}" stroke="currentColor" stroke-width="2"/>'
    ends = [MARGIN + per * min(max(end, 0.0), 100.0) for end in (part.value, part.low, part.high)]
    if any(math.isnan(end) for end in (part.low, part.high)):
        return f'{tick}<circle cx="{ends[0]:.1f}" cy="{y:g}" r="2" fill="none" stroke="{colour}"/>'
    value, low, high = ends
    return tick + _interval(value, low, high, y, step, colour, dashed)


def _interval(value: float, low: float, high: float, y: float, step: int, colour: str, dashed: bool) -> str:
    dash = ' stroke-dasharray="3 2"' if dashed else ""
    radius = 3 if step > 7 else 2.2
    return (
        f'<path d="M{low:.1f} {y:g}H{high:.1f}" stroke="{colour}" stroke-width="2"{dash}/>'
        f'<circle cx="{value:.1f}" cy="{y:g}" r="{radius}" fill="{colour}"/>'
    )


def _logarithm(value: float) -> float:
    return math.log(value) if 0 < value < math.inf else math.copysign(700.0, value - 1)
