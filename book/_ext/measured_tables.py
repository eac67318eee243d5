"""Sphinx extension: the directive `measured-table`, a CSV of measurements under its commit and machine."""

from __future__ import annotations

import csv
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SAME_FOR_ALL = ("n", "commit", "machine")


class MeasuredTable(SphinxDirective):
    """Show the columns that differ between rows; what is the same for all stands in the caption."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"file": directives.unchanged_required}  # noqa: RUF012 - docutils declares it so

    def run(self) -> list[nodes.Node]:
        """Return the table that `csv-table` makes of it."""
        path = Path(self.env.relfn2path(self.options["file"])[1])
        self.env.note_dependency(str(path))
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        shown = [name for name in rows[0] if name not in SAME_FOR_ALL]
        first = rows[0]
        caption = f"{self.arguments[0]} n = {first['n']}; commit {first['commit']}, {first['machine']}."
        lines = [f"```{{csv-table}} {caption}", ":header-rows: 1", ""]
        quoted = [[value.replace('"', '""') for value in row] for row in self._rows(shown, rows)]
        lines += [",".join(f'"{value}"' for value in row) for row in quoted]
        place = nodes.Element()
        self.state.nested_parse(StringList([*lines, "```"], source=str(path)), self.content_offset, place)
        return list(place.children)

    @staticmethod
    def _rows(shown: list[str], rows: list[dict[str, str]]) -> list[list[str]]:
        return [shown, *([row[name] for name in shown] for row in rows)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("measured-table", MeasuredTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
