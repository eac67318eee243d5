"""Verdicts in a table beside other things, and what runs made here would change."""

from __future__ import annotations

from html import escape
from itertools import groupby

import pandas as pd

from companion.claims.page.marks import MARKS, mark, parts_of
from companion.claims.page.records import paths_of

_CELL = (
    "white-space: normal; overflow-wrap: break-word; text-align: left; vertical-align: top; "
    "padding: 0.4rem 0.45rem;"
)


def html_verdicts(frame: pd.DataFrame) -> str:
    """Return any frame as an HTML table, its verdicts with their signs; it scrolls in a box of its own.

    Equal cells of the first column that follow each other are one.

    Example:
        >>> "✓ holds" in html_verdicts(pd.DataFrame({"claim": ["a"], "verdict": ["holds"]}))
        True
    """
    head = "".join(f'<th style="{_CELL}">{escape(str(name))}</th>' for name in frame.columns)
    rows = [[str(value) for value in row] for row in frame.to_numpy(dtype=object)]
    body = ""
    for _, group in groupby(rows, key=lambda row: row[0]):
        members = list(group)
        joined = f'<td style="{_CELL}" rowspan="{len(members)}">{_shown(members[0][0])}</td>'
        for place, row in enumerate(members):
            cells = "".join(f'<td style="{_CELL}">{_shown(value)}</td>' for value in row[1:])
            body += f"<tr>{joined if place == 0 else ''}{cells}</tr>"
    return (
        '<div style="overflow-x: auto; max-width: 100%"><table class="dataframe">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _shown(value: str) -> str:
    return mark(value) if parts_of(value)[0] in MARKS else escape(value)


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
    made = f"Runs made on this machine: {len(here)}. Taken before the committed ones, they change"
    if not changed:
        return f"{made} none of the {len(own)} verdicts."
    lines = [f"{made} {len(changed)} of the {len(own)} verdicts:", ""]
    lines += [f"- *{r['id']}*: {r['verdict']} becomes {mine[r['id']]}." for r in changed]
    return "\n".join(lines)
