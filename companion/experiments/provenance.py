"""Which code made a result, and which later code computes the same.

A record holds a hash of the code that made it. The hash changes with every edit, and most edits change no
result. So `results/behaviour.json` keeps two more things: what the recorded code computes on small fixed
cases (`reference`), and which later hashes were shown to compute the same there (`codes`); `behaviour` fills
both. A record stands by *this code* if its hash is today's, by *code that computes the same* if today's code
is known to equal the record's on each case that matters to the run, and otherwise by *earlier code*.

Only the standard library is needed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.experiments.imports import PACKAGE, files_used

if TYPE_CHECKING:
    from companion.experiments.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()
REGISTRY = PROJECT / "results" / "behaviour.json"

KINDS = {
    "train": "from companion.experiments.training import train\ntrain",
    "evaluate": "from companion.experiments.evaluation import evaluate\nevaluate",
}
"""What a record holds a hash for, and the code whose files decide it."""
LOSSES = "companion/losses"
THIS, SAME, EARLIER = "this code", "code that computes the same", "earlier code"
STANDINGS = (THIS, SAME, EARLIER)
"""What a record can be of, from best to worst."""
LOSS_OPTIONS = ("variant", "norm", "batch_norm", "squared", "clamp")
LOOP_OPTIONS = ("network", "schedule", "augment", "precision")
EXPERIMENTS = ("objective", "samples")
WHOLE_EXPERIMENTS = (*EXPERIMENTS, "density_ratios", "gradient_maps", "pixel_perturbation")
"""What a brief evaluation measures, and a whole one."""
_ROW = {
    "kind": str,
    "case": str,
    "recorded": str,
    "equals": str,
    "commit": str,
    "worst": float,
    "allowed": float,
}


class RegistryError(ValueError):
    """`behaviour.json` is damaged or of another kind; the message says what to do."""


def source_hash(kind: str, settings: Settings, root: Path = ROOT) -> str:
    """Return the SHA-256 of the code that decides one kind of result.

    A penalty counts where a run is trained with it, and nowhere else.

    Args:
        kind: one of `KINDS`.
        settings: of the run.
        root: the folder that holds the package.
    """
    loss = settings.loss() if kind == "train" else None
    changed = max(path.stat().st_mtime_ns for path in (root / PACKAGE).rglob("*.py"))
    return _source_hash(
        kind, None if loss is None else (type(loss).__module__, type(loss).__name__), root, changed
    )


@cache
def _source_hash(kind: str, loss: tuple[str, str] | None, root: Path, _changed: int) -> str:
    used = set(files_used([KINDS[kind]], root, leave_out=LOSSES))
    if loss is not None:
        module, name = loss
        used.update(files_used([f"from {module} import {name}\n{name}"], root))
    return hash_of(used, root)


def hash_of(paths: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 of some files below a folder, the same under every version of Python.

    Of a module its syntax tree counts: comments, docstrings and layout do not.
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

    A case is text that `behaviour.measure` can read: a first word, and what matters as `name=value`.

    Args:
        kind: one of `KINDS`.
        settings: of the run.
    """
    if kind == "evaluate":
        return EXPERIMENTS if settings.is_brief else WHOLE_EXPERIMENTS
    loss = settings.loss()
    options = {name: getattr(loss, name) for name in LOSS_OPTIONS if hasattr(loss, name)}
    loop = {name: getattr(settings, name) for name in LOOP_OPTIONS}
    loop["input_noise"] = settings.input_noise > 0
    return (
        case_name("step", {"method": settings.method, **options}),
        case_name("loop", loop),
        *(() if loss is None else ("divergence",)),
    )


def case_name(first: str, options: Mapping[str, object]) -> str:
    """Write a case: its first word, then `name=value` each."""
    return " ".join([first, *(f"{name}={value}" for name, value in options.items())])


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The contents of `behaviour.json`.

    Attributes:
        same_text: hashes of an older format -> today's format, of the same code.
        reference: kind -> case -> quantity -> value, as the recorded code computes it.
        codes: rows of `kind, case, recorded, equals, commit, worst, allowed`: the hash `equals`, at that
            commit, deviated from the reference of the code `recorded` by `worst` at most.
    """

    same_text: Mapping[str, str]
    reference: Mapping[str, Mapping[str, Mapping[str, float]]]
    codes: tuple[Mapping[str, Any], ...]

    def text(self, code: str) -> str:
        """Return a hash in today's format."""
        return self.same_text.get(code, code)

    def canonical(self, kind: str, case: str, code: str) -> str:
        """Return the hash of the recorded code that this one equals on a case; its own, if none is known."""
        code = self.text(code)
        for row in self.codes:
            if (row["kind"], row["case"], row["equals"]) == (kind, case, code):
                return row["recorded"]
        return code

    def knows(self, kind: str, code: str) -> bool:
        """Say whether some code was ever compared with the reference."""
        return any((row["kind"], row["equals"]) == (kind, self.text(code)) for row in self.codes)

    def standing(self, hashes: Mapping[str, str], settings: Settings) -> str:
        """Return which of `STANDINGS` a record has.

        Args:
            hashes: kind -> the record's hash.
            settings: of the run.
        """
        if all(self.text(code) == source_hash(kind, settings) for kind, code in hashes.items()):
            return THIS
        same = all(
            self.codes_of(kind, settings, code) == self.codes_of(kind, settings)
            for kind, code in hashes.items()
        )
        return SAME if same else EARLIER

    def in_words(self, standings: Sequence[str]) -> str:
        """Say how many records are by which code, and how that is known.

        Args:
            standings: one of `STANDINGS` for each record.
        """
        counts = [(standings.count(standing), standing) for standing in STANDINGS]
        parts = [f"{count} by {standing}" for count, standing in counts if count]
        text = f"{len(standings)} records: {', '.join(parts) or 'none'}"
        if SAME in standings:
            cases = {(row["kind"], row["case"]) for row in self.codes}
            worst = max(row["worst"] for row in self.codes)
            text += f" ({len(cases)} cases, worst deviation {worst:.0e})"
        return text

    def codes_of(self, kind: str, settings: Settings, code: str | None = None) -> dict[str, str]:
        """Return the recorded code that some code equals, for each case that matters to a run.

        Args:
            kind: one of `KINDS`.
            settings: of the run.
            code: a hash; today's if None.
        """
        code = source_hash(kind, settings) if code is None else code
        return {case: self.canonical(kind, case, code) for case in cases(kind, settings)}


EMPTY = Registry(same_text={}, reference={kind: {} for kind in KINDS}, codes=())


def registry(path: Path | None = None) -> Registry:
    """Read `behaviour.json`; where there is none, nothing is known of any code.

    Raises:
        RegistryError: the file is damaged, or not what it should be.
    """
    path = REGISTRY if path is None else path
    return _registry(path, path.stat().st_mtime_ns) if path.exists() else EMPTY


@cache
def _registry(path: Path, _changed: int) -> Registry:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.keys() != {"same_text", "reference", "codes"}:
            raise ValueError("it must have same_text, reference and codes, and nothing else")
        _check(values)
    except (ValueError, OSError) as error:
        raise RegistryError(
            f"{path} cannot be read ({error}). Restore it from the repository: git checkout -- "
            f"{path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path.name}"
        ) from error
    return Registry(**{**values, "codes": tuple(values["codes"])})


def _check(values: Mapping[str, Any]) -> None:
    same_text, reference, codes = values["same_text"], values["reference"], values["codes"]
    if not isinstance(same_text, dict) or not all(isinstance(code, str) for code in same_text.values()):
        raise ValueError("same_text must map hashes to hashes")
    if not isinstance(reference, dict) or reference.keys() != KINDS.keys():
        raise ValueError(f"reference must have {' and '.join(KINDS)}")
    for kind, found in reference.items():
        if not isinstance(found, dict):
            raise ValueError(f"reference of {kind} must map cases to quantities")
        for case, quantities in found.items():
            if not isinstance(quantities, dict) or not all(
                isinstance(value, int | float) for value in quantities.values()
            ):
                raise ValueError(f"reference of {kind}, {case!r} must map quantities to numbers")
    if not isinstance(codes, list):
        raise ValueError("codes must be a list of rows")
    for row in codes:
        right = isinstance(row, dict) and row.keys() == _ROW.keys()
        if not right or not all(isinstance(row[name], kind) for name, kind in _ROW.items()):
            raise ValueError(f"codes must be rows of {', '.join(_ROW)}; one is {str(row)[:80]}")
        if not row["worst"] <= row["allowed"]:
            raise ValueError(f"{row['equals'][:12]} is said to equal another code, but deviates too much")


def write(found: Registry, path: Path) -> None:
    """Write `behaviour.json`, a line for each case and each row, so that a difference can be read."""

    def lines(values: Iterable[str]) -> str:
        return ",\n".join(f"  {value}" for value in values)

    def pairs(values: Mapping[str, object]) -> str:
        return lines(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(values.items()))

    reference = ",\n".join(f' "{kind}": {{\n{pairs(found.reference[kind])}\n }}' for kind in KINDS)
    text = (
        f'{{\n"same_text": {{\n{pairs(found.same_text)}\n}},\n"reference": {{\n{reference}\n}},\n'
        f'"codes": [\n{lines(map(json.dumps, found.codes))}\n]\n}}\n'
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@cache
def commit() -> str:
    """Return the checked-out commit, with `+` where the package differs from it; `unknown` outside git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "companion") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
