"""Sphinx extension: the directive `missing-runs`, which lists the runs without a record and their commands.

The list is made when the page is read, from the records that are there, so that it never has to be kept.
"""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class MissingRuns(SphinxDirective):
    """Write the commands by tier, data set and group, each group folded."""

    def run(self) -> list[nodes.Node]:
        """Return what `companion.claims.markdown` writes, as nodes of the page."""
        from companion import claims

        self.env.note_reread()
        text = claims.markdown(claims.not_yet_run())
        place = nodes.Element()
        self.state.nested_parse(
            StringList(text.splitlines(), source="missing runs"), self.content_offset, place
        )
        return list(place.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("missing-runs", MissingRuns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
