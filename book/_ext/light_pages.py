"""Sphinx extension: a page loads what its reader comes to, and no more.

A page with widgets shows a still picture of each. The library of the widgets, two megabytes, and their state
are loaded when a reader comes near (`_style/widgets.js`). Pictures are loaded when they come near, too; each
has its size on the page, so that nothing moves when it arrives.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx

STATE, VIEW = (f"application/vnd.jupyter.widget-{kind}+json" for kind in ("state", "view"))
LIBRARY = "widgets/embed.js"
_VIEW = re.compile(rf'<script type="{re.escape(VIEW)}">(.*?)</script>', re.DOTALL)
_IMAGES = re.compile(r'<img\b(?![^>]*\bloading=)[^>]*?\bsrc="([^"]+)"[^>]*?(?=\s*/?>)')
_LENGTH = r'<svg\b[^>]*?\b{}="([\d.]+)(pt|px)?"'


def still(model: str, state: dict[str, Any]) -> str:
    """Return the HTML that a widget contains; of a stack's, the last one."""
    values = state.get(model, {}).get("state", {})
    children = [child.removeprefix("IPY_MODEL_") for child in values.get("children", [])]
    if values.get("_model_name") == "StackModel":
        children = children[-1:]
    own = values["value"] if values.get("_model_name") == "HTMLModel" else ""
    return own + "".join(still(child, state) for child in children)


def draw_stills(app: Sphinx, doctree: nodes.document) -> None:
    """Put a still before each widget of a notebook."""
    scripts = NbMetadataCollector.get_js_files(app.env, app.env.docname)
    if "ipywidgets_state" not in scripts:
        return
    state = json.loads(scripts["ipywidgets_state"][1]["body"])["state"]
    for node in list(doctree.findall(nodes.raw)):
        if found := _VIEW.search(node.astext()):
            picture = still(json.loads(found[1])["model_id"], state)
            node.parent.insert(
                node.parent.index(node),
                nodes.raw("", f'<div class="widget-still">{picture}</div>', format="html"),
            )


def put_off_widgets(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Take the widgets' state and library from a page; leave the script that loads both."""
    scripts = context.get("script_files", [])
    states = [script for script in scripts if script.attributes.get("type") == STATE]
    if not states:
        return
    state = states[0].attributes["body"]
    name = f"widgets/state-{hashlib.sha256(state.encode()).hexdigest()[:16]}.js"
    target = Path(app.outdir) / "_static" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"takeWidgetState({state});\n", encoding="utf-8")
    for script in [*states, *(each for each in scripts if LIBRARY in str(each.filename))]:
        scripts.remove(script)
    root = context["pathto"]("_static", 1)
    app.add_js_file(
        "widgets.js",
        loading_method="defer",
        **{"data-state": f"{root}/{name}", "data-library": f"{root}/{LIBRARY}"},
    )


def size_of(picture: Path) -> tuple[int, int] | None:
    """Return a PNG's or an SVG's width and height in CSS pixels; None for what states neither."""
    if picture.suffix == ".png":
        return struct.unpack(">II", picture.read_bytes()[16:24])
    head = picture.read_text(encoding="utf-8")[:2000] if picture.suffix == ".svg" else ""
    lengths = [re.search(_LENGTH.format(name), head) for name in ("width", "height")]
    pixels = [round(float(found[1]) * (4 / 3 if found[2] == "pt" else 1)) for found in lengths if found]
    return (pixels[0], pixels[1]) if len(pixels) == 2 else None


def put_off_pictures(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Have a page's pictures loaded when they come near, in a place of their size; not on paper."""
    if app.builder.name != "html":
        return
    sources = {name: Path(app.srcdir) / source for source, name in app.builder.images.items()}

    def lazy(found: re.Match[str]) -> str:
        source = sources.get(found[1].rpartition("/")[2])
        size = size_of(source) if source and " style=" not in found[0] else None
        place = ' width="{}" height="{}"'.format(*size) if size else ""
        return f'{found[0].rstrip()}{place} loading="lazy"'

    if "body" in context:
        context["body"] = _IMAGES.sub(lazy, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx, after MyST-NB, which puts the widgets on their pages."""
    app.connect("doctree-read", draw_stills)
    app.connect("html-page-context", put_off_widgets, priority=900)
    app.connect("html-page-context", put_off_pictures, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
