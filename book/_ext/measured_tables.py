"""Sphinx extension: the directive `measured-table`, a CSV of measurements under its commit and machine."""

from __future__ import annotations

import csv
import io
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
        first = rows[0]
        caption = f"{self.arguments[0]} n = {first['n']}; commit {first['commit']}, {first['machine']}."
        shown = io.StringIO()
        writer = csv.DictWriter(shown, [n for n in first if n not in SAME_FOR_ALL], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        lines = [f"```{{csv-table}} {caption}", ":header-rows: 1", "", *shown.getvalue().splitlines(), "```"]
        place = nodes.Element()
        self.state.nested_parse(StringList(lines, source=str(path)), self.content_offset, place)
        return list(place.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("measured-table", MeasuredTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
