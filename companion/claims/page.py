"""The table of claims as a page shows it, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

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
    "shown": ("•", "#8C8C8C"),
}
"""For each verdict a sign and a colour. The word and the sign carry the meaning; the colour is a bar beside
them."""
AGAINST = ("does not hold", "opposite", "differs")
OPEN = ("undecided", "other data", "not yet run")
_CELL = (
    "white-space: normal; overflow-wrap: break-word; text-align: left; vertical-align: top; "
    "padding: 0.4rem 0.45rem;"
)
_WIDTHS = {
    "claim": 18.0,
    "the paper says": 19.5,
    "verdict": 15.5,
    "measured": 35.0,
    "chapter": 12.0,
}
"""The columns' shares of the page's width, in percent: the table is seen whole wherever it has 640 pixels."""


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
    """Return the table of claims as HTML: it takes its width and its colours from the page.

    On a page that is too narrow for five columns it scrolls sideways.

    Args:
        frame: as `table` returns it.
    """
    head = "".join(f'<th style="{_CELL} width: {width}%">{name}</th>' for name, width in _WIDTHS.items())
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in frame.to_dict("records"))
    return (
        '<div style="overflow-x: auto; max-width: 100%"><table class="dataframe claims" '
        'style="table-layout: fixed; width: 100%; min-width: 640px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: dict[str, str]) -> str:
    runs = escape(row["records"]) or ("computed now" if row["kind"] == "exact" else "none")
    said = escape(row["text"]) + (f" <b>{escape(row['reported'])}</b>" if row["reported"] else "")
    cells = (
        f"<b>{escape(row['id'])}</b><br>{escape(row['where'])}<br><i>{escape(row['kind'])}</i>",
        said,
        mark(row["verdict"]),
        f"{escape(row['measured'])}<br>Runs: {runs}",
        link(row["chapter"]),
    )
    return "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)


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
        frame: as `table` returns it.
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


def _plain(measured: str) -> str:
    """Keep stars from being read as emphasis."""
    return measured.replace("*", "\\*")
