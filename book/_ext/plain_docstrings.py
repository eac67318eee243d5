"""Show docstrings written as plain text with `code`, $mathematics$, bullet lists and Markdown tables.

The package's docstrings are read in an editor first. This turns their few marks into the reStructuredText
that autodoc expects, and escapes what reStructuredText would take for a mark: |x|, a trailing underscore.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

# What is left alone: ``literals`` and roles. What is changed: $mathematics$ and `code`, in this order.
_SPAN = re.compile(
    r"(?P<kept>``.+?``|:[\w:]+:`[^`]+`)"
    r"|\$(?P<math>[^$\s](?:[^$]*[^$\s])?)\$"
    r"|(?<![`\w])`(?P<code>[^`]+)`(?![`_])",
    re.DOTALL,
)
_BULLET = re.compile(r"\s*([-*]|\d+\.)\s")


def convert(lines: list[str]) -> list[str]:
    """Return a docstring's lines as reStructuredText; examples and directives stay as they are."""
    converted: list[str] = []
    paragraph: list[str] = []
    verbatim: int | None = None  # the indentation of the directive or literal block that we are in

    def flush() -> None:
        if paragraph:
            is_table = paragraph[0].lstrip().startswith("|")
            text = _table(paragraph) if is_table else _marks("\n".join(paragraph))
            converted.extend(text.split("\n"))
            paragraph.clear()

    for line in lines:
        indent = len(line) - len(line.lstrip())
        if verbatim is not None and (not line.strip() or indent > verbatim):
            converted.append(line)
            continue
        verbatim = None
        in_example = line.lstrip().startswith(">>>") or (not paragraph and _in_example(converted))
        if not line.strip() or in_example:
            flush()
            converted.append(line)
        elif line.lstrip().startswith(".. "):
            flush()
            converted.append(line)
            verbatim = indent
        else:
            if _BULLET.match(line) and not paragraph and converted and converted[-1].strip():
                converted.append("")
            elif _BULLET.match(line) and paragraph and not any(_BULLET.match(item) for item in paragraph):
                flush()
                converted.append("")
            paragraph.append(line)
            if line.rstrip().endswith("::"):
                flush()
                verbatim = indent
    flush()
    return converted


def _in_example(converted: list[str]) -> bool:
    """Say whether the line before belongs to a doctest: expected output is not text."""
    for line in reversed(converted):
        if not line.strip():
            return False
        if line.lstrip().startswith(">>>"):
            return True
    return False


def _marks(text: str) -> str:
    pieces, end = [], 0
    for found in _SPAN.finditer(text):
        pieces.append(_escape(text[end : found.start()]))
        if found["math"]:
            # A role follows a space or punctuation; "\ " is an invisible separator elsewhere.
            pieces.append(":math:`" + found["math"].replace("\n", " ") + "`" + _separator(text, found.end()))
        elif found["code"]:
            pieces.append("``" + found["code"] + "``" + _separator(text, found.end()))
        else:
            pieces.append(found["kept"])
        end = found.end()
    return "".join([*pieces, _escape(text[end:])])


def _separator(text: str, end: int) -> str:
    return r"\ " if text[end : end + 1].isalnum() else ""


def _escape(text: str) -> str:
    text = text.replace("|", r"\|")
    text = re.sub(r"(?<=\w)_(?!\w)", r"\_", text)
    return re.sub(r"(?<![\w\\])\*(?=[^\s*])", r"\*", text)


def _table(rows: list[str]) -> str:
    indent = " " * (len(rows[0]) - len(rows[0].lstrip()))
    cells = [[cell.strip() for cell in row.strip().strip("|").split(" | ")] for row in rows]
    cells = [row for row in cells if not all(set(cell) <= set("-:| ") for cell in row)]
    out = [f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in cells:
        for number, cell in enumerate(row):
            out.append(f"{indent}   {'* -' if number == 0 else '  -'} {_marks(cell)}")
    return "\n".join([*out, ""])


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Convert a docstring in place, before napoleon reads its sections."""
    lines[:] = convert(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
