"""The page's first screen: three sentences, and a chip for each claim and tier."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from companion._words import listed
from companion.claims.page.look import sheet
from companion.claims.page.marks import (
    FOR,
    ONE_EACH,
    look,
    parts_of,
    side,
    sign,
)
from companion.claims.page.names import SECTIONS, section, short
from companion.claims.page.strength import strongest, tiers_of

LEGEND = (
    ("for", "✓", "as claimed"),
    ("against", "✗", "against it"),
    ("undecided", "?", "undecided"),
    ("other", "≠", "other data or network"),
    ("for one", "✓", "one network each"),
    ("empty", "…", "not yet run"),
    ("empty", "–", "not at this tier"),
    ("shown", "•", "shown, not judged"),
)
"""The chips that are explained: class, sign, words."""


def html_overview(frame: pd.DataFrame) -> str:
    """Return the first screen as HTML: the answer, and the claims by section, a chip for each tier.

    Args:
        frame: as `by_tier` returns it.
    """
    tiers = tiers_of(frame)
    groups: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in SECTIONS}
    for _, rows in frame.groupby("id", sort=False):
        claim = rows.to_dict("records")
        groups[section(claim[0]["where"])].append(claim)
    said = "".join(f"<p>{sentence}</p>" for sentence in answer(frame))
    shown = "".join(_group(name, members, tiers) for name, members in groups.items() if members)
    legend = "".join(
        f'<li><span class="claims-chip {kind}">{symbol}</span> {words}</li>' for kind, symbol, words in LEGEND
    )
    legend += f"<li>two signs: the number, then the order</li><li>{_columns(tiers)}</li>"
    return (
        f'<div class="claims claims-overview"><style>{sheet()}</style><div class="claims-answer">{said}</div>'
        f'<div class="claims-groups" style="--tiers: {len(tiers)}">{shown}</div>'
        f'<ul class="claims-legend">{legend}</ul></div>'
    )


def _columns(tiers: Sequence[str]) -> str:
    """Say what the columns of chips are."""
    named = f"columns: {listed([escape(tier) for tier in tiers])}; " if tiers else ""
    return f"{named}a bar across them: the same for all"


def _group(name: str, members: Sequence[Sequence[dict[str, Any]]], tiers: Sequence[str]) -> str:
    heads = "".join(f"<span>{escape(tier)}</span>" for tier in tiers)
    items = "".join(_item(rows, tiers) for rows in members)
    return (
        f'<p class="claims-title"><span><b>{escape(name)}</b> {escape(SECTIONS[name][0])}</span>'
        f'<span class="claims-tiers" aria-hidden="true">{heads}</span></p><ul>{items}</ul>'
    )


def _item(rows: Sequence[dict[str, Any]], tiers: Sequence[str]) -> str:
    """Return one claim: its name and a chip for each tier, or one for all; a link to its sentence."""
    first = rows[0]
    by_tier = {row["tier"]: row["verdict"] for row in rows}
    if "" in by_tier:
        chips = _chip(by_tier[""], "all")
        said = by_tier[""]
    else:
        chips = "".join(_chip(by_tier[tier]) for tier in tiers if tier in by_tier)
        said = "; ".join(f"{tier}: {by_tier[tier]}" for tier in tiers if tier in by_tier)
    return (
        f'<li><a href="#claim-{escape(first["id"])}" title="{escape(said)}">'
        f'<span class="claims-name">{escape(short(first["id"]))}</span>'
        f'<span class="claims-chips" aria-hidden="true">{chips}</span>'
        f'<span class="claims-unseen">, {escape(said)}</span></a></li>'
    )


def _chip(verdict: str, more: str = "") -> str:
    return f'<span class="claims-chip {f"{look(verdict)} {more}".strip()}">{sign(verdict)}</span>'


def answer(frame: pd.DataFrame) -> list[str]:
    """Say in three sentences, as HTML, what the strongest evidence for each claim comes to.

    The first is of the claims about an order, the second of facts and printed numbers, the third of what
    speaks against the paper.

    Args:
        frame: as `by_tier` returns it.
    """
    best = strongest(frame)
    return [_orders(best), _facts(best), _against(best)]


def _orders(best: pd.DataFrame) -> str:
    verdicts = best.loc[best["kind"] == "order", "verdict"].tolist()
    sides = [side(verdict) for verdict in verdicts]
    yes, no = sides.count("for"), sides.count("against")
    if not yes + no:
        decided = f"Of {len(verdicts)} claims about an order, our records decide none"
    else:
        decided = (
            f"Of {len(verdicts)} claims about an order, our strongest evidence decides "
            f"<b>{yes + no}: {yes} as the paper says, {no} against it</b>"
        )
    alone = sum(verdict.endswith(ONE_EACH) for verdict in verdicts)
    if alone:
        decided += f" ({alone} on one network of each kind)"
    rest = [
        f"{sides.count(name)} {words}"
        for name, words in (("undecided", "undecided"), ("empty", "without a record"))
        if name in sides
    ]
    return f"{decided}; {' and '.join(rest)}." if rest else f"{decided}."


def _facts(best: pd.DataFrame) -> str:
    exact = best.loc[best["kind"] == "exact", "verdict"].tolist()
    holds = sum(verdict in FOR for verdict in exact)
    facts = f"All {len(exact)} facts that can be proved hold"
    if holds < len(exact):
        facts = f"Of {len(exact)} facts that can be proved, {holds or 'none'} hold{'s' * (holds == 1)}"
    numbers = [parts_of(verdict)[0] for verdict in best.loc[best["kind"] == "number", "verdict"]]
    if not numbers:
        return f"{facts}."
    words = {
        "agrees": "in our interval",
        "differs": "outside it",
        "other network": "measured with another network",
        "other data": "measured on other data",
        "not yet run": "not measured",
        "not at this tier": "not measured",
    }
    tally: dict[str, int] = {}
    for verdict in numbers:
        tally[words[verdict]] = tally.get(words[verdict], 0) + 1
    if "in our interval" not in tally:
        tally = {"in our interval": 0, **tally}
    counted = ", ".join(f"{count or 'none'} {what}" for what, count in tally.items())
    return f"{facts}. Of {len(numbers)} claims with printed numbers: {counted}."


def _against(best: pd.DataFrame) -> str:
    found = [row for row in best.to_dict("records") if side(row["verdict"]) == "against"]
    if not found:
        return "Nothing that was measured speaks against the paper."
    tiers: dict[str, dict[str, list[str]]] = {}
    for row in found:
        topic, _, rest = short(row["id"]).rpartition(": ")
        link = f'<a href="#claim-{escape(row["id"])}">{escape(rest)}</a>'
        tiers.setdefault(row["tier"], {}).setdefault(topic or rest, []).append(link)
    said = []
    for tier, topics in tiers.items():
        links = [_topic(topic, members) for topic, members in topics.items()]
        said.append(f"{f'at tier {escape(tier)}: ' if tier else ''}{listed(links)}")
    return f"Against the paper, {'; '.join(said)}."


def _topic(topic: str, links: Sequence[str]) -> str:
    """Join claims on one topic, as in `accuracy (baseline, anti)`; one that is its own topic stands alone."""
    return links[0] if links[0].endswith(f">{escape(topic)}</a>") else f"{escape(topic)} ({', '.join(links)})"
