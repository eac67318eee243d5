"""Which files of the package a piece of code uses, found by reading and without running it.

A name is followed to the file that defines it: code that calls `metrics.gan_test` uses that metric's file and
not its neighbours in the folder, whose `__init__` hands all of them out. A name that is imported and never
used leads nowhere. A package passed on as a whole (`getattr(models, name)`) counts with everything in it.

Only the standard library is needed, so that nothing has to be imported to know what would be.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = "companion"
_NOT_DATA = (".py", ".pyc")


@dataclass(frozen=True)
class _Source:
    """What a source says: names it imports, what it does with names, and strings that may be files."""

    imports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Local name -> dotted name; a relative import begins with as many empty parts as it has dots."""
    uses: set[tuple[str, ...]] = field(default_factory=set)
    """Names that are read, each with the attributes taken of it."""
    strings: set[str] = field(default_factory=set)


def files_used(code: Iterable[str], root: Path, leave_out: str | None = None) -> list[Path]:
    """Return the files under `root/companion` that some code uses, directly or through each other.

    A data file that a module names in a string and that lies beside it (`"claims.toml"`) counts too.

    Args:
        code: Python sources, such as a chapter's cells, which see each other's names; IPython's `%` and `!`
            lines are skipped.
        root: the folder that holds the package.
        leave_out: a folder below root whose files do not count, nor what they alone use.
    """
    found: set[Path] = set()
    waiting = list(_used(_read(_without_magics("\n".join(code))), (), root))
    while waiting:
        path = waiting.pop()
        if path in found or (leave_out is not None and path.is_relative_to(root / leave_out)):
            continue
        found.add(path)
        if path.suffix == ".py":
            source, place = _source(path), path.relative_to(root).with_suffix("").parts
            waiting += _used(source, place, root)
            waiting += (p for name in source.strings if (p := path.parent / name).is_file())
    return sorted(found)


def _without_magics(code: str) -> str:
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines())


def _source(path: Path) -> _Source:
    return _source_at(path, path.stat().st_mtime_ns)


@cache
def _source_at(path: Path, _changed: int) -> _Source:
    """Read a module once: every chapter leads to the same ones."""
    return _read(path.read_text(encoding="utf-8"))


def _read(code: str) -> _Source:
    source = _Source()
    inner: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                source.imports[alias.asname or parts[0]] = parts if alias.asname else parts[:1]
        elif isinstance(node, ast.ImportFrom):
            start = ("",) * node.level + (tuple(node.module.split(".")) if node.module else ())
            for alias in node.names:
                source.imports[alias.asname or alias.name] = (*start, alias.name)
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            chain: list[str] = []
            part: ast.expr = node
            while isinstance(part, ast.Attribute):
                chain.append(part.attr)
                part = part.value
                inner.add(id(part))
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                source.uses.add((part.id, *reversed(chain)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _like_a_file(node.value):
            source.strings.add(node.value)
    return source


def _like_a_file(text: str) -> bool:
    return text.isprintable() and 2 < len(text) < 100 and "." in text and " " not in text


def _used(source: _Source, place: tuple[str, ...], root: Path) -> Iterator[Path]:
    """Yield the files that a source's used names lead to; `place` is the source's own dotted name."""
    for name, *attributes in source.uses:
        if name in source.imports:
            dotted = _absolute(source.imports[name], place)
            if dotted[0] == PACKAGE:
                yield from _defining(dotted, tuple(attributes), root)


def _absolute(dotted: tuple[str, ...], place: tuple[str, ...]) -> tuple[str, ...]:
    level = sum(part == "" for part in dotted)
    return place[: len(place) - level] + dotted[level:] if level else dotted


def _defining(dotted: tuple[str, ...], attributes: tuple[str, ...], root: Path) -> Iterator[Path]:
    """Yield the file that defines a dotted name and the attributes taken of it."""
    path = _file(dotted, root)
    if path is None:
        if len(dotted) > 1:
            yield from _defining(dotted[:-1], (dotted[-1], *attributes), root)
        return
    source = _source(path)
    is_package = path.name == "__init__.py"
    place = (*dotted, "__init__") if is_package else dotted
    if attributes and is_package and _file((*dotted, attributes[0]), root):
        yield from _defining((*dotted, attributes[0]), attributes[1:], root)
    elif attributes and attributes[0] in source.imports:
        whole = _absolute(source.imports[attributes[0]], place)
        if whole[0] == PACKAGE:
            yield from _defining(whole, attributes[1:], root)
    elif is_package and not attributes:
        for name in source.imports:
            yield from _defining(dotted, (name,), root)
        yield path
    else:
        yield path


@cache
def _file(dotted: tuple[str, ...], root: Path) -> Path | None:
    place = root.joinpath(*dotted)
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None
