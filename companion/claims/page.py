"""The table of claims as a page shows it, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from companion.data import DATASETS
from companion.experiments import presets
from companion.experiments.methods import METHODS
from companion.experiments.settings import NETWORKS

MARKS: Mapping[str, tuple[str, str]] = {
    "holds": ("✓", "#009E73"),
    "reproduced": ("✓", "#009E73"),
    "agrees": ("✓", "#009E73"),
    "does not hold": ("✗", "#D55E00"),
    "opposite": ("✗", "#D55E00"),
    "differs": ("✗", "#D55E00"),
    "undecided": ("?", "#E69F00"),
    "other data": ("≠", "#0072B2"),
    "not yet run": ("…", "#8C8C8C"),
    "not at this tier": ("–", "#8C8C8C"),
    "shown": ("•", "#8C8C8C"),
}
"""For each verdict a sign and a colour. The word and the sign carry the meaning; the colour is a bar beside
them."""
AGAINST = ("does not hold", "opposite", "differs")
OPEN = ("undecided", "other data", "not yet run")
EMPTY = ("not yet run", "not at this tier")
_CELL = (
    "white-space: normal; overflow-wrap: break-word; text-align: left; vertical-align: top; "
    "padding: 0.4rem 0.45rem;"
)
_CLAIM, _SAID, _WAITING = 17, 17, 10
"""Shares of the table's width, in percent: of the two columns before the tiers, of a tier without runs."""
_NARROWEST = 680
"""Pixels below which the table scrolls in its own box: less than the text's width on a desktop."""
_SHOWN = 2
"""The records of at most so many models stand in a cell unfolded."""


def mark(verdict: str) -> str:
    """Return a verdict as HTML: a coloured bar, a sign and the word, in the page's own text colour.

    Args:
        verdict: one of `MARKS`, perhaps followed by `; order ...`.

    Example:
        >>> mark("holds")
        '<span style="border-left: 0.35em solid #009E73; padding-left: 0.4em">✓ holds</span>'
    """
    sign, colour = MARKS[verdict.split(";")[0]]
    bar = f"border-left: 0.35em solid {colour}; padding-left: 0.4em"
    return f'<span style="{bar}">{sign} {escape(verdict)}</span>'


def html_table(frame: pd.DataFrame) -> str:
    """Return the table of claims as HTML: a row a claim, a column for the paper and one for each tier.

    It takes its width and its colours from the page, and scrolls sideways in its own box where the page is
    too narrow. A tier without runs takes little room; a claim that no tier decides has one cell for all.

    Args:
        frame: as `by_tier` returns it.
    """
    tiers = [tier for tier in dict.fromkeys(frame["tier"]) if tier]
    waiting = {tier for tier in tiers if frame.loc[frame["tier"] == tier, "verdict"].isin(EMPTY).all()}
    rest = 100 - _CLAIM - _SAID - _WAITING * len(waiting)
    each = rest / max(len(tiers) - len(waiting), 1)
    head = _head("claim", _CLAIM) + _head("the paper says", _SAID)
    for tier in tiers:
        datasets = list(dict.fromkeys(frame.loc[frame["tier"] == tier, "dataset"]))
        head += _head(_tier_title(tier, datasets, tier in waiting), _WAITING if tier in waiting else each)
    groups = frame.groupby("id", sort=False)
    body = "".join(_row(group.to_dict("records"), tiers, waiting) for _, group in groups)
    return (
        '<div style="overflow-x: auto; max-width: 100%"><table class="dataframe claims" '
        f'style="table-layout: fixed; width: 100%; min-width: {_NARROWEST}px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(title: str, width: float) -> str:
    return f'<th style="{_CELL} width: {width:g}%">{title}</th>'


def _tier_title(tier: str, datasets: Sequence[str], waiting: bool) -> str:
    """Name a tier by its data and network; one without runs by a link to the list of them."""
    settings = presets.preset(tier, datasets[0], "baseline")
    names = ", ".join(DATASETS[name].title for name in datasets)
    about = escape(f"{names}; {NETWORKS[settings.network]}, width {settings.width}")
    if waiting:
        about = '<a href="#not-yet-run">not yet run</a>'
    return f'tier {escape(tier)}<br><span style="font-weight: normal">{about}</span>'


def _row(rows: list[dict[str, Any]], tiers: Sequence[str], waiting: Collection[str]) -> str:
    """Return one claim: what it is, what the paper says, and a cell a tier or one for all."""
    first = rows[0]
    said = escape(first["text"]) + (f" <b>{escape(first['reported'])}</b>" if first["reported"] else "")
    cells = [
        f"<b>{escape(first['id'])}</b><br>{escape(first['where'])}<br><i>{escape(first['kind'])}</i><br>"
        f"chapter {link(first['chapter'])}",
        said,
    ]
    html = _cells(cells)
    if not first["tier"]:
        return f'<tr>{html}<td colspan="{max(len(tiers), 1)}" style="{_CELL}">{_once(first)}</td></tr>'
    return f"<tr>{html}{_cells([_measured(row, command=row['tier'] not in waiting) for row in rows])}</tr>"


def _cells(cells: Sequence[str]) -> str:
    return "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)


def _once(row: dict[str, Any]) -> str:
    """Return the cell of a claim that is the same question at every tier: all that was found."""
    how = "" if row["verdict"] in ("shown", *EMPTY) else " (computed with this page, for every tier)"
    return f"{mark(row['verdict'])}{how}<br>{escape(row['measured'])}{_records(row)}"


def _measured(row: dict[str, Any], *, command: bool) -> str:
    """Return one tier's cell: verdict, deciding number with interval and n, the rest folded, the records.

    Where there is no record, it is the command that is folded, if asked for.
    """
    if row["verdict"] in EMPTY:
        folded = f"<details><summary>how to run it</summary>{escape(row['missing'])}</details>"
        return mark(row["verdict"]) + (folded if command and row["missing"] else "")
    numbers = "; ".join(part for part in (row["decides"], row["counted"]) if part)
    return (
        f"{mark(row['verdict'])}<br>{escape(numbers)}"
        f"<details><summary>in full</summary>{escape(row['measured'])}</details>{_records(row)}"
    )


def paths_of(row: Mapping[str, Any]) -> list[str]:
    """Return the folders of the runs that a row of the table rests on."""
    return [path for path in row["paths"].split("; ") if path]


def _records(row: dict[str, Any]) -> str:
    """Return links to the records, a seed each; one that is not committed is named without a link.

    The links lead from the page's folder to `results/`, in the repository as in the built book.
    """
    groups: dict[str, list[str]] = {}
    for path in paths_of(row):
        name, _, seed = path.rpartition("/")[2].rpartition("-seed")
        title = f"{path}/record.json"
        shown = f'<a href="../{escape(title)}" title="{escape(title)}">{seed}</a>'
        here = f'<span title="{escape(title)}">{seed} (made here)</span>'
        label = METHODS[name].label if name in METHODS else name
        groups.setdefault(label, []).append(shown if path.startswith("results/") else here)
    if not groups:
        return ""
    text = "; ".join(f"{escape(name)} {', '.join(seeds)}" for name, seeds in groups.items())
    earlier = f", {row['earlier']} from earlier code" if row["earlier"] else ""
    if len(groups) > _SHOWN:
        count = sum(map(len, groups.values()))
        return f"<details><summary>{count} records{earlier}</summary>by seed: {text}</details>"
    return f"<div><i>Records, by seed:</i> {text}{earlier}</div>"


def html_verdicts(frame: pd.DataFrame) -> str:
    """Return any frame as HTML, its verdicts with their signs, in the manner of `html_table`.

    Example:
        >>> "✓ holds" in html_verdicts(pd.DataFrame({"claim": ["a"], "verdict": ["holds"]}))
        True
    """
    head = "".join(f'<th style="{_CELL}">{escape(str(name))}</th>' for name in frame.columns)
    rows = [[str(value) for value in row] for row in frame.to_numpy(dtype=object)]
    cells = [[mark(v) if v.split(";")[0] in MARKS else escape(v) for v in row] for row in rows]
    body = "".join("<tr>" + "".join(f'<td style="{_CELL}">{c}</td>' for c in row) + "</tr>" for row in cells)
    return (
        '<div style="overflow-x: auto; max-width: 100%"><table class="dataframe">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def link(chapter: str) -> str:
    """Return a link to a chapter's page, which lies beside the page of the table.

    Example:
        >>> link("05_trace_estimators")
        '<a href="05_trace_estimators.html">5</a>'
    """
    return f'<a href="{chapter}.html">{int(chapter.split("_")[0])}</a>'


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Count the verdicts, each of `MARKS` in its order; an order judged within a number does not count here.

    Example:
        >>> counts(pd.DataFrame({"verdict": ["holds", "other data; order opposite"]}))["other data"]
        1
    """
    heads = [verdict.split(";")[0] for verdict in frame["verdict"]]
    return {name: heads.count(name) for name in MARKS}


def disagreements(frame: pd.DataFrame) -> str:
    """Say in Markdown which claims were contradicted and which stay open, from the table and nothing else.

    Args:
        frame: one tier's rows, as `table` or `at_tier` returns them.
    """
    rows = frame.to_dict("records")
    against = [
        r for r in rows if r["verdict"].split(";")[0] in AGAINST or r["verdict"].endswith("order opposite")
    ]
    still_open = [r for r in rows if r["verdict"].split(";")[0] in OPEN and r not in against]
    lines = []
    if not against:
        lines.append("No claim is contradicted at this tier.")
    else:
        lines.append(f"**Contradicted at this tier: {len(against)} of {len(frame)}.**")
        lines += [f"- *{r['id']}* ({r['where']}), {r['verdict']}. {_plain(r['measured'])}" for r in against]
    lines.append("")
    if still_open:
        lines.append(f"**Neither confirmed nor contradicted: {len(still_open)}.**")
        groups: dict[str, list[str]] = {}
        for r in still_open:
            groups.setdefault(r["verdict"], []).append(f"*{r['id']}*")
        lines += [f"- {verdict}: {', '.join(names)}." for verdict, names in groups.items()]
    return "\n".join(lines)


def changes(committed: pd.DataFrame, own: pd.DataFrame) -> str:
    """Say in Markdown which verdicts change when runs made here take the place of committed ones.

    Args:
        committed: one tier's rows, committed records first.
        own: the same claims, runs made here first.
    """
    mine = dict(zip(own["id"], own["verdict"], strict=True))
    here = {path for row in own.to_dict("records") for path in paths_of(row) if path.startswith("_runs/")}
    if not here:
        return "No run of this tier was made on this machine; all records are committed ones."
    changed = [r for r in committed.to_dict("records") if r["id"] in mine and r["verdict"] != mine[r["id"]]]
    made = f"{len(here)} of the runs were made on this machine. Taken before the committed ones, they change"
    if not changed:
        return f"{made} none of the {len(own)} verdicts."
    lines = [f"{made} {len(changed)} of the {len(own)} verdicts:", ""]
    lines += [f"- *{r['id']}*: {r['verdict']} becomes {mine[r['id']]}." for r in changed]
    return "\n".join(lines)


def _plain(measured: str) -> str:
    """Keep stars from being read as emphasis."""
    return measured.replace("*", "\\*")
