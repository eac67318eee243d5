"""Which modules of the package a notebook's code can reach, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = "companion"


def reachable(code: Iterable[str], root: Path) -> list[Path]:
    """Return the files under `root/companion` that the code's imports lead to, directly or not.

    A module counts with the `__init__` of its folder. The package's own `__init__` counts as a file, but its
    imports are not followed: they would lead everywhere. A data file that a module names in a string and that
    lies beside it (`"claims.toml"`) counts too.

    Args:
        code: sources of code cells; IPython's `%` and `!` lines are skipped.
        root: the folder that holds the package.
    """
    found: set[Path] = set()
    waiting = [path for cell in code for path in _imports(_without_magics(cell), None, root)]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.suffix != ".py":
            continue
        text = path.read_text()
        waiting += _data_files(text, path)
        if path != root / PACKAGE / "__init__.py":
            waiting += _imports(text, path, root)
    return sorted(found)


def _without_magics(cell: str) -> str:
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell.splitlines())


@cache
def _named(code: str) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Return what a source imports, as the level and the parts of dotted names, and strings like file names.

    It is kept, since every chapter leads to the same modules.
    """
    imports: list[tuple[int, list[str]]] = []
    strings: list[str] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            imports += [(node.level, [*module, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _like_a_file(node.value):
            strings.append(node.value)
    return imports, strings


def _like_a_file(text: str) -> bool:
    return text.isprintable() and 2 < len(text) < 100 and "." in text and " " not in text


def _imports(code: str, importer: Path | None, root: Path) -> Iterator[Path]:
    for level, name in _named(code)[0]:
        if level and importer is not None:
            name = [*importer.relative_to(root).parts[:-level], *name]
        yield from _files(name, root)


def _files(name: list[str], root: Path) -> Iterator[Path]:
    """Yield the `__init__` files on the way to a dotted name, and its module."""
    if name[0] != PACKAGE:
        return
    for length in range(1, len(name) + 1):
        place = root.joinpath(*name[:length])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


def _data_files(code: str, module: Path) -> Iterator[Path]:
    for name in _named(code)[1]:
        if (module.parent / name).is_file():
            yield module.parent / name
