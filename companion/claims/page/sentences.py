"""Verdicts in a table beside other things, and what runs made here would change."""

from __future__ import annotations

from html import escape

import pandas as pd

from companion.claims.page.marks import MARKS, mark, parts_of
from companion.claims.page.records import paths_of

_CELL = (
    "white-space: normal; overflow-wrap: break-word; text-align: left; vertical-align: top; "
    "padding: 0.4rem 0.45rem;"
)


def html_verdicts(frame: pd.DataFrame) -> str:
    """Return any frame as an HTML table, its verdicts with their signs; it scrolls in a box of its own.

    Example:
        >>> "✓ holds" in html_verdicts(pd.DataFrame({"claim": ["a"], "verdict": ["holds"]}))
        True
    """
    head = "".join(f'<th style="{_CELL}">{escape(str(name))}</th>' for name in frame.columns)
    rows = [[str(value) for value in row] for row in frame.to_numpy(dtype=object)]
    cells = [[mark(v) if parts_of(v)[0] in MARKS else escape(v) for v in row] for row in rows]
    body = "".join("<tr>" + "".join(f'<td style="{_CELL}">{c}</td>' for c in row) + "</tr>" for row in cells)
    return (
        '<div style="overflow-x: auto; max-width: 100%"><table class="dataframe">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


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
