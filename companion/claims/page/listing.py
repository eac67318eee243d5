"""The list of claims: what each says, what was found at each tier, and filters that need no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from companion.claims.page.glyph import glyph
from companion.claims.page.look import SIDES, rules
from companion.claims.page.marks import EMPTY, look, side, sign
from companion.claims.page.maths import set_maths
from companion.claims.page.names import SECTIONS, place, section, short
from companion.claims.page.records import links
from companion.claims.page.strength import strongest, tiers_of
from companion.claims.parts import Part, comparisons, estimates
from companion.data import DATASETS
from companion.experiments import presets
from companion.experiments.settings import NETWORKS

COMMANDS = "../book/reproduce.html#not-yet-run"
"""Where the commands are that make what is missing, seen from the page of claims."""
IMAGES = "../book/reproduce.html#data"
"""Where it says how to get the images."""

Rows = Sequence[dict[str, Any]]


def html_list(frame: pd.DataFrame) -> str:
    """Return the list of claims as HTML: by section, a line for each tier; exact ones folded at the end.

    Two rows of buttons choose which claims are shown, and by which tier's verdict. They are radio buttons
    and rules of style; without them the whole list is there.

    Args:
        frame: as `by_tier` returns it.
    """
    tiers = tiers_of(frame)
    best = {row["id"]: row for row in strongest(frame).to_dict("records")}
    groups: dict[str, list[str]] = {name: [] for name in SECTIONS}
    exact: list[str] = []
    for name, rows in frame.groupby("id", sort=False):
        claim = rows.to_dict("records")
        html = _claim(claim, best[name], tiers)
        (exact if claim[0]["kind"] == "exact" else groups[section(claim[0]["where"])]).append(html)
    parts = "".join(
        f'<section class="claims-part"><h3>{escape(SECTIONS[name][0])} <small>{place(name)}</small></h3>'
        f"{''.join(members)}</section>"
        for name, members in groups.items()
        if members
    )
    facts = [row for row in best.values() if row["kind"] == "exact"]
    return (
        f'<div class="claims claims-list"><style>{rules(tiers)}</style>{_filters(list(best.values()), frame)}'
        f"{_tiers(frame)}{parts}{_folded(exact, facts)}</div>"
    )


def _filters(best: Rows, frame: pd.DataFrame) -> str:
    """Return the two rows of radio buttons, with how many claims each of the first shows."""
    tiers = tiers_of(frame)
    rows = {"best": best} | {
        tier: frame.loc[frame["tier"].isin(["", tier])].to_dict("records") for tier in tiers
    }
    counted = {at: [side(row["verdict"]) for row in members] for at, members in rows.items()}
    shown = {"all": f"all {len(best)}"} | {
        name: f"{words} "
        + "".join(f'<span class="claims-n at-{at}">{counted[at].count(name)}</span>' for at in counted)
        for name, words in SIDES.items()
    }
    judged = {"best": "strongest evidence", **{tier: f"tier {escape(tier)}" for tier in tiers}}
    return (
        '<div class="claims-filters">'
        f"{_radios('Claims', 'claims-side', shown)}{_radios('Judged by', 'claims-at', judged)}</div>"
    )


def _radios(legend: str, name: str, options: dict[str, str]) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="{name}" id="{name}-{value}"{" checked" * (place == 0)}> '
        f"<span>{words}</span></label>"
        for place, (value, words) in enumerate(options.items())
    )
    return f"<fieldset><legend>{legend}</legend>{buttons}</fieldset>"


def _tiers(frame: pd.DataFrame) -> str:
    """Say of each tier with records which data and which network it is."""
    said = []
    for tier in tiers_of(frame):
        rows = frame.loc[frame["tier"] == tier]
        about = f"<b>{escape(tier)}</b>: {escape(about_tier(tier, list(dict.fromkeys(rows['dataset']))))}"
        if rows["verdict"].isin(EMPTY).all():
            about += f', <a href="{COMMANDS}">not yet run</a>'
        said.append(about)
    return f'<p class="claims-about">{"; ".join(said)}.</p>' if said else ""


def about_tier(tier: str, datasets: Sequence[str]) -> str:
    """Name a tier by its data and its network.

    Example:
        >>> about_tier("small", ["cifar100"])
        'CIFAR-100, ResNet-9 of width 16'
    """
    settings = presets.preset(tier, datasets[0], "baseline")
    names = " and ".join(DATASETS[name].title for name in datasets)
    return f"{names}, {NETWORKS[settings.network]} of width {settings.width}"


def _claim(rows: Rows, best: dict[str, Any], tiers: Sequence[str]) -> str:
    """Return one claim: what the paper says, a line for each tier, and all the rest folded."""
    first = rows[0]
    verdicts = {row["tier"]: row["verdict"] for row in rows}
    sides = [f"best-{side(best['verdict'])}"]
    sides += [f"{tier}-{side(verdicts.get(tier, verdicts.get('', 'not yet run')))}" for tier in tiers]
    ordered = sorted(rows, key=lambda row: row["tier"] != best["tier"])
    ordered = sorted(ordered, key=lambda row: tiers.index(row["tier"]) if row["tier"] else 0)
    reported = f" <b>{escape(first['reported'])}</b>" if first["reported"] else ""
    return (
        f'<article class="claims-claim {" ".join(sides)}" id="claim-{escape(first["id"])}">'
        f'<div class="claims-says"><p class="claims-head"><b>{escape(short(first["id"]))}</b> '
        f"<span>{escape(first['where'])} · {link(first['chapter'])}</span></p>"
        f"<p>{set_maths(first['text'])}{reported}</p></div>"
        f'<div class="claims-found">{"".join(_line(row, best) for row in ordered)}</div>'
        f"{_full(ordered)}</article>"
    )


def link(chapter: str) -> str:
    """Return a link to a chapter's page, which lies beside the page of claims.

    Example:
        >>> link("05_trace_estimators")
        '<a href="05_trace_estimators.html">chapter 5</a>'
    """
    return f'<a href="{escape(chapter)}.html">chapter {int(chapter.split("_")[0])}</a>'


def _line(row: dict[str, Any], best: dict[str, Any]) -> str:
    """Return what one tier says: its verdict, its intervals drawn, how many comparisons hold."""
    verdict, tier = row["verdict"], row["tier"]
    kinds = [f"tier-{tier or 'none'}"]
    if tier == best["tier"]:
        kinds.append("claims-best")
    elif verdict in EMPTY:
        kinds.append("claims-empty")
    head = f'<span class="claims-tier">{escape(tier or "here")}</span>'
    chip = f'<span class="claims-chip {look(verdict)}" aria-hidden="true">{sign(verdict)}</span>'
    is_best = tier == best["tier"]
    said = _said(row, strongest=is_best)
    sizes = [part.detectable for part in comparisons(row) if part.sign == 0 and part.detectable]
    if is_best and sizes:
        said += f"<small>Seen four times in five: a difference of {escape(', '.join(sizes))}</small>"
    return (
        f'<div class="claims-line {" ".join(kinds)}">{head}{chip}<span class="claims-words">'
        f"<b>{escape(verdict)}</b>{said}</span>{glyph(row)}</div>"
    )


def _said(row: dict[str, Any], *, strongest: bool) -> str:
    """Return the words beside a verdict: how many comparisons hold, or the one number there is; and n.

    What the one number is of, only the strongest evidence says.
    """
    verdict, kind = row["verdict"], row["kind"]
    if verdict in EMPTY:
        address = COMMANDS if row["missing"].startswith("companion ") else IMAGES
        return f', <a href="{address}">how to run it</a>' if row["missing"] else ""
    if kind == "exact":
        return f". {set_maths(row['note'])}" if row["note"] else ""
    if kind == "opinion":
        return ""
    numbers, compared = estimates(row), comparisons(row)
    said = []
    if len(numbers) == 1 or (len(compared) == 1 and not numbers):
        label = (numbers or compared)[0].label
        said.append(row["decides"] if strongest else row["decides"].removeprefix(label).strip())
    elif numbers:
        said.append(f"{sum(part.sign == 1 for part in numbers)} of {len(numbers)} printed numbers inside")
    if len(compared) > 1 or (compared and numbers):
        opposite = sum(part.sign < 0 for part in compared)
        order = "of the order, " if numbers else ""
        said.append(order + _held(compared) + (f", {opposite} opposite" if opposite else ""))
    units = row["counted"].removeprefix("n = ")
    return f": {set_maths('; '.join(part for part in said if part))}" + (f", over {units}" if units else "")


def _held(compared: Sequence[Part]) -> str:
    return f"{sum(part.sign == 1 for part in compared)} of {len(compared)} hold"


def _full(rows: Rows) -> str:
    """Return everything that was found, folded: each tier's numbers in words, and links to its records."""
    found = [row for row in rows if row["verdict"] not in EMPTY]
    told = "".join(f"<div>{_tier(row)}{set_maths(row['measured'])}{links(row)}</div>" for row in found)
    return f'<details class="claims-full"><summary>in full</summary>{told}</details>' if told else ""


def _tier(row: dict[str, Any]) -> str:
    return f"<b>{escape(row['tier'])}</b>: " if row["tier"] else ""


def _folded(exact: Sequence[str], rows: Rows) -> str:
    """Return the exact claims, folded if all hold."""
    if not exact:
        return ""
    failed = [row for row in rows if side(row["verdict"]) != "for"]
    said = "all hold" if not failed else f"{len(failed)} of them do{'es' * (len(failed) == 1)} not hold"
    kinds = "claims-exact" + " claims-some" * bool(failed)
    return (
        f'<details class="{kinds}"{" open" * bool(failed)}><summary>{len(exact)} facts that can be proved: '
        f"{said}</summary>{''.join(exact)}</details>"
    )
