"""Show the samples of the committed networks to two judges, and write `results/small/judges.csv`.

    companion train --tier small --dataset cifar100 --method judge --set width=16 --set name=judge-wide
    python benchmarks/judges.py cifar100 _runs/small/cifar100/judge-wide-seed1000

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

from companion import data, metrics, trace
from companion._support import to_device
from companion.experiments import files, measurements, methods, presets, provenance, shelf
from companion.experiments.records import Run

TABLE = provenance.PROJECT / "results" / "small" / "judges.csv"
KEY = ["dataset", "model", "seed", "first_width", "second_width"]
BATCH = 50
"""Fewer images at a time than the evaluation's 500 are faster on one core; the pictures are the same."""
CPU = torch.device("cpu")


def both_judges(run: Run, images: data.ImageData, first: nn.Module, second: nn.Module) -> dict[str, int]:
    """Return in how many of a run's samples the first judge, the second and both see the class asked for."""
    subject = measurements.Subject(
        model=to_device(run.model(), CPU),
        x=data.to_float(images.x_test[:1]),
        y=images.y_test[:1],
        sizes=replace(measurements.SIZES[run.record.tier], batch_size=BATCH),
        seed=run.record.seed,
        progress=True,
    )
    shown: list[Tensor] = []
    watch = first.register_forward_pre_hook(lambda _judge, inputs: shown.append(inputs[0]))
    with trace.full_precision():
        table = measurements.samples(subject, images.num_classes, first).tables["samples"]
        watch.remove()
        targets = torch.tensor(table["target"].to_list())
        seen = torch.tensor(table["correct"].to_list())
        seen_too = metrics.gan_test(torch.cat(shown), targets, second).correct
    return {
        "samples": len(table),
        "first": int(seen.sum()),
        "second": int(seen_too.sum()),
        "both": int((seen & seen_too).sum()),
    }


def main() -> None:
    """Judge every committed network's samples."""
    parser = argparse.ArgumentParser(description="Show the committed networks' samples to two judges.")
    parser.add_argument("dataset", choices=presets.DATASETS["small"])
    parser.add_argument("second", type=Path, help="the folder of the second judge")
    options = parser.parse_args()
    images = data.load(options.dataset)
    first = shelf.load(shelf.committed_directory(presets.preset("small", options.dataset, "judge")))
    second = shelf.load(options.second)
    judges = {
        "first_width": first.settings.width,
        "second_width": second.settings.width,
        "first_accuracy": first.metric("test_accuracy")["value"],
        "second_accuracy": second.metric("test_accuracy")["value"],
    }
    networks = [to_device(judge.model(), CPU) for judge in (first, second)]
    rows = pd.read_csv(TABLE).to_dict("records") if TABLE.exists() else []
    done = [[row[name] for name in KEY] for row in rows]
    for method in methods.METHODS:
        for run in shelf.find_all("small", options.dataset, method, shelf.COMMITTED_FIRST):
            row = {"dataset": options.dataset, "model": method, "seed": run.record.seed, **judges}
            if [row[name] for name in KEY] not in done:
                rows.append(row | both_judges(run, images, *networks))
                files.write_table(pd.DataFrame(rows), TABLE)


if __name__ == "__main__":
    main()
