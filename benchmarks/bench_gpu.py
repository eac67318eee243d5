"""Time a training step of the paper's network on a GPU, and write the table beside this file.

    python -m benchmarks.bench_gpu
    python -m benchmarks.bench_gpu --rehearse    # a few small steps on the CPU; writes nothing

A step is the paper tier's: ResNet-18 of width 64, 128 images of 32 x 32 with crops and flips, SGD. "The
authors' loop" is the plain way of their released code, as `bench_training` has it. Every other row is a step
as `companion train --tier paper --device cuda` takes it: with the arithmetic that is used there or the other,
its kernels launched one by one or as one CUDA graph. All take turns, in blocks of steps between which alone
the processor waits for the GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from benchmarks import tables
from benchmarks.bench_training import authors_loop
from benchmarks.turns import in_turns
from companion._support import to_device
from companion.experiments import presets
from companion.experiments.augmentation import crop_and_flip
from companion.experiments.checkpoint import State
from companion.experiments.settings import Settings, build_network
from companion.experiments.step import captured, training_step
from companion.trace.precision import tensor_float32

LOOP = "the authors' loop"
Step = Callable[[Tensor, Tensor], object]
METHODS = ("score_matching", "anti_score_matching", "gradient_norm", "baseline")


@dataclass(frozen=True)
class Sizes:
    """How large, and how often: turns of a number of steps each."""

    device: torch.device
    turns: int = 7
    steps: int = 20
    batch: int = 128
    width: int = 64


REHEARSAL = Sizes(torch.device("cpu"), turns=1, steps=1, batch=4, width=8)


@dataclass(frozen=True)
class Row:
    """A way to take a step."""

    step: str
    tf32: bool
    graph: bool = False

    @property
    def method(self) -> str:
        """The method of the settings it is timed with."""
        return "baseline" if self.step == LOOP else self.step


def rows(sizes: Sizes) -> list[Row]:
    """Return what is timed: graphs on a GPU alone."""
    graphs = (False, True) if sizes.device.type == "cuda" else (False,)
    ours = [Row(method, tf32, graph) for method in METHODS for tf32 in (False, True) for graph in graphs]
    return [Row(LOOP, tf32=False), Row(LOOP, tf32=True), *ours]


def prepared(row: Row, sizes: Sizes) -> Callable[[], float]:
    """Return a function that takes a turn's steps and returns the seconds of one."""
    device = sizes.device
    settings = presets.preset("paper", "cifar100", row.method, width=sizes.width, batch_size=sizes.batch)
    model = build_network(settings)
    model = model.to(device) if row.step == LOOP else to_device(model, device)
    # So small a rate that no row leaves the numbers it began with, whatever its constants.
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    state = State(model, optimizer, schedule, torch.Generator(device).manual_seed(0))
    x = torch.rand(sizes.batch, 3, 32, 32, device=device)
    y = torch.randint(0, 100, (sizes.batch,), device=device)
    step = _loop(settings, state) if row.step == LOOP else _ours(settings, state, row, device)

    def timed() -> float:
        with tensor_float32(row.tf32):
            _wait(device)
            started = time.perf_counter()
            for _ in range(sizes.steps):
                step(x, y)
            _wait(device)
        return (time.perf_counter() - started) / sizes.steps

    return timed


def _ours(settings: Settings, state: State, row: Row, device: torch.device) -> Step:
    gradients = captured(settings, state, device) if row.graph else None
    return partial(training_step, settings, state, gradients=gradients)


def _loop(settings: Settings, state: State) -> Step:
    def step(x: Tensor, y: Tensor) -> None:
        moved = crop_and_flip(x, state.generator) if settings.augment else x.clone()
        state.optimizer.zero_grad(set_to_none=True)
        authors_loop(state.model.train(), moved, y).backward()
        state.optimizer.step()

    return step


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(sizes: Sizes) -> pd.DataFrame:
    """Return a row a way, with the median milliseconds of a step and its ratio to the loop in float32."""
    seconds = in_turns({row: prepared(row, sizes) for row in rows(sizes)}, sizes.turns)
    medians = {row: statistics.median(values) for row, values in seconds.items()}
    slowest = medians[Row(LOOP, tf32=False)]
    return pd.DataFrame(
        {
            "step": row.step,
            "arithmetic": "TF32" if row.tf32 else "float32",
            "launched": "as one graph" if row.graph else "one by one",
            "ms": f"{1000 * value:.1f}",
            "ratio": f"{slowest / value:.2f}",
            "n": sizes.turns * sizes.steps,
        }
        for row, value in medians.items()
    )


def main() -> None:
    """Measure, and write `gpu.csv`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, small; nothing is written")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.rehearse:
        print(measure(REHEARSAL).to_string(index=False))
        return
    if not torch.cuda.is_available():
        parser.exit(2, "this times a GPU, and PyTorch finds none here; --rehearse tries it on the CPU\n")
    torch.backends.cudnn.benchmark = True  # as in a training
    sizes = Sizes(torch.device(options.device))
    table = measure(sizes).assign(gpu=torch.cuda.get_device_name(sizes.device))
    print(table.to_string(index=False))
    tables.write(table, tables.HERE / "gpu.csv", "torch")


if __name__ == "__main__":
    main()
