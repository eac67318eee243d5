"""Sphinx extension: a term of the glossary carries its definition, which opens on hover and on focus."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
_LINK = re.compile(r'<a class="reference internal" (?:title="[^"]*" )?href="[^"]*#(term-[^"]+)"([^>]*)>')


@cache
def read(app: Sphinx) -> dict[str, str]:
    """Return the glossary's definitions as plain text, by the `id` of the term."""
    if GLOSSARY not in app.env.found_docs:
        return {}
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        term, definition = item[0], item[-1]
        found |= dict.fromkeys(term["ids"], _plain(definition))
    return found


def _plain(node: nodes.Node) -> str:
    if isinstance(node, nodes.math):
        return rf"\({node.astext()}\)"  # As MathJax reads it.
    return "".join(map(_plain, node.children)) if node.children else node.astext()


def open_in_place(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put the definitions on a page's links to the glossary."""
    if pagename == GLOSSARY or "#term-" not in context.get("body", ""):
        return
    known = read(app)

    def with_definition(found: re.Match[str]) -> str:
        said = html.escape(known[found[1]])
        return f'{found[0][:-1]} data-definition="{said}">'

    context["body"] = _LINK.sub(with_definition, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", open_in_place)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
