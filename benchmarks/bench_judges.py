"""Show the samples of the committed networks to two judges, and write the table beside this file.

    companion train --tier small --dataset cifar100 --method judge --set width=16 --set name=judge-wide
    python benchmarks/bench_judges.py cifar100 _runs/small/cifar100/judge-wide-seed1000

The first judge is the committed one. The samples are made anew, as the evaluation makes them: a quarter of an
hour a network on one core. Each row is written as soon as it is known, and a row that is there is not made
again. Columns `first`, `second` and `both` count the samples in which a judge sees the class asked for.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from companion import data, evaluation, metrics, runs, trace
from companion._support import to_device

TABLE = Path(__file__).with_name("judges.csv")
BATCH = 50
"""Fewer images at a time than the evaluation's 500 are faster on one core; the pictures are the same."""
KEY = ["dataset", "model", "seed", "first_width", "second_width"]


class Keeping(nn.Module):
    """A judge that keeps what it is shown."""

    def __init__(self, judge: nn.Module) -> None:
        """Keep the judge."""
        super().__init__()
        self.judge = judge
        self.shown: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the judge's logits."""
        self.shown.append(x.detach().clone())
        return self.judge(x)


def both_judges(run: runs.Run, images: data.ImageData, first: nn.Module, second: nn.Module) -> dict[str, int]:
    """Return in how many of a run's samples the first judge, the second and both see the class asked for."""
    subject = evaluation.Subject(
        model=to_device(run.model(), torch.device("cpu")),
        x=data.to_float(images.x_test[:1]),
        y=images.y_test[:1],
        sizes=replace(evaluation.SIZES[run.record.tier], batch_size=BATCH),
        seed=run.record.seed,
        progress=True,
    )
    judge = Keeping(first)
    with trace.full_precision():
        table = evaluation.samples(subject, images.num_classes, judge).tables["samples"]
        other = metrics.gan_test(torch.cat(judge.shown), torch.tensor(table["target"].to_list()), second)
    seen, seen_too = torch.tensor(table["correct"].to_list()), other.correct
    return {
        "samples": len(table),
        "first": int(seen.sum()),
        "second": int(seen_too.sum()),
        "both": int((seen & seen_too).sum()),
    }


def main() -> None:
    """Judge every committed network's samples."""
    parser = argparse.ArgumentParser(description="Show the committed networks' samples to two judges.")
    parser.add_argument("dataset", choices=("cifar100", "cifar10"))
    parser.add_argument("second", type=Path, help="the folder of the second judge")
    options = parser.parse_args()
    images = data.load(options.dataset)
    first = runs.find("small", options.dataset, "judge", runs.JUDGE_SEED)
    second = runs.load(options.second)
    judges = {
        f"{name}_{what}": value
        for name, judge in (("first", first), ("second", second))
        for what, value in (
            ("width", judge.settings.width),
            ("accuracy", judge.record.metrics["test_accuracy"]["value"]),
        )
    }
    table = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=KEY)
    done = set(table[KEY].itertuples(index=False, name=None))
    for method in runs.METHODS:
        for run in runs.find_all("small", options.dataset, method):
            row = {"dataset": options.dataset, "model": method, "seed": run.record.seed, **judges}
            if tuple(row[name] for name in KEY) in done:
                continue
            networks = [to_device(judge.model(), torch.device("cpu")) for judge in (first, second)]
            row |= both_judges(run, images, *networks)
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            runs.write_table(table, TABLE)


if __name__ == "__main__":
    main()
