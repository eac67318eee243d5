"""A run's record, and what lies beside it.

A run is one trained network. Its folder holds

- `record.json`: settings, seed, commit, source hash, versions, device, wall time, metrics with intervals;
- `history.csv`: one row an epoch;
- `weights.safetensors`: float16, and every metric is computed on the weights so rounded;
- `*.csv`, `pictures.safetensors`: the tables and pictures that `evaluation.evaluate` computes.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from companion import models
from companion._support import choose
from companion.experiments import checks, provenance, registry
from companion.experiments.files import digest, sha256, write_atomically
from companion.experiments.settings import Settings, build_network
from companion.metrics.intervals import Interval

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
class Record:
    """What a run leaves behind, as one JSON file. Fractions are in [0, 1].

    `metrics` maps a name to `{value, low, high, n}`: the value, its 95 % interval and the number of
    samples (images, generated samples) behind it. `diverged` says in which epoch and step a training stopped
    whose loss was not finite any more, or whose density collapsed; it is None for one that finished. `notes`
    are sentences on what the code of the commit does not say, such as a change made at run time: they are
    said wherever the record's numbers are shown. `digests` are the SHA-256 of the tables and pictures beside
    it, by the files' names; records of earlier code have none. The file also has its own `sha256`, that of
    the JSON without it.

    Example:
        >>> run = provenance.PROJECT / "results" / "quick" / "mnist5k" / "score_matching-seed0"
        >>> record = Record.read(run / "record.json")
        >>> record.method, record.seed, record.status
        ('score_matching', 0, 'finished')
    """

    tier: str
    dataset: str
    method: str
    name: str
    seed: int
    settings: Mapping[str, Any]
    status: str
    diverged: Mapping[str, int] | None = None
    commit: str
    source_hash: Mapping[str, str]
    versions: Mapping[str, str]
    device: str
    seconds: Mapping[str, float]
    weights_sha256: str
    metrics: Mapping[str, Mapping[str, float]]
    notes: Sequence[str] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the record whole or not at all."""
        values = asdict(self)
        penalty = values["settings"]["penalty"]
        # JSON has no infinity, which is a value of mu.
        penalty |= {name: "inf" for name, value in penalty.items() if value == math.inf}
        values["sha256"] = _digest(values)
        write_atomically(path, (_text(values) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record; say what is wrong with a missing, damaged or incomplete one."""
        if not path.exists():
            raise RecordError(f"there is no record at {path}: train the run first (companion train --help)")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(values, dict) and values.pop("sha256", None) not in (None, _digest(values)):
                raise ValueError("its SHA-256 is another than it says: it was edited, or is damaged")
            record = cls(**checks.record_contents(values, [f.name for f in fields(cls)]))
            settings = Settings.from_dict(record.settings)
            for name in ("tier", "dataset", "method", "name", "seed"):
                said, set_ = getattr(record, name), getattr(settings, name)
                if said != set_:
                    raise ValueError(f"{name} is {said!r}, but its settings say {set_!r}")
            return record
        except (ValueError, TypeError, RecursionError, OSError) as error:
            raise RecordError(
                f"{path} is not a whole record ({error}); restore it from the repository, "
                "or delete its folder and train the run again"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run on disk: its record, its network, its tables.

    Example:
        >>> from companion.experiments import shelf
        >>> run = shelf.find("quick", "mnist5k", "score_matching", 0)
        >>> len(run.history()), run.interval("test_accuracy").n, run.model().training
        (6, 1000, False)
    """

    directory: Path
    record: Record

    @property
    def settings(self) -> Settings:
        """The settings it was trained with."""
        return Settings.from_dict(self.record.settings)

    @property
    def standing(self) -> str:
        """By which code it was made, one of `registry.STANDINGS`.

        Raises:
            RegistryError: `results/behaviour.json` is damaged.
        """
        return registry.read().standing(self.record.source_hash, self.settings)

    @property
    def from_earlier_code(self) -> bool:
        """Whether today's code computes something else than the code that made it."""
        return self.standing == registry.EARLIER

    def history(self) -> pd.DataFrame:
        """Return the training curves, one row a whole epoch; none if the run diverged in its first."""
        return self.table("history")

    def table(self, name: str) -> pd.DataFrame:
        """Return `<name>.csv` as a frame; if there is none, say which tables exist."""
        path = self.directory / f"{name}.csv"
        if not path.exists():
            have = sorted(p.stem for p in self.directory.glob("*.csv"))
            raise RecordError(f"{self.directory} has no table {name!r}; it has {', '.join(have) or 'none'}")
        self.check(path.name)
        try:
            return pd.read_csv(path)
        except pd.errors.EmptyDataError:
            return pd.DataFrame()  # The history of a run that diverged in its first epoch.
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise RecordError(
                f"{path} is damaged ({error}); restore it from the repository, or make the run again"
            ) from error

    def check(self, name: str) -> None:
        """Compare a table or the pictures with the record's SHA-256, if it has one.

        Raises:
            RecordError: the file is another than the one that the record was written with.
        """
        wanted = self.record.digests.get(name)
        path = self.directory / name
        if wanted is not None and (not path.exists() or sha256(path) != wanted):
            again = "train again" if name == "history.csv" else f"run: companion evaluate {self.directory}"
            raise RecordError(
                f"{path} is damaged or of another run: its SHA-256 is not the record's. Restore it, "
                f"or {again}"
            )

    def pictures(self) -> dict[str, Tensor]:
        """Return the gradient maps and samples kept by the evaluation, in float32."""
        path = self.directory / "pictures.safetensors"
        self.check(path.name)
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

    def interval(self, name: str) -> Interval:
        """Return one metric; nan stands where the record has null, since JSON knows no nan."""
        found = self.metric(name)
        value, low, high = (
            math.nan if found[k] is None else float(found[k]) for k in ("value", "low", "high")
        )
        return Interval(value=value, low=low, high=high, n=int(found["n"]))


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=1, sort_keys=True, allow_nan=False)


def _digest(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's JSON."""
    return digest(_text(values).encode())


def as_metric(interval: Interval) -> dict[str, float | None]:
    """Return an interval as a record holds it; `Run.interval` reads it back.

    Example:
        >>> as_metric(Interval(value=0.5, low=math.nan, high=math.nan, n=1))
        {'value': 0.5, 'low': None, 'high': None, 'n': 1}
    """
    return {name: None if math.isnan(value) else value for name, value in asdict(interval).items()}


def circumstances(device: torch.device) -> dict[str, Any]:
    """Return commit, package versions and device, as a record holds them.

    Example:
        >>> found = circumstances(torch.device("cpu"))
        >>> list(found), list(found["versions"])
        (['commit', 'versions', 'device'], ['python', 'torch', 'torchvision', 'numpy', 'mlxtend'])
    """
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
    )
    return {
        "commit": provenance.commit(),
        "versions": {"python": platform.python_version()} | {p: metadata.version(p) for p in VERSIONED},
        "device": name,
    }
