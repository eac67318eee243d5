"""The `companion` command: train, evaluate, study, audit, claims, records, behaviour, doctor."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from companion import data
from companion.auditing import add_options, audit
from companion.clone import COMMANDS
from companion.experiments import checks, training
from companion.experiments.methods import known
from companion.experiments.records import RecordError
from companion.experiments.settings import LARGEST_SEED, TIERS
from companion.making import evaluate, train
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
    sub.add_argument("--method", required=True, choices=(*known(), "judge"))
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
    sub.add_argument(
        "--graph", action="store_true", help="launch each step as one CUDA graph; the numbers stay the same"
    )
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
