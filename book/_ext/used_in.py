"""Say below each function and class of the API pages which chapters use it.

A chapter uses what its code names. The names are found in the syntax trees of the notebooks' sources and
followed through the chapter's imports to the object, so that `audit.centred` counts for
`companion.audit.cures.centred`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

from sphinx.application import Sphinx

from pipeline.chapter import Chapter

_MAGIC = re.compile(r"^[%!].*$", re.MULTILINE)


def names_in(tree: ast.Module) -> set[str]:
    """Return the dotted names of the package that the code names, as it imports them."""
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "companion"
        for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            if first in imported and isinstance(node.ctx, ast.Load):
                found.add(f"{imported[first]}.{rest}".rstrip("."))
    return found


def defined_as(dotted: str) -> str | None:
    """Return where a function or class is defined; None for anything else, such as a module or a constant."""
    first, *rest = dotted.split(".")
    found: object = importlib.import_module(first)
    for number, part in enumerate(rest, start=2):
        try:
            found = getattr(found, part)
        except AttributeError:
            if not inspect.ismodule(found):
                return None
            found = _module(".".join([first, *rest][:number]))
    if not (inspect.isfunction(found) or inspect.isclass(found)):
        return None
    return f"{found.__module__}.{found.__qualname__}"


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def uses(folder: Path) -> dict[str, list[str]]:
    """Return, for each function and class of the package, the chapters that use it, by their files' stems."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.py")):
        code = "\n".join(Chapter.read(path).code)
        names = names_in(ast.parse(_MAGIC.sub("", code)))
        for name in sorted({place for dotted in names if (place := defined_as(dotted))}):
            found.setdefault(name, []).append(path.stem)
    return found


def sentence(chapters: list[str]) -> str:
    """Return the line, in reStructuredText, with a link to each chapter."""
    links = (f":doc:`chapter {int(stem[:2])} </_executed/{stem}>`" for stem in chapters)
    return f"Used in: {', '.join(links)}"


class UsedIn:
    """Adds the line to docstrings; reads the chapters once a build."""

    def __init__(self, folder: Path) -> None:
        """Read the chapters in a folder."""
        self.chapters = uses(folder)

    def process(
        self, app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
    ) -> None:
        """Append the line to the docstring of a function or class that a chapter uses."""
        if what in ("function", "class") and name in self.chapters:
            lines.extend(["", sentence(self.chapters[name]), ""])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc, after napoleon has read the sections."""
    used_in = UsedIn(Path(app.srcdir) / "notebooks")
    app.connect("autodoc-process-docstring", used_in.process, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
