"""Small books for the tests: the toy project's, and that of the real chapters executed at the tiny tier."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
TOY = ROOT / "tests" / "pipeline" / "toy"
BOOK_FILES = ("_config.yml", "book/_style", "book/_templates", "book/_vendor", "book/_ext")
needs_proc = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
EXECUTED = ROOT / "_executed" / ".cells"
"""The executed chapters of each tier and seed."""


def pipeline(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the pipeline of a project; what it wrote is in `stdout`."""
    process = start(root, *arguments, **variables)
    output, _ = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def start(root: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start the pipeline of a project, without waiting for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=root,
        env=environment(root, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def processes_of(root: Path) -> dict[int, list[str]]:
    """Return the processes whose working directory is the project: their numbers and their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.readlink() == root:
                found[int(path.parent.name)] = (
                    (path.parent / "cmdline").read_text(encoding="utf-8").split("\0")[:-1]
                )
        except OSError:
            continue
    return {number: words for number, words in found.items() if words}


def wait_for(condition: Callable[[], T], seconds: float = 300) -> T:
    """Wait until the condition holds; return what it returned then."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def environment(root: Path, **variables: str) -> dict[str, str]:
    """Return the environment in which `root`'s own package and pipeline are the ones imported."""
    kept = {name: value for name, value in os.environ.items() if name not in ("TIER", "SEED", "FRESH")}
    return kept | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | variables


def copy_toy(target: Path) -> Path:
    """Make the toy project: its own package, chapters and pages; the real pipeline and book configuration."""
    shutil.copytree(TOY, target, ignore=shutil.ignore_patterns("__pycache__"))
    real = (f"companion/experiments/{name}.py" for name in ("imports", "lock", "provenance", "registry"))
    for name in ("pyproject.toml", "pipeline", *real, *BOOK_FILES):
        copy(ROOT / name, target / name)
    left_by_a_tool = target / ".pytest_cache" / "README.md"  # pytest writes one where it is run
    left_by_a_tool.parent.mkdir()
    left_by_a_tool.write_text("# Not a page\n", encoding="utf-8")
    return target


def built_toy(factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Build the toy project, book included, once for all processes of a test run; not to be changed.

    Returns:
        The project, and what the build wrote.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, written = shared / "toy" / "project", shared / "toy.log"
    with (shared / "toy.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not written.exists():
            shutil.rmtree(root, ignore_errors=True)
            done = pipeline(copy_toy(root))
            assert done.returncode == 0, done.stdout
            written.write_text(done.stdout, encoding="utf-8")
    return root, written.read_text(encoding="utf-8")


@cache
def current_book() -> Path | None:
    """Return the book that `make book` left in the project, if nothing has changed since."""
    html = ROOT / "_build" / "html"
    if not (html / "index.html").exists():
        return None
    done = pipeline(ROOT, "--dry-run")
    return html if done.returncode == 0 and "Would be executed" not in done.stdout else None


def copy_book(target: Path) -> Path:
    """Copy what the book of the real chapters is made of, except the executed chapters themselves."""
    target.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "book", "notebooks", "benchmarks", "results"):
        copy(ROOT / name, target / name)
    return target


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, if it is there."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


@cache
def execute_chapters(*names: str) -> tuple[Path, str]:
    """Execute real chapters at the tiny tier; return where they are, and what the pipeline wrote.

    They are kept in the project, like those of any tier, and executed again only if something has changed.

    Args:
        names: as in `01_softmax_shift`; without any, all chapters.
    """
    done = pipeline(ROOT, "-k", f"task_train or task_evaluate or {_executing(names)}", TIER="tiny")
    return EXECUTED / "tiny-seed0", done.stdout


def _executing(names: tuple[str, ...]) -> str:
    return f"(task_execute and ({' or '.join(names)}))" if names else "task_execute"


def build_html(root: Path, builder: str = "html", *, package: Path = ROOT) -> Path:
    """Build a book, with the package of a project; a warning is an error. Return its folder."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline.worker",
            "book",
            json.dumps({"root": str(root), "builder": builder}),
        ],
        cwd=package,
        env=environment(package, NO_COLOR="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout
    return root / "_build" / builder


def page_names(html: Path) -> list[str]:
    """Return the pages of a built book, without those that Sphinx adds."""
    return sorted(
        str(path.relative_to(html))
        for folder in ("book", "_executed")
        for path in (html / folder).glob("*.html")
    )
