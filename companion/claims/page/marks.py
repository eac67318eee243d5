"""Verdicts as signs: what each looks like, and which speak for the paper."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

GREEN, RED, AMBER, BLUE, GREY = "#009E73", "#D55E00", "#E69F00", "#0072B2", "#8C8C8C"
MARKS: Mapping[str, tuple[str, str]] = {
    "holds": ("✓", GREEN),
    "reproduced": ("✓", GREEN),
    "agrees": ("✓", GREEN),
    "holds for one network each": ("✓", GREEN),
    "does not hold": ("✗", RED),
    "opposite": ("✗", RED),
    "differs": ("✗", RED),
    "opposite for one network each": ("✗", RED),
    "undecided": ("?", AMBER),
    "other data": ("≠", BLUE),
    "other network": ("≠", BLUE),
    "not yet run": ("…", GREY),
    "not at this tier": ("–", GREY),
    "shown": ("•", GREY),
}
"""For each verdict a sign and a colour. The word and the sign carry the meaning; the colour is a bar beside
them."""
FOR = ("holds", "reproduced", "agrees", "holds for one network each")
AGAINST = ("does not hold", "opposite", "differs", "opposite for one network each")
OPEN = ("undecided", "other data", "other network", "not yet run")
EMPTY = ("not yet run", "not at this tier")
ONE_EACH = "for one network each"
"""How a verdict ends that rests on one network a kind: its interval is over images, not over seeds."""
_ORDER = "; order "


def parts_of(verdict: str) -> tuple[str, str]:
    """Return a verdict on numbers, and that on the order within them, or nothing where there is none.

    Example:
        >>> parts_of("other data; order opposite"), parts_of("holds")
        (('other data', 'opposite'), ('holds', ''))
    """
    head, _, order = verdict.partition(_ORDER)
    return head, order


def side(verdict: str) -> str:
    """Say where a verdict stands: `for` the paper, `against` it, `undecided`, `empty` or `shown`.

    A number measured on other data, or with another network, is undecided, unless an order within the numbers
    was judged: then the order counts.

    Raises:
        KeyError: an unknown verdict.

    Example:
        >>> [side(v) for v in ("agrees", "other data", "other data; order opposite", "not yet run")]
        ['for', 'undecided', 'against', 'empty']
    """
    head, order = parts_of(verdict)
    for part in filter(None, (head, order)):
        MARKS[part]
    if head in EMPTY:
        return "empty"
    if head in AGAINST or order in AGAINST:
        return "against"
    if head in OPEN:
        return "for" if order in FOR else "undecided"
    return "for" if head in FOR and order in ("", *FOR) else "undecided" if head in FOR else "shown"


def sign(verdict: str) -> str:
    """Return a verdict's sign, and that of the order within its numbers beside it.

    Example:
        >>> sign("reproduced"), sign("other data; order opposite")
        ('✓', '≠✗')
    """
    return "".join(MARKS[part][0] for part in parts_of(verdict) if part)


def look(verdict: str) -> str:
    """Return a chip's class: a verdict's side; `one` where it rests on one network each; `other`."""
    head, order = parts_of(verdict)
    where = side(verdict)
    if where == "undecided" and head in ("other data", "other network"):
        where = "other"
    return f"{where} one" if (order or head).endswith(ONE_EACH) else where


def mark(verdict: str) -> str:
    """Return a verdict as HTML: a coloured bar, a sign and the word, in the page's own text colour.

    The bar of a verdict on one network each is a double line.

    Args:
        verdict: one of `MARKS`, perhaps followed by `; order ...`.

    Example:
        >>> mark("holds")
        '<span style="border-left: 0.35em solid #009E73; padding-left: 0.4em">✓ holds</span>'
    """
    head, order = parts_of(verdict)
    symbol, colour = MARKS[head]
    words = f"{symbol} {escape(head)}" + (f"; {MARKS[order][0]} order {escape(order)}" if order else "")
    line = "double" if ONE_EACH in verdict else "solid"
    return f'<span style="border-left: 0.35em {line} {colour}; padding-left: 0.4em">{words}</span>'


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Count the verdicts, each of `MARKS` in its order; an order judged within a number does not count here.

    Example:
        >>> counts(pd.DataFrame({"verdict": ["holds", "other data; order opposite"]}))["other data"]
        1
    """
    heads = [parts_of(verdict)[0] for verdict in frame["verdict"]]
    return {name: heads.count(name) for name in MARKS}
