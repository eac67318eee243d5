"""Sphinx extension: the live figures of the chapters.

Beside the HTML of a figure, a chapter's output holds what its script has to load
(`companion.live.hosts.PARTS`). The parts become scripts below `_static/live/`, which a page loads when a
figure comes into view; the JavaScript itself is named on the pages that have a figure, and on no others.

A page without code borrows the figure of a chapter. What stands inside is its still picture:

    ```{live-figure} ../_executed/01_softmax_shift
    :kind: glimpse
    :of: fooling

    ...
    ```
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLACE = "live"
BORROWED = "live_figures"


def parts_of(notebook: Path) -> dict[str, Any]:
    """Return the parts of all live figures of an executed notebook."""
    from companion.live.hosts import PARTS

    parts: dict[str, Any] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            parts |= output.get("metadata", {}).get(PARTS, {})
    return parts


class LiveFigure(SphinxDirective):
    """A chapter's figure of one kind (`of`), shown as another (`kind`), on a page without code."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"kind": directives.unchanged_required, "of": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the figure's place, with the content as its still picture."""
        from companion.live.hosts import around_still

        _, notebook = self.env.relfn2path(f"{self.arguments[0]}.ipynb")
        self.env.note_dependency(notebook)
        of = self.options["of"]
        named = [name for name in parts_of(Path(notebook)) if name.startswith(f"{of}-")]
        if not named:
            raise self.error(f"{notebook} has no live figure of the kind {of}")
        self.env.metadata[self.env.docname][BORROWED] = notebook
        opening, closing = around_still(self.options["kind"], named[0])
        still = self.parse_content_to_nodes()
        return [nodes.raw("", opening, format="html"), *still, nodes.raw("", closing, format="html")]


def clear(app: Sphinx) -> None:
    """Remove what an earlier build wrote."""
    shutil.rmtree(Path(app.outdir) / "_static" / PLACE, ignore_errors=True)


def name_scripts(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put script and style sheet on a page that has a live figure, and write what the figure loads."""
    if pagename not in app.env.found_docs or 'class="live-figure"' not in context.get("body", ""):
        return
    from companion.live import bundle, hosts

    borrowed = app.env.metadata[pagename].get(BORROWED)
    folder = Path(app.outdir) / "_static" / PLACE
    hosts.write_parts(parts_of(Path(borrowed or app.env.doc2path(pagename))), folder)
    (folder / "live.js").write_text(bundle.page_script(), encoding="utf-8")
    (folder / "live.css").write_text(bundle.style(), encoding="utf-8")
    app.add_js_file(f"{PLACE}/live.js", loading_method="defer")
    app.add_css_file(f"{PLACE}/live.css")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("live-figure", LiveFigure)
    app.connect("builder-inited", clear)
    app.connect("html-page-context", name_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
