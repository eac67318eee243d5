"""Where runs lie, and the one place where they are looked up.

Runs made on this machine lie under `_runs/`, committed ones under `results/`, both as
`<tier>/<dataset>/<name>-seed<seed>/`. A run made here takes precedence, except in the table of claims.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from companion._support import choose
from companion.experiments import provenance, registry, series
from companion.experiments.files import sha256
from companion.experiments.records import EVALUATION_FILES, Record, RecordError, Run
from companion.experiments.settings import TIERS, Settings

OWN_FIRST = ("_runs", "results")
COMMITTED_FIRST = ("results", "_runs")
"""Where runs are looked for: what lies in the first place comes before the same run in the second."""
_SEED = re.compile(r"-seed(0|[1-9][0-9]*)")


def directory(settings: Settings) -> Path:
    """Return where a run made on this machine lies.

    Example:
        >>> from companion.experiments.presets import preset
        >>> directory(preset("quick", "mnist5k", "baseline", 3)).relative_to(provenance.PROJECT).as_posix()
        '_runs/quick/mnist5k/baseline-seed3'
    """
    return provenance.PROJECT / "_runs" / settings.run_id


def committed_directory(settings: Settings) -> Path:
    """Return where a committed run lies.

    Example:
        >>> from companion.experiments.presets import preset
        >>> folder = committed_directory(preset("quick", "mnist5k", "baseline", 3))
        >>> folder.relative_to(provenance.PROJECT).as_posix()
        'results/quick/mnist5k/baseline-seed3'
    """
    return provenance.PROJECT / "results" / settings.run_id


def load(path: Path) -> Run:
    """Read the run in a folder.

    Example:
        >>> run = load(provenance.PROJECT / "results" / "paper" / "cifar100" / "score_matching-seed0")
        >>> run.settings.network, run.metric("test_accuracy")["n"]
        ('resnet18', 10000)
    """
    return Run(directory=path, record=Record.read(path / "record.json"))


def find(tier: str, dataset: str, name: str, seed: int) -> Run:
    """Return a run made here or, failing that, a committed one.

    Raises:
        RecordError: neither exists; the message lists the runs that do and says how to make it.

    Example:
        >>> find("quick", "mnist5k", "baseline", 0).metric("test_accuracy")["n"]
        1000
        >>> find("quick", "mnist5k", "baseline", 99)
        Traceback (most recent call last):
        ...
        companion.experiments.records.RecordError: there is no run quick/mnist5k/baseline-seed99. ...
    """
    run_id = f"{choose('tier', tier, TIERS)}/{dataset}/{name}-seed{seed}"
    for place in OWN_FIRST:
        folder = provenance.PROJECT / place / run_id
        if (folder / "record.json").exists():
            return _own(folder)
    have = sorted({p.parent.name for p in provenance.PROJECT.glob(f"*/{tier}/{dataset}/*/record.json")})
    raise RecordError(
        f"there is no run {run_id}. Known here: {', '.join(have) or 'none'}. "
        f"{series.how_to_make(tier, dataset, name, seed)}"
    )


def find_all(tier: str, dataset: str, name: str, places: Sequence[str] = OWN_FIRST) -> list[Run]:
    """Return the runs of one name, by seed. The list may be empty.

    A folder that is called as such a run but holds the record of another, a copy or one that was renamed,
    is passed over: a run is what its record says. `misfiled` lists them.

    Args:
        tier: one of `TIERS`.
        dataset: the data set's name.
        name: the runs' name.
        places: where they are looked for; of a run that lies in several, the first place's counts.

    Example:
        >>> [run.record.seed for run in find_all("small", "cifar100", "baseline", places=["results"])]
        [0, 1, 2]
    """
    found: dict[str, Path] = {}
    for place in reversed(places):
        for path in (provenance.PROJECT / place / tier / dataset).glob(f"{name}-seed*/record.json"):
            if _SEED.fullmatch(path.parent.name.removeprefix(name)):
                found[path.parent.name] = path.parent
    runs = [run for run in map(load, found.values()) if _is_at_home(run)]
    return sorted(runs, key=lambda run: run.record.seed)


def has(settings: Settings, places: Sequence[str] = OWN_FIRST) -> bool:
    """Say whether a run of these settings' name and seed is in one of the places.

    Example:
        >>> from companion.experiments.presets import preset
        >>> [has(preset("quick", "mnist5k", "baseline", seed), ["results"]) for seed in (0, 99)]
        [True, False]
    """
    runs = find_all(settings.tier, settings.dataset, settings.name, places)
    return settings.seed in [run.record.seed for run in runs]


def misfiled() -> list[str]:
    """Return a sentence on every folder of runs that holds the record of another run.

    Example:
        >>> [sentence for sentence in misfiled() if "results" in sentence]
        []
    """
    said = []
    for place in OWN_FIRST:
        for path in sorted((provenance.PROJECT / place).glob("*/*/*/record.json")):
            try:
                _own(path.parent)
            except RecordError as error:
                said.append(str(error))
    return said


def _own(folder: Path) -> Run:
    """Read the run in a folder among the others, which is to be the one that the folder is called.

    Raises:
        RecordError: it is another.
    """
    run = load(folder)
    if not _is_at_home(run):
        raise RecordError(
            f"{folder} holds the record of {run.settings.run_id}: it is a copy, or was renamed. Move it to "
            "that name, or out of here, or delete it"
        )
    return run


def _is_at_home(run: Run) -> bool:
    return run.directory.parts[-3:] == tuple(run.settings.run_id.split("/"))


def is_finished(settings: Settings, folder: Path | None = None) -> bool:
    """Say whether a folder holds the run that these settings and this code make, whole.

    Args:
        settings: of the run.
        folder: where it would lie; `directory(settings)` if None.

    Example:
        >>> from companion.experiments.presets import preset
        >>> settings = preset("quick", "mnist5k", "baseline")
        >>> is_finished(settings, committed_directory(settings))
        True
        >>> is_finished(preset("quick", "mnist5k", "baseline", epochs=7), committed_directory(settings))
        False
    """
    folder = directory(settings) if folder is None else folder
    try:
        run = load(folder)
        return (
            run.settings == settings
            and is_current(run, "train")
            and run.record.weights_sha256 == sha256(folder / "weights.safetensors")
            and (folder / "history.csv").exists()
            and run.record.digests.get("history.csv") in (None, sha256(folder / "history.csv"))
        )
    except (RecordError, OSError, KeyError):
        return False


def is_current(run: Run, kind: str) -> bool:
    """Say whether a run has one kind of results, and today's code computes the same.

    Args:
        run: any run.
        kind: one of `provenance.KINDS`.

    Example:
        A judge is trained, and not evaluated:

        >>> judge = load(provenance.PROJECT / "results" / "quick" / "mnist5k" / "judge-seed1000")
        >>> is_current(judge, "train"), is_current(judge, "evaluate")
        (True, False)
    """
    hashes = run.record.source_hash
    known = registry.read()
    return kind in hashes and known.standing({kind: hashes[kind]}, run.settings) != registry.EARLIER


def committed() -> list[Run]:
    """Return every committed run, in the order of their folders.

    Example:
        >>> sorted({run.record.tier for run in committed()})
        ['paper', 'quick', 'small']
    """
    return [_own(path.parent) for path in sorted((provenance.PROJECT / "results").glob("*/*/*/record.json"))]


def remove_evaluation(folder: Path) -> None:
    """Remove the tables and pictures of an evaluation: they belong to weights that were there before.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("history.csv", "samples.csv", "trace.csv"):
        ...         Path(folder, name).touch()
        ...     remove_evaluation(Path(folder))
        ...     [path.name for path in Path(folder).iterdir()]
        ['history.csv']
    """
    for name in EVALUATION_FILES:
        (folder / name).unlink(missing_ok=True)
