"""The toy project, built once; each test that changes it works on a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import builds

collect_ignore = ["toy"]


@pytest.fixture(scope="session")
def built_toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the toy project after its first build, book included, and what the build wrote."""
    return builds.built_toy(tmp_path_factory)


@pytest.fixture
def toy(built_toy: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a built toy project that the test may change."""
    return Path(shutil.copytree(built_toy[0], tmp_path / "project"))


@pytest.fixture
def edit() -> Callable[[Path, str, str], None]:
    """Return a function that replaces a text, which must be there, in a file."""

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace
