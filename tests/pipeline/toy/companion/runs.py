"""Runs of the stand-in package: settings, where they lie, and the hash of the code that decides them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
METHODS = ("baseline", "score_matching")
TIERS = ("tiny", "quick", "small", "paper")


@dataclass(frozen=True)
class Settings:
    """A run's settings."""

    tier: str
    method: str
    seed: int
    dataset: str = "toy"

    @property
    def name(self) -> str:
        """The run's name."""
        return self.method

    @property
    def run_id(self) -> str:
        """The run's folder below `_runs`."""
        return f"{self.tier}/{self.dataset}/{self.method}-seed{self.seed}"

    @classmethod
    def from_dict(cls, values: dict) -> Settings:
        """Build settings from a dictionary."""
        return cls(**values)


def directory(settings: Settings) -> Path:
    """Return a run's folder."""
    return PROJECT / "_runs" / settings.run_id


def is_finished(settings: Settings) -> bool:
    """Find no finished run, so that the task decides alone."""
    return False


def source_files(kind: str, settings: Settings) -> list[Path]:
    """Return the modules that decide a result; the baseline has no loss."""
    if kind == "evaluate":
        names = ["evaluation.py"]
    else:
        names = ["training.py"] + (["losses.py"] if settings.method != "baseline" else [])
    return [PROJECT / "companion" / name for name in names]


def source_hash(paths: Iterable[Path]) -> str:
    """Return a hash of code without docstrings and comments."""
    digest = hashlib.sha256()
    for path in paths:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                node.body = [statement for statement in node.body if not _is_text(statement)]
        digest.update(path.name.encode() + ast.dump(tree).encode())
    return digest.hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
