"""Commands that make runs: train one, evaluate what was trained."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from companion.experiments import evaluation, lock, presets, shelf, training
from companion.experiments.checkpoint import CHECKPOINT
from companion.experiments.methods import known
from companion.experiments.records import EVALUATION_FILES, RecordError, Run
from companion.experiments.settings import Settings


def train(options: argparse.Namespace) -> int:
    """Train one run; with --evaluate, evaluate it too. A run that is there and finished is left alone.

    Example:
        >>> from companion.cli import parser
        >>> train(parser().parse_args(["train", "--method", "score_matching"]))  # doctest: +SKIP
        0
    """
    settings = chosen_settings(options)
    folder = options.directory or shelf.directory(settings)
    if _is_there(settings, folder, again=options.again):
        run = shelf.load(folder)
        print(f"{settings.run_id} is there and finished, in {folder}; --again trains it anew")
        if not options.evaluate or _is_evaluated(run):
            return 0
    else:
        with lock.alone(folder, f"companion train of {settings.run_id}"):
            run = training.train(
                settings,
                directory=folder,
                device=options.device,
                data_root=options.data,
                time_budget=options.time_budget,
                graph=options.graph,
                progress=not options.quiet,
            )
            # What lies there was measured on the weights that were there before.
            shelf.remove_evaluation(folder)
    if options.evaluate:
        with lock.alone(folder, f"companion evaluate of {settings.run_id}"):
            run = evaluation.evaluate(
                folder, device=options.device, data_root=options.data, progress=not options.quiet
            )
    _report(run)
    return 0


def _is_there(settings: Settings, folder: Path, *, again: bool) -> bool:
    """Say whether a run need not be trained; refuse a folder that holds another one."""
    if not (folder / "record.json").exists():
        return False
    try:
        found = shelf.load(folder).settings
    except RecordError:
        if again:
            return False
        raise
    if found != settings:
        ours, theirs = asdict(settings), asdict(found)
        other = ", ".join(f"{n}={theirs[n]!r} and not {ours[n]!r}" for n in ours if ours[n] != theirs[n])
        raise RecordError(
            f"{folder} holds a run with other settings ({other}). Give this run another name with --set "
            "name=my-run or another folder with --directory, or delete that folder"
        )
    begun = (folder / CHECKPOINT).exists()
    if shelf.is_finished(settings, folder) and not again and not begun:
        return True
    if not again and not begun:
        print(f"{settings.run_id} in {folder} is of earlier code, or not whole: it is trained anew")
    return False


def _is_evaluated(run: Run) -> bool:
    """Say whether a run's evaluation is what today's code computes, and whole."""
    whole = all((run.directory / name).exists() for name in EVALUATION_FILES)
    return whole and shelf.is_current(run, "evaluate")


def chosen_settings(options: argparse.Namespace) -> Settings:
    """Return the preset that the options name, changed by every `--set name=value`.

    Example:
        >>> from companion.cli import parser
        >>> given = "train --method baseline --set epochs=3 --set name=short"
        >>> chosen_settings(parser().parse_args(given.split())).run_id
        'quick/mnist5k/short-seed0'
    """
    dataset = options.dataset or presets.DATASETS[options.tier][0]
    changes: dict[str, object] = {}
    penalty: dict[str, object] = {}
    for item in options.set:
        name, equals, text = item.partition("=")
        if not equals:
            raise ValueError(f"--set takes name=value, for example --set epochs=3; got {item!r}")
        if name in ("tier", "dataset", "method", "seed"):
            raise ValueError(f"--set {item}: the {name} is chosen with --{name} {text}")
        try:
            value = text if name == "name" else json.loads(text)
        except json.JSONDecodeError:
            value = text
        if name.startswith("penalty."):
            penalty[name.removeprefix("penalty.")] = value
        else:
            changes[name] = value
    settings = presets.preset(options.tier, dataset, options.method, options.seed, **changes)
    if penalty:
        values = {**settings.penalty, **penalty}
        settings = presets.preset(
            options.tier, dataset, options.method, options.seed, **changes, penalty=values
        )
    reserved = (*known(), "judge")
    if (changes or penalty) and settings.name in reserved and options.directory is None:
        raise ValueError(
            "changed settings would overwrite the preset's run: give the run a name with --set name=my-run"
        )
    return settings


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate trained runs.

    Example:
        >>> from companion.cli import parser
        >>> folder = "_runs/quick/mnist5k/score_matching-seed0"
        >>> evaluate(parser().parse_args(["evaluate", folder]))  # doctest: +SKIP
        0
    """
    for directory in options.directory:
        with lock.alone(directory, f"companion evaluate of {directory}"):
            run = evaluation.evaluate(
                directory,
                device=options.device,
                data_root=options.data,
                batch_size=options.batch_size,
                max_memory=None if options.max_memory is None else 1e9 * options.max_memory,
                brief=options.brief,
                progress=not options.quiet,
            )
        _report(run)
    return 0


def _report(run: Run) -> None:
    print(f"{run.settings.run_id}: {run.record.status}")
    for name, metric in sorted(run.record.metrics.items()):
        low, high = metric["low"], metric["high"]
        interval = f"[{low:.4g}, {high:.4g}]" if low is not None and high is not None else ""
        print(f"  {name:44} {metric['value']:10.4g}  {interval}  n = {metric['n']}")
    print(f"  in {run.directory}")
