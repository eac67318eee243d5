"""Sphinx extension: mends what a browser or a screen reader would trip over.

A header cell without a word heads nothing: it becomes a plain cell. A bibliography's entries have a role of
their own, so that a list of them is none. An output that scrolls can be reached with the keyboard. An `id` is
on a page once. A link from the source of a module leads to where the book describes that object, under
whatever name it does.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_EMPTY_HEADER = re.compile(r"<th\b([^>]*)>((?:\s|&nbsp;|</?p>)*)</th>")
_CITATIONS = '<div role="list" class="citation-list">'
_SCROLLS = re.compile(
    r'(tag_output_scroll\b(?:(?!<div class="cell ).)*?<div class="cell_output\b[^>]*)>', re.DOTALL
)
_ID = re.compile(r'(<[a-z][^<>]*?) id="([^"]*)"')
_BACK = re.compile(r'<a class="viewcode-back" href="([^"#]*)#([^"]*)">.*?</a>')
_UNWRITTEN = re.compile(r'<li><a href="builtins\.html">builtins</a></li>')


def once(body: str) -> str:
    """Return a page's body with each `id` at its first place only."""
    seen: set[str] = set()

    def keep_first(found: re.Match[str]) -> str:
        again = found[2] in seen
        seen.add(found[2])
        return found[1] if again else found[0]

    return _ID.sub(keep_first, body)


def described_as(name: str, module: str, known: set[str]) -> str | None:
    """Return the name by which the book describes an object of a module; it may come from an import of it."""
    parts = name.split(".")
    ends = (".".join(parts[-count:]) for count in range(1, len(parts)))
    return next((f"{module}.{end}" for end in ends if f"{module}.{end}" in known), None)


def mend(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Mend a page's body."""
    if "body" not in context:
        return
    body = _EMPTY_HEADER.sub(r"<td\1>\2</td>", context["body"])
    body = body.replace(_CITATIONS, _CITATIONS.replace(' role="list"', ""))
    body = _SCROLLS.sub(r'\1 tabindex="0">', body)
    if pagename.startswith("_modules/"):
        module = pagename.removeprefix("_modules/").replace("/", ".")
        known = {name for name, *_ in app.env.get_domain("py").get_objects()}

        def back(found: re.Match[str]) -> str:
            if found[2] in known:
                return found[0]
            name = described_as(found[2], module, known)
            return found[0].replace(f"#{found[2]}", f"#{name}") if name else ""

        body = _UNWRITTEN.sub("", _BACK.sub(back, body))
    context["body"] = once(body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx, after all that write on pages."""
    app.connect("html-page-context", mend, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
