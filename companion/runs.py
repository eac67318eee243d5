"""A run's settings, its record, and where both lie.

A run is one trained network. Its folder holds

- `record.json`: settings, seed, commit, source hash, versions, device, wall time, metrics with intervals;
- `history.csv`: one row an epoch;
- `weights.safetensors`: float16, and every metric is computed on the weights so rounded;
- `*.csv`, `pictures.safetensors`: the tables and pictures that `evaluation.evaluate` computes.

Runs made on this machine lie under `_runs/`, committed ones under `results/`, both as
`<tier>/<dataset>/<name>-seed<seed>/`. A run made here takes precedence, except in the table of claims.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from companion import _checks, data, models
from companion._support import choose
from companion.losses import AntiScoreMatching, GradientNorm, ScoreMatching

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()

TIERS = ("tiny", "quick", "small", "paper")
"""`tiny` is the tests' size: the same code on a few images, for no result at all."""
NETWORKS = ("resnet9", "resnet18", "resnet34")
PENALTIES = {
    "baseline": None,
    "score_matching": ScoreMatching,
    "anti_score_matching": AntiScoreMatching,
    "gradient_norm": GradientNorm,
}
METHODS = tuple(PENALTIES)
LARGEST_SEED = 2**32 - 1
JUDGE_SEED = 1000
"""The GAN-test's judge shares its seed, and with it the order of its batches, with no other run."""
OWN_FIRST = ("_runs", "results")
COMMITTED_FIRST = ("results", "_runs")
"""Where runs are looked for: what lies in the first place comes before the same run in the second."""
EVALUATION_FILES = (
    "density_ratio.csv",
    "pixel_perturbation.csv",
    "samples.csv",
    "trace.csv",
    "pictures.safetensors",
)
VERSIONED = ("torch", "torchvision", "numpy", "mlxtend")


class RecordError(ValueError):
    """A run's folder is missing, incomplete or damaged; the message says which file and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a training run. Equal settings on one machine give equal weights.

    Attributes:
        tier: which size of experiment it belongs to, one of `TIERS`.
        dataset: `mnist5k`, `cifar10` or `cifar100`.
        method: which penalty joins the cross-entropy, one of `METHODS`.
        seed: initialisation, order of the batches, augmentation and probes.
        name: the run's name in its folder; the method's, if empty.
        penalty: keyword arguments of the method's loss in `companion.losses`.
        network, width: `resnet9`, `resnet18` or `resnet34`, and the channels of its first stage.
        epochs, batch_size: passes over the training split, images in a step.
        schedule: `one_cycle` (up to `learning_rate` and down to nought) or `step` (a tenth at 1/2 and 3/4).
        learning_rate, momentum, weight_decay: of SGD; `learning_rate` is the largest one used.
        augment: random crops with 4 pixels of padding, and horizontal flips.
        input_noise: standard deviation of Gaussian noise added to the inputs, pixels being in [0, 1].
        precision: `float32`, or `bfloat16` autocast where the objective has no difference that cancels.
        train_size: use only the first images of the training split (None: all).

    Raises:
        ValueError: a value out of its range, an unknown option, or autocast with a Taylor estimate.
    """

    tier: str
    dataset: str
    method: str
    seed: int
    name: str = ""
    penalty: Mapping[str, Any] = field(default_factory=dict)
    network: str = "resnet9"
    width: int = 16
    epochs: int = 6
    batch_size: int = 64
    schedule: str = "one_cycle"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = False
    input_noise: float = 0.0
    precision: str = "float32"
    train_size: int | None = None

    def __post_init__(self) -> None:
        """Check every setting."""
        choose("tier", self.tier, TIERS)
        choose("dataset", self.dataset, data.NAMES)
        choose("method", self.method, METHODS)
        choose("network", self.network, NETWORKS)
        choose("schedule", self.schedule, ("one_cycle", "step"))
        choose("precision", self.precision, ("float32", "bfloat16"))
        _checks.whole_number("seed", self.seed, 0, LARGEST_SEED)
        _checks.whole_number("epochs", self.epochs, 1)
        _checks.whole_number("batch_size", self.batch_size, 2)
        _checks.whole_number("width", self.width, 1)
        if self.train_size is not None:
            _checks.whole_number("train_size", self.train_size, 1)
        _checks.positive_number("learning_rate", self.learning_rate)
        _checks.number_from_zero("momentum", self.momentum, below=1)
        _checks.number_from_zero("weight_decay", self.weight_decay)
        _checks.number_from_zero("input_noise", self.input_noise)
        _checks.truth("augment", self.augment)
        if self.name == "":
            object.__setattr__(self, "name", self.method)
        _checks.folder_name("name", self.name)
        kind = PENALTIES[self.method]
        if kind is not None:
            _checks.keyword_arguments("penalty", self.penalty, kind)
        elif self.penalty:
            raise ValueError(f"the baseline has no penalty; got {self.penalty!r}")
        loss = self.loss()
        if self.precision != "float32" and has_differences(loss):
            raise ValueError(
                "f(x + v) - f(x) loses its digits in bfloat16: use precision='float32' with this penalty, "
                "or a gradient-norm penalty with norm='exact'"
            )

    def loss(self) -> ScoreMatching | AntiScoreMatching | GradientNorm | None:
        """Return the penalty, configured, or None for the baseline."""
        kind = PENALTIES[self.method]
        return None if kind is None else kind(**self.penalty)

    @property
    def run_id(self) -> str:
        """`<tier>/<dataset>/<name>-seed<seed>`: the run's folder below `_runs/` or `results/`."""
        return f"{self.tier}/{self.dataset}/{self.name}-seed{self.seed}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Build settings from a record; a name that does not exist is an error that lists the known ones."""
        known = [f.name for f in fields(cls)]
        for name in values:
            choose("setting", name, known)
        penalty = values.get("penalty")
        if isinstance(penalty, Mapping):
            penalty = {name: math.inf if value == "inf" else value for name, value in penalty.items()}
            values = {**values, "penalty": penalty}
        return cls(**values)


def has_differences(loss: object) -> bool:
    """Say whether a penalty subtracts nearby logits, which needs every digit of float32."""
    return isinstance(loss, ScoreMatching | AntiScoreMatching) or getattr(loss, "norm", "exact") == "pair"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a run leaves behind, as one JSON file. Fractions are in [0, 1].

    `metrics` maps a name to `{value, low, high, n}`: the value, its 95 % interval and the number of
    samples (images, generated samples) behind it.
    """

    tier: str
    dataset: str
    method: str
    name: str
    seed: int
    settings: Mapping[str, Any]
    status: str
    commit: str
    source_hash: Mapping[str, str]
    versions: Mapping[str, str]
    device: str
    seconds: Mapping[str, float]
    weights_sha256: str
    metrics: Mapping[str, Mapping[str, float]]

    def write(self, path: Path) -> None:
        """Write the record whole or not at all."""
        values = asdict(self)
        penalty = values["settings"]["penalty"]
        # JSON has no infinity, which is a value of mu.
        penalty |= {name: "inf" for name, value in penalty.items() if value == math.inf}
        text = json.dumps(values, indent=1, sort_keys=True, allow_nan=False)
        write_atomically(path, (text + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record; say what is wrong with a missing, damaged or incomplete one."""
        if not path.exists():
            raise RecordError(f"there is no record at {path}: train the run first (companion train --help)")
        try:
            record = cls(
                **_checks.record_contents(json.loads(path.read_text()), [f.name for f in fields(cls)])
            )
            settings = Settings.from_dict(record.settings)
            for name in ("tier", "dataset", "method", "name", "seed"):
                said, set_ = getattr(record, name), getattr(settings, name)
                if said != set_:
                    raise ValueError(f"{name} is {said!r}, but its settings say {set_!r}")
            return record
        except (ValueError, TypeError) as error:
            raise RecordError(
                f"{path} is not a whole record ({error}); restore it from the repository, "
                "or delete its folder and train the run again"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run on disk: its record, its network, its tables."""

    directory: Path
    record: Record

    @property
    def settings(self) -> Settings:
        """The settings it was trained with."""
        return Settings.from_dict(self.record.settings)

    @property
    def from_earlier_code(self) -> bool:
        """Whether the code that decides its results has changed since it was made."""
        return any(
            source_hash(source_files(kind, self.settings)) != value
            for kind, value in self.record.source_hash.items()
        )

    def history(self) -> pd.DataFrame:
        """Return the training curves, one row a whole epoch; none if the run diverged in its first."""
        return self.table("history")

    def table(self, name: str) -> pd.DataFrame:
        """Return `<name>.csv` as a frame; if there is none, say which tables exist."""
        path = self.directory / f"{name}.csv"
        if not path.exists():
            have = sorted(p.stem for p in self.directory.glob("*.csv"))
            raise RecordError(f"{self.directory} has no table {name!r}; it has {', '.join(have) or 'none'}")
        try:
            return pd.read_csv(path)
        except pd.errors.EmptyDataError:
            return pd.DataFrame()  # The history of a run that diverged in its first epoch.
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise RecordError(
                f"{path} is damaged ({error}); restore it from the repository, or make the run again"
            ) from error

    def pictures(self) -> dict[str, Tensor]:
        """Return the gradient maps and samples kept by the evaluation, in float32."""
        path = self.directory / "pictures.safetensors"
        try:
            return {name: value.float() for name, value in load_file(path).items()}
        except Exception as error:
            raise RecordError(
                f"{path} is missing or damaged; run: companion evaluate {self.directory}"
            ) from error

    def model(self) -> torch.nn.Module:
        """Return the trained network in eval mode, checked against the record's SHA-256."""
        path = self.directory / "weights.safetensors"
        if not path.exists():
            raise RecordError(
                f"{path} is missing: this tier's weights are not committed. Train the run to have them."
            )
        if sha256(path) != self.record.weights_sha256:
            raise RecordError(
                f"{path} is damaged: its SHA-256 is not the record's. Delete its folder and train again."
            )
        network = build_network(self.settings)
        models.load_weights(network, path)
        return network.eval()

    def metric(self, name: str) -> Mapping[str, float]:
        """Return `{value, low, high, n}` of one metric; an unknown name lists the known ones."""
        return self.record.metrics[choose("metric", name, tuple(self.record.metrics))]


def build_network(settings: Settings) -> torch.nn.Module:
    """Return the untrained network, initialised from the settings' seed."""
    channels, classes = {"mnist5k": (1, 10), "cifar10": (3, 10), "cifar100": (3, 100)}[settings.dataset]
    return getattr(models, settings.network)(
        classes,
        in_channels=channels,
        width=settings.width,
        generator=torch.Generator().manual_seed(settings.seed),
    )


def directory(settings: Settings) -> Path:
    """Return where a run made on this machine lies."""
    return PROJECT / "_runs" / settings.run_id


def committed_directory(settings: Settings) -> Path:
    """Return where a committed run lies."""
    return PROJECT / "results" / settings.run_id


def load(path: Path) -> Run:
    """Read the run in a folder."""
    return Run(directory=path, record=Record.read(path / "record.json"))


def find(tier: str, dataset: str, name: str, seed: int) -> Run:
    """Return a run made here or, failing that, a committed one.

    Raises:
        RecordError: neither exists; the message lists the runs that do and says how to make it.
    """
    run_id = f"{choose('tier', tier, TIERS)}/{dataset}/{name}-seed{seed}"
    for place in OWN_FIRST:
        if (PROJECT / place / run_id / "record.json").exists():
            return load(PROJECT / place / run_id)
    from companion import presets  # Here, since presets are built from this module.

    have = sorted({p.parent.name for p in PROJECT.glob(f"*/{tier}/{dataset}/*/record.json")})
    raise RecordError(
        f"there is no run {run_id}. Known here: {', '.join(have) or 'none'}. "
        f"{presets.how_to_make(tier, dataset, name, seed)}"
    )


def find_all(tier: str, dataset: str, name: str, places: Sequence[str] = OWN_FIRST) -> list[Run]:
    """Return the runs of one name, by seed. The list may be empty.

    Args:
        tier: one of `TIERS`.
        dataset: the data set's name.
        name: the runs' name.
        places: where they are looked for; of a run that lies in several, the first place's counts.
    """
    found: dict[str, Path] = {}
    for place in reversed(places):
        for path in (PROJECT / place / tier / dataset).glob(f"{name}-seed*/record.json"):
            found[path.parent.name] = path.parent
    runs = [load(path) for path in found.values()]
    return sorted(runs, key=lambda run: run.record.seed)


def is_finished(settings: Settings, folder: Path | None = None) -> bool:
    """Say whether a folder holds the run that these settings and this code make, whole.

    Args:
        settings: of the run.
        folder: where it would lie; `directory(settings)` if None.
    """
    folder = directory(settings) if folder is None else folder
    try:
        run = load(folder)
        return (
            run.settings == settings
            and run.record.source_hash["train"] == source_hash(source_files("train", settings))
            and run.record.weights_sha256 == sha256(folder / "weights.safetensors")
            and (folder / "history.csv").exists()
        )
    except (RecordError, OSError, KeyError):
        return False


def remove_evaluation(folder: Path) -> None:
    """Remove the tables and pictures of an evaluation: they belong to weights that were there before."""
    for name in EVALUATION_FILES:
        (folder / name).unlink(missing_ok=True)


def source_files(kind: str, settings: Settings) -> list[Path]:
    """Return the package's modules that decide a result: of `train` or of `evaluate`.

    They are those that `training` or `evaluation` import, directly or through each other. This module only
    keeps books and `_checks` only refuses; a penalty counts only where there is one: editing a loss leaves
    the baseline untouched.
    """
    choose("kind", kind, ("train", "evaluate"))
    entry = "training" if kind == "train" else "evaluation"
    waiting = [PACKAGE / f"{entry}.py"]
    if kind == "train" and settings.method != "baseline":
        waiting.append(PACKAGE / "losses.py")
    decide_nothing = {PACKAGE / "runs.py", PACKAGE / "_checks.py"}
    found = set(decide_nothing)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(found - decide_nothing)


def _imported(path: Path) -> Iterator[Path]:
    """Yield the modules of this package that a module imports, as files."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name:
            place = PACKAGE.joinpath(*(node.module or "").split(".")[1:])
            for name in (alias.name for alias in node.names):
                options = (place / f"{name}.py", place / name / "__init__.py", place.with_suffix(".py"))
                yield from [file for file in options if file.is_file()][:1]


def source_hash(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of some modules' code: comments, docstrings and layout do not count."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + _code(path, path.stat().st_mtime_ns))
    return digest.hexdigest()


@cache
def _code(path: Path, _changed: int) -> bytes:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree).encode()


def provenance(device: torch.device) -> dict[str, Any]:
    """Return commit, package versions and device, as a record holds them."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
    )
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in VERSIONED},
        "device": name,
    }


@cache
def commit() -> str:
    """Return the checked-out commit, with `+` where the package differs from it; `unknown` outside git."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", "companion"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if dirty else "")


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV, atomically, floats to nine digits."""
    write_atomically(path, frame.to_csv(index=False, float_format="%.9g").encode())
