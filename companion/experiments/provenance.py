"""Which code makes a result: a hash of the files that decide it, and the cases that matter to it.

A record holds the hash of the code that made it. What is known of that code's equals is in `registry`. Only
the standard library is needed.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from companion.experiments.imports import files_used

if TYPE_CHECKING:
    from companion.experiments.settings import Settings


ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()

KINDS = {
    "train": "from companion.experiments.training import train\ntrain",
    "evaluate": "from companion.experiments.evaluation import evaluate\nevaluate",
}
"""What a record holds a hash for, and the code whose files decide it."""
LOSSES = "companion/losses"
LOSS_OPTIONS = ("variant", "norm", "batch_norm", "squared", "clamp")
LOOP_OPTIONS = ("network", "schedule", "augment", "precision")
EXPERIMENTS = ("objective", "samples")
WHOLE_EXPERIMENTS = (*EXPERIMENTS, "density_ratios", "gradient_maps", "pixel_perturbation")
"""What a brief evaluation measures, and a whole one."""


def source_hash(kind: str, settings: Settings, root: Path = ROOT) -> str:
    """Return the SHA-256 of the code that decides one kind of result.

    A penalty counts where a run is trained with it, and nowhere else.

    Args:
        kind: one of `KINDS`.
        settings: of the run.
        root: the folder that holds the package.

    Example:
        A penalty counts for a training, and not for an evaluation:

        >>> from companion.experiments.presets import preset
        >>> two = [preset("quick", "mnist5k", method) for method in ("baseline", "gradient_norm")]
        >>> [source_hash(kind, two[0]) == source_hash(kind, two[1]) for kind in KINDS]
        [False, True]
    """
    loss = settings.loss() if kind == "train" else None
    return _source_hash(kind, None if loss is None else (type(loss).__module__, type(loss).__name__), root)


@cache
def _source_hash(kind: str, loss: tuple[str, str] | None, root: Path) -> str:
    """Read the code once: what a process runs does not change under it."""
    used = set(files_used([KINDS[kind]], root, leave_out=LOSSES))
    if loss is not None:
        module, name = loss
        used.update(files_used([f"from {module} import {name}\n{name}"], root))
    return hash_of(used, root)


def hash_of(paths: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 of some files below a folder, the same under every version of Python.

    Of a module its syntax tree counts: comments, docstrings and layout do not.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> def hash_of_text(text):
        ...     with TemporaryDirectory() as folder:
        ...         path = Path(folder, "code.py")
        ...         _ = path.write_text(text, encoding="utf-8")
        ...         return hash_of([path], Path(folder))
        >>> one = hash_of_text("x = 1")
        >>> one == hash_of_text("x=1  # one"), one == hash_of_text("x = 2")
        (True, False)
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0".encode() + _content(path, path.stat().st_mtime_ns) + b"\0")
    return digest.hexdigest()


@cache
def _content(path: Path, _changed: int) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return _written(tree).encode()


def _written(node: object) -> str:
    """Write a syntax tree; what `ast.dump` writes depends on Python's version.

    Fields that a version adds are empty where a source does not use them, and empty fields are left out. So
    are the empty texts that some versions put into an f-string.
    """
    if isinstance(node, ast.JoinedStr):
        node.values = [v for v in node.values if not (isinstance(v, ast.Constant) and v.value == "")]
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_written(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])
        ]
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_written, node))}]"
    return ascii(node)


def cases(kind: str, settings: Settings) -> tuple[str, ...]:
    """Name the cases on which code must agree to give the same results for these settings.

    A case is text that `cases.measure` can read: a first word, and what matters as `name=value`, of a loss's
    options those that are not its defaults.

    Args:
        kind: one of `KINDS`.
        settings: of the run.

    Example:
        >>> from companion.experiments.presets import preset
        >>> settings = preset("quick", "mnist5k", "gradient_norm")
        >>> [case.split(" ")[0] for case in cases("train", settings)]
        ['step', 'loop', 'divergence']
        >>> cases("evaluate", settings)[:2]
        ('objective', 'samples')
    """
    if kind == "evaluate":
        return EXPERIMENTS if settings.is_brief else WHOLE_EXPERIMENTS
    loss = settings.loss()
    options = {
        name: getattr(loss, name)
        for name in LOSS_OPTIONS
        if getattr(loss, name, None) != getattr(type(loss), name, None)  # So a new option renames no case.
    }
    loop = {name: getattr(settings, name) for name in LOOP_OPTIONS}
    loop["input_noise"] = settings.input_noise > 0
    return (
        case_name("step", {"method": settings.method, **options}),
        case_name("loop", loop),
        *(() if loss is None else ("divergence",)),
    )


def case_name(first: str, options: Mapping[str, object]) -> str:
    """Write a case: its first word, then `name=value` each.

    Example:
        >>> case_name("step", {"method": "gradient_norm", "norm": "pair"})
        'step method=gradient_norm norm=pair'
    """
    return " ".join([first, *(f"{name}={value}" for name, value in options.items())])


@cache
def commit() -> str:
    """Return the checked-out commit, with `+` where the package differs from it; `unknown` outside git.

    Example:
        In a clone in which a file of the package was edited:

        >>> commit()  # doctest: +SKIP
        '3f2a9c81d7be+'
    """
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "companion") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout.strip()
