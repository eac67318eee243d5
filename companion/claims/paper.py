"""What the paper says: its claims, and the numbers that it prints."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from companion._support import choose

CLAIMS = Path(__file__).with_name("claims.toml")
REPORTED = Path(__file__).with_name("reported.toml")


@cache
def claims() -> tuple[dict[str, Any], ...]:
    """Return the paper's claims as `claims.toml` lists them."""
    return tuple(_read(CLAIMS)["claim"])


def reported(section: str) -> dict[str, Any]:
    """Return one section of `reported.toml`: numbers that the paper prints, in percent unless said otherwise.

    Args:
        section: dotted, such as `cifar100.gan_test`.

    Raises:
        ValueError: there is no such section; the known ones are listed.

    Example:
        >>> reported("cifar100.gan_test")["baseline"]
        59.47
    """
    sections: dict[str, dict[str, Any]] = {}
    for name, value in _read(REPORTED).items():
        inner = {key: entry for key, entry in value.items() if isinstance(entry, dict) and name != "setup"}
        sections |= {f"{name}.{key}": entry for key, entry in inner.items()} or {name: value}
    return sections[choose("section", section, tuple(sections))]


@cache
def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
