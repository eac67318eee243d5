"""Small books for the tests: the toy project's, and that of the real chapters executed at the tiny tier."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOY = ROOT / "tests" / "pipeline" / "toy"
BOOK_FILES = ("_config.yml", "book/_style", "book/_vendor", "book/_ext")
EXECUTE_ONLY = ("-k", "task_train or task_evaluate or task_execute")


def pipeline(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the pipeline of a project; what it wrote is in `stdout`."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=root,
        env=environment(root, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def environment(root: Path, **variables: str) -> dict[str, str]:
    """Return the environment in which `root`'s own package and pipeline are the ones imported."""
    kept = {name: value for name, value in os.environ.items() if name not in ("TIER", "SEED", "FRESH")}
    return kept | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"} | variables


def copy_toy(target: Path) -> Path:
    """Make the toy project: its own package, chapters and pages; the real pipeline and book configuration."""
    shutil.copytree(TOY, target, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "pipeline", *BOOK_FILES):
        copy(ROOT / name, target / name)
    left_by_a_tool = target / ".pytest_cache" / "README.md"  # pytest writes one where it is run
    left_by_a_tool.parent.mkdir()
    left_by_a_tool.write_text("# Not a page\n")
    return target


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
def execute_chapters() -> tuple[Path, str]:
    """Execute the real chapters at the tiny tier; return where they are, and what the pipeline wrote.

    They are kept in the project, like those of any tier, and executed again only if something has changed.
    """
    done = pipeline(ROOT, *EXECUTE_ONLY, TIER="tiny")
    return ROOT / "_executed" / ".cells" / "tiny-seed0", done.stdout


def build_html(root: Path) -> Path:
    """Build a book; a warning is an error."""
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        "build",
        str(root),
        "--path-output",
        str(root),
    ]
    done = subprocess.run(
        [*command, "-q", "--all", "-n", "-W", "--keep-going"],
        env=environment(ROOT, NO_COLOR="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return root / "_build" / "html"
