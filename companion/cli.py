"""The `companion` command: train, evaluate, study, audit, claims, records, behaviour, doctor."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from companion import data
from companion.auditing import add_options, audit
from companion.clone import COMMANDS
from companion.experiments import checks, evaluation, lock, presets, shelf, training
from companion.experiments.checkpoint import CHECKPOINT
from companion.experiments.methods import METHODS
from companion.experiments.records import EVALUATION_FILES, RecordError, Run
from companion.experiments.settings import LARGEST_SEED, TIERS, Settings
from companion.models import WeightsError
from companion.reports import STUDIES, behaviour, claims, doctor, records, study

EXPECTED = (ValueError, TypeError, ArithmeticError, RecordError, WeightsError, data.DataError, OSError)
"""Mistakes with a message for the person who made them: printed without a traceback."""
MOST_THREADS = 4096
"""More is a slip of the finger, and PyTorch would try to start them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 refused with a sentence, 3 out of its time budget.

    `audit` has its own: 0 where no map moved, 1 where one did, 2 refused with a sentence.

    Example:
        >>> main(["train", "--method", "baseline", "--set", "epochs=0"])  # says on stderr what it refuses
        1
    """
    options = parser().parse_args(arguments)
    try:
        _check(options)
        return options.run(options)
    except training.OutOfTime as stopped:
        print(stopped)
        return 3
    except EXPECTED as error:
        print(f"companion {options.command}: {error}", file=sys.stderr)
        return 2 if options.command == "audit" else 1
    except KeyboardInterrupt:
        print(
            "\nstopped; what was checkpointed is kept, and the same command goes on from it", file=sys.stderr
        )
        return 130


def _check(options: argparse.Namespace) -> None:
    """Refuse options out of their range before any work starts, and set the number of threads."""
    given = vars(options)
    if given.get("device") is not None:
        checks.device(options.device)
    if given.get("batch_size") is not None:
        checks.whole_number("--batch-size", options.batch_size, 1)
    for name in ("limit", "size"):
        if given.get(name) is not None:
            checks.whole_number(f"--{name}", given[name], 1)
    if given.get("max_memory") is not None:
        checks.positive_number("--max-memory", options.max_memory)
    if given.get("time_budget") is not None:
        checks.number_from_zero("--time-budget", options.time_budget)
    if given.get("seed") is not None:
        checks.whole_number("--seed", options.seed, 0, LARGEST_SEED)
    if given.get("threads") is not None:
        checks.whole_number("--threads", options.threads, 1, MOST_THREADS)
        torch.set_num_threads(options.threads)


def train(options: argparse.Namespace) -> int:
    """Train one run; with --evaluate, evaluate it too. A run that is there and finished is left alone.

    Example:
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
    reserved = (*METHODS, "judge")
    if (changes or penalty) and settings.name in reserved and options.directory is None:
        raise ValueError(
            "changed settings would overwrite the preset's run: give the run a name with --set name=my-run"
        )
    return settings


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate trained runs.

    Example:
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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Example:
        >>> parser().parse_args(["train", "--method", "baseline"]).tier
        'quick'
    """
    top = argparse.ArgumentParser(
        prog="companion",
        description="Train, evaluate and judge the models of the book. Each command has --help.",
        epilog=f"In a clone of the repository also, as with make: {', '.join(COMMANDS)}.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int], example: str) -> argparse.ArgumentParser:
        about = (run.__doc__ or "").partition("Example:")[0].strip()
        sub = commands.add_parser(
            run.__name__,
            help=about,
            description=about,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        return sub

    def calm(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's choice)")
        sub.add_argument("--quiet", action="store_true", help="no progress bars")

    def device(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default: cpu)")
        calm(sub)

    def shared(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--data", type=Path, help="folder of the data (default: $COMPANION_DATA, or data/)")
        device(sub)

    sub = command(train, "companion train --method score_matching --seed 1 --evaluate")
    sub.add_argument("--tier", choices=TIERS, default="quick")
    sub.add_argument("--dataset", help="mnist5k, cifar10 or cifar100 (default: the tier's first)")
    sub.add_argument("--method", required=True, choices=(*METHODS, "judge"))
    sub.add_argument("--seed", type=int, help="default: 0, or the judge's own")
    sub.add_argument(
        "--time-budget", type=float, metavar="SECONDS", help="stop cleanly after this; call again to go on"
    )
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting: epochs=3, penalty.weight=1e-4",
    )
    sub.add_argument("--directory", type=Path, help="the run's folder (default: below _runs/)")
    sub.add_argument("--evaluate", action="store_true", help="evaluate it afterwards")
    sub.add_argument("--again", action="store_true", help="train it anew, although it is there and finished")
    shared(sub)

    sub = command(evaluate, "companion evaluate _runs/quick/mnist5k/baseline-seed0")
    sub.add_argument("directory", type=Path, nargs="+", help="folders of trained runs")
    sub.add_argument("--batch-size", type=int, help="images at a time; changes memory, not results")
    sub.add_argument(
        "--max-memory",
        type=float,
        metavar="GB",
        help="for what the layers of one batch keep: smaller batches",
    )
    sub.add_argument("--brief", action="store_true", help="only eq. 2's objective and the GAN-test")
    shared(sub)

    sub = command(study, "companion study denoising")
    sub.add_argument("name", choices=STUDIES)
    calm(sub)

    example = "companion audit --model my_module:build --images photographs/ --size 224 --out report.html"
    sub = command(audit, example)
    add_options(sub)
    device(sub)

    sub = command(claims, "companion claims --csv claims.csv")
    sub.add_argument("--tier", choices=TIERS, default="quick")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--csv", type=Path, help="write the table there instead of printing it")
    sub.add_argument(
        "--check",
        type=Path,
        nargs="*",
        metavar="PAGE",
        help="judge again from results/ alone, and fail where a page of claims (default: that of the last "
        "build), with its own tiers and seed, says something else",
    )

    command(records, "companion records")

    sub = command(behaviour, "companion behaviour --accept")
    sub.add_argument(
        "--accept",
        action="store_true",
        help="note on which cases this code is the same, in results/behaviour.json",
    )

    sub = command(doctor, "companion doctor")
    sub.add_argument("--data", type=Path, help="folder of the data (default: $COMPANION_DATA, or data/)")
    return top


if __name__ == "__main__":
    sys.exit(main())
