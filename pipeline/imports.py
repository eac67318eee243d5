"""Which modules of the package a notebook's code can reach, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
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
    waiting = [path for cell in code for path in _imports(_parse(cell), None, root)]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text())
        waiting += _data_files(tree, path)
        if path != root / PACKAGE / "__init__.py":
            waiting += _imports(tree, path, root)
    return sorted(found)


def _parse(cell: str) -> ast.Module:
    return ast.parse(
        "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell.splitlines())
    )


def _imports(tree: ast.Module, importer: Path | None, root: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name.split("."), root)
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level and importer is not None:
                module = [*importer.relative_to(root).parts[: -node.level], *module]
            for alias in node.names:
                yield from _files([*module, alias.name], root)


def _files(name: list[str], root: Path) -> Iterator[Path]:
    """Yield the `__init__` files on the way to a dotted name, and its module."""
    if name[0] != PACKAGE:
        return
    for length in range(1, len(name) + 1):
        place = root.joinpath(*name[:length])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


def _data_files(tree: ast.Module, module: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isprintable():
            name = node.value
            if 2 < len(name) < 100 and "." in name and " " not in name and (module.parent / name).is_file():
                yield module.parent / name
