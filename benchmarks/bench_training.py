"""Time one training step of each method, layout and thread count, and write the table beside this file.

    python -m benchmarks.bench_training

A step is the small tier's: ResNet-9 of width 16, 128 images of 32 x 32. "The authors' loop" is the plain way
of their released code: x and x+v in two passes, the gradient's norm by PyTorch's own double backward, and
standard layout. The same objective and estimator is timed as the package trains it, then with joint
statistics and with a pair; the gradient norm exactly, by a pair and along a random direction. All take turns,
so that a slow minute of the machine slows them alike; the table has medians, and ratios to the loop of as
many threads.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad

from benchmarks import tables
from benchmarks.turns import in_turns
from companion import losses, models

BATCH, TURNS = 128, 7
SAME = {"weight": 1e-5, "mu": 0.1, "variant": "forward", "norm": "exact", "batch_norm": "separate"}
PAIR = {"weight": 1e-5, "mu": 0.1, "variant": "central", "norm": "pair", "batch_norm": "joint"}
Step = Callable[[nn.Module, Tensor, Tensor], Tensor]


def authors_loop(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return eq. 4's loss by two passes and PyTorch's double backward."""
    x = x.requires_grad_()
    logits = model(x)
    target = logits.gather(1, y[:, None])[:, 0]
    (gradient,) = torch.autograd.grad(target.sum(), x, create_graph=True)
    noise = 0.01 * torch.randn_like(x)
    shifted = model(x.detach() + noise).gather(1, y[:, None])[:, 0]
    trace = 2 / 0.01**2 * (shifted - target)
    penalty = trace + 0.5 * gradient.square().flatten(1).sum(1) + 1e-3 * trace.square()
    return F.cross_entropy(logits, y) + 1e-5 * penalty.mean()


def double_backward(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the loss with the gradient-norm penalty, by PyTorch's double backward."""
    logits = model(x.requires_grad_())
    (gradient,) = torch.autograd.grad(logits.gather(1, y[:, None]).sum(), x, create_graph=True)
    return F.cross_entropy(logits, y) + 5e-4 * gradient.square().flatten(1).sum(1).mean()


def forward_mode(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return nearly the same in expectation: the squared slope along random signs, in forward mode.

    Exactly the same but for the batch norm, through which a logit depends on the batch's other images.
    """
    with forward_ad.dual_level():
        signs = torch.randint(0, 2, x.shape).mul_(2).sub_(1).to(x.dtype)
        logits, slopes = forward_ad.unpack_dual(model(forward_ad.make_dual(x, signs)))
    return F.cross_entropy(logits, y) + 5e-4 * slopes.gather(1, y[:, None]).square().mean()  # pyright: ignore[reportOptionalMemberAccess]


def plain(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy."""
    return F.cross_entropy(model(x), y)


def penalised(loss: losses.ScoreMatching | losses.GradientNorm) -> Step:
    """Return the package's objective with one penalty."""

    def step(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        penalty, logits = loss.penalty_and_logits(model, x, y)
        return F.cross_entropy(logits, y) + penalty.mean()

    return step


VARIANTS: dict[str, tuple[Step, torch.memory_format, bool]] = {
    # what, how, layout, compiled
    "the authors' loop": (authors_loop, torch.contiguous_format, False),
    "the same objective here": (penalised(losses.ScoreMatching(**SAME)), torch.channels_last, False),
    "joint statistics, x and x+v in one batch": (
        penalised(replace(losses.ScoreMatching(**SAME), batch_norm="joint")),
        torch.channels_last,
        False,
    ),
    "the same objective in standard layout": (
        penalised(losses.ScoreMatching(**SAME)),
        torch.contiguous_format,
        False,
    ),
    "one pair for both terms": (penalised(losses.ScoreMatching(**PAIR)), torch.channels_last, False),
    "one pair in standard layout": (penalised(losses.ScoreMatching(**PAIR)), torch.contiguous_format, False),
    "gradient norm": (penalised(losses.GradientNorm()), torch.channels_last, False),
    "gradient norm by PyTorch": (double_backward, torch.contiguous_format, False),
    "gradient norm by one pair": (penalised(losses.GradientNorm(norm="pair")), torch.channels_last, False),
    "gradient norm by forward mode": (forward_mode, torch.channels_last, False),
    "cross-entropy alone": (plain, torch.channels_last, False),
    "cross-entropy in standard layout": (plain, torch.contiguous_format, False),
    "cross-entropy compiled": (plain, torch.channels_last, True),
}


def prepared(name: str) -> Callable[[], float]:
    """Return a function that takes one step of a variant and returns its seconds."""
    step, layout, compiled = VARIANTS[name]
    model = models.resnet9(100, width=16, generator=torch.Generator().manual_seed(0))
    model.to(memory_format=layout).train()  # pyright: ignore[reportCallIssue]
    run: nn.Module = torch.compile(model) if compiled else model  # pyright: ignore[reportAssignmentType]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    x = torch.rand(BATCH, 3, 32, 32).contiguous(memory_format=layout)
    y = torch.randint(0, 100, (BATCH,))

    def timed() -> float:
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        step(run, x.detach(), y).backward()
        optimizer.step()
        return time.perf_counter() - started

    return timed


def main() -> None:
    """Measure, and write `training.csv`."""
    torch.set_flush_denormal(True)
    table = pd.DataFrame(index=pd.Index(VARIANTS, name="step"))
    for threads in range(1, min(2, os.cpu_count() or 1) + 1):
        torch.set_num_threads(threads)
        seconds = in_turns({name: prepared(name) for name in VARIANTS}, TURNS)
        medians = pd.Series({name: statistics.median(values) for name, values in seconds.items()})
        label = f"{threads} thread{'s' * (threads > 1)}"
        table[f"ms, {label}"] = (1000 * medians).round().astype(int)
        table[f"ratio, {label}"] = medians.rdiv(medians["the authors' loop"]).map("{:.2f}".format)
    print(table.to_string())
    tables.write(table.reset_index().assign(n=TURNS), tables.HERE / "training.csv", "torch")


if __name__ == "__main__":
    main()
