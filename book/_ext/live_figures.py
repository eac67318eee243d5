"""Sphinx extension: the live figures of the chapters.

Beside the HTML of a figure, a chapter's output holds what its script has to load
(`companion.live.hosts.PARTS`). The parts become scripts below `_static/live/`, which a page loads when a
figure comes into view; the JavaScript itself is named on the pages that have a figure, and on no others.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

PLACE = "live"


def parts_of(notebook: Path) -> dict[str, Any]:
    """Return the parts of all live figures of an executed notebook."""
    from companion.live.hosts import PARTS

    parts: dict[str, Any] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            parts |= output.get("metadata", {}).get(PARTS, {})
    return parts


def clear(app: Sphinx) -> None:
    """Remove what an earlier build wrote."""
    shutil.rmtree(Path(app.outdir) / "_static" / PLACE, ignore_errors=True)


def name_scripts(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put script and style sheet on a page that has a live figure, and write what the figure loads."""
    notebook = Path(app.env.doc2path(pagename))
    if notebook.suffix != ".ipynb" or 'class="live-figure"' not in context.get("body", ""):
        return
    from companion.live import bundle, hosts

    folder = Path(app.outdir) / "_static" / PLACE
    hosts.write_parts(parts_of(notebook), folder)
    (folder / "live.js").write_text(bundle.page_script(), encoding="utf-8")
    (folder / "live.css").write_text(bundle.style(), encoding="utf-8")
    app.add_js_file(f"{PLACE}/live.js", loading_method="defer")
    app.add_css_file(f"{PLACE}/live.css")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", clear)
    app.connect("html-page-context", name_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
