"""Links from a row of the table to the records that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from companion.experiments.methods import METHODS

_SHOWN = 4
"""The records of at most so many models are listed by name."""


def paths_of(row: Mapping[str, Any]) -> list[str]:
    """Return the folders of the runs that a row of the table rests on."""
    return [path for path in row["paths"].split("; ") if path]


def links(row: Mapping[str, Any]) -> str:
    """Return links to the records, a seed each; one that is not committed is named without a link.

    The links lead from the page's folder to `results/`, in the repository as in the built book.
    """
    groups: dict[str, list[str]] = {}
    for path in paths_of(row):
        name, _, seed = path.rpartition("/")[2].rpartition("-seed")
        title = f"{path}/record.json"
        seed = escape(seed)
        shown = f'<a href="../{escape(quote(title))}" title="{escape(title)}">{seed}</a>'
        here = f'<span title="{escape(title)}">{seed} (made here)</span>'
        label = METHODS[name].label if name in METHODS else name
        groups.setdefault(label, []).append(shown if path.startswith("results/") else here)
    if not groups:
        return ""
    text = "; ".join(f"{escape(name)} {', '.join(seeds)}" for name, seeds in groups.items())
    earlier = f", {int(row['earlier'])} from earlier code" if row["earlier"] else ""
    if len(groups) > _SHOWN:
        count = sum(map(len, groups.values()))
        return f" <details><summary>{count} records{earlier}</summary>by seed: {text}</details>"
    return f" <span><i>Records, by seed:</i> {text}{earlier}</span>"
