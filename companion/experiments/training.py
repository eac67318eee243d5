"""Train one run: cross-entropy plus one penalty, resumable to the same weights as an unbroken run.

The step is eq. 4: `loss = cross-entropy + penalty`, where the penalty is one of `companion.losses`. All that
is random (batch order, augmentation, probes) comes from generators whose state is in the checkpoint, so a run
that was killed, or stopped by its time budget, goes on exactly where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from companion import data, models, trace
from companion._support import evaluation_mode, flat_sum, to_device
from companion.experiments import checkpoint, checks, files, provenance, records, schedule, shelf
from companion.experiments.cuda_graph import Batch
from companion.experiments.records import Record, Run
from companion.experiments.settings import Settings, build_network
from companion.experiments.step import captured, numerics, training_step, uses_tf32
from companion.gradients import logit_gradient
from companion.metrics.intervals import wilson

CHECKPOINT_SECONDS = 60.0
PROBED_IMAGES = 64
"""How many training and validation images the per-epoch curves of trace and gradient norm are measured on."""
STEPS_AT_ONCE = {"cpu": 1, "cuda": 20}
"""After how many steps their losses are looked at: a GPU waits for the processor each time."""
COLLAPSED_TRACE = -1e6
"""A batch's mean Hessian trace below this is a collapse (section 3.3): the run stops and says so."""


class OutOfTime(RuntimeError):
    """The time budget ended; the checkpoint holds everything, and the same call goes on from it."""


def train(
    settings: Settings,
    *,
    directory: Path | None = None,
    device: str | torch.device = "cpu",
    data_root: str | Path | None = None,
    time_budget: float | None = None,
    graph: bool = False,
    progress: bool = True,
) -> Run:
    """Train a run, or go on with it, and leave its record, history and weights in its folder.

    Args:
        settings: what to train.
        directory: its folder; `shelf.directory(settings)` if None.
        device: `cpu`, `cuda`, `cuda:1`, ...
        data_root: where the data lie, see `data.load`.
        time_budget: seconds within which to stop cleanly; the next call goes on.
        graph: launch the kernels of a step as one CUDA graph: the same numbers, with less waiting. A GPU
            alone has such graphs.
        progress: show a bar with loss, penalty terms and accuracy.

    Returns:
        The finished run. Its `record.status` is `finished`, or says when and how the run diverged: the
        history is kept then, and the weights are those of the last whole epoch before.

    Raises:
        OutOfTime: the budget ended first; nothing is lost.
        RecordError: the folder holds a damaged checkpoint, or one of other settings.
        ValueError: the device does not exist, or has no CUDA graphs; or the training images do not fill one
            batch.

    Example:
        >>> from companion.experiments.presets import preset
        >>> run = train(preset("quick", "mnist5k", "score_matching"))  # doctest: +SKIP

        It takes minutes. The same run lies in `results/`, and is found where none was made here:

        >>> shelf.find("quick", "mnist5k", "score_matching", 0).history()["epoch"].tolist()
        [1, 2, 3, 4, 5, 6]
    """
    started = time.monotonic()
    where = torch.device(checks.device(str(device)))
    folder = shelf.directory(settings) if directory is None else directory
    images = data.load(settings.dataset, root=data_root)
    x, y = images.x_train[: settings.train_size].to(where), images.y_train[: settings.train_size].to(where)
    steps = len(x) // settings.batch_size
    if steps == 0:
        raise ValueError(f"{len(x)} training images do not fill one batch of {settings.batch_size}")

    model = to_device(build_network(settings), where)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    state = checkpoint.State(
        model=model,
        optimizer=optimizer,
        schedule=schedule.learning_rate(settings, optimizer, steps),
        generator=torch.Generator(where).manual_seed(settings.seed),
    )
    path = folder / checkpoint.CHECKPOINT
    if path.exists():
        checkpoint.restore(state, path, settings, where)
    gradients = captured(settings, state, where) if graph else None
    step = partial(training_step, settings, state, gradients=gradients)
    keeper = _Keeper(settings, state, path, started, time_budget)
    status, diverged = "finished", None
    with numerics(settings, where):
        while state.epoch < settings.epochs:
            if state.step == 0:
                state.last_whole = {name: value.clone() for name, value in model.state_dict().items()}
            if terms := _epoch(settings, state, x, y, step, keeper, progress=progress):
                diverged = {"epoch": state.epoch + 1, "step": state.step + 1}
                status = f"diverged in epoch {state.epoch + 1}, step {state.step + 1}: " + ", ".join(
                    f"{name} {value:.3g}" for name, value in terms.items()
                )
                model.load_state_dict(state.last_whole)
                break
            row = {"epoch": state.epoch + 1} | {n: s / steps for n, s in state.sums.items()}
            row |= measure(
                model, x, y, images.x_validation.to(where), images.y_validation.to(where), settings.seed
            )
            state.history.append(row | {"seconds": keeper.seconds()})
            state.epoch, state.step, state.sums = state.epoch + 1, 0, {}
            keeper.save()
    return _finish(settings, folder, state, status, diverged, images, where)


class _Keeper:
    """Saves a run from time to time, and stops it before its time is over."""

    def __init__(
        self, settings: Settings, state: checkpoint.State, path: Path, started: float, budget: float | None
    ) -> None:
        self.settings, self.state, self.path, self.budget = settings, state, path, budget
        self.before, self.started = state.seconds, started
        self.now = self.saved_at = time.monotonic()
        self.longest = 0.0

    def seconds(self) -> float:
        """Return how long the run has been trained, in this process and in those before."""
        return self.before + time.monotonic() - self.started

    def save(self) -> None:
        self.state.seconds = self.seconds()
        checkpoint.write(self.path, self.settings, self.state)
        self.saved_at = time.monotonic()

    def after_steps(self) -> None:
        """Save the run if it is time; raise OutOfTime if no more steps would fit into the budget."""
        self.now, previous = time.monotonic(), self.now
        self.longest = max(self.longest, self.now - previous)
        took = self.now - self.started
        is_out_of_time = self.budget is not None and took + self.longest > self.budget
        if is_out_of_time or self.now - self.saved_at > CHECKPOINT_SECONDS:
            self.save()
        if is_out_of_time:
            raise OutOfTime(
                f"{self.settings.run_id} stopped after {took:.0f} s at epoch {self.state.epoch + 1}, "
                f"step {self.state.step}; the same command goes on from there"
            )


def _epoch(
    settings: Settings, state: checkpoint.State, x: Tensor, y: Tensor, step: Batch,
    keeper: _Keeper, *, progress: bool,
) -> dict[str, float] | None:  # fmt: skip
    """Take the steps left of an epoch; return the loss's terms at a step that diverged, None if none did."""
    size = settings.batch_size
    steps = len(x) // size
    generator = torch.Generator().manual_seed(1_000_003 * settings.seed + state.epoch)
    order = torch.randperm(len(x), generator=generator).to(x.device)
    with tqdm(
        total=steps,
        initial=state.step,
        desc=f"{settings.name} seed {settings.seed}, epoch {state.epoch + 1}/{settings.epochs}",
        disable=not progress,
        leave=state.epoch + 1 == settings.epochs,
    ) as bar:
        while state.step < steps:
            end = min(state.step + STEPS_AT_ONCE[x.device.type], steps)
            batches = order[state.step * size : end * size].split(size)
            taken = [step(data.to_float(x[rows]), y[rows]) for rows in batches]
            for terms in _as_numbers(taken):
                is_finite = all(map(math.isfinite, terms.values()))
                if not is_finite or terms.get("trace", 0.0) < COLLAPSED_TRACE:
                    return terms
                state.step += 1
                for name, value in terms.items():
                    state.sums[name] = state.sums.get(name, 0.0) + value
            bar.update(len(taken))
            bar.set_postfix({name: f"{total / state.step:.3g}" for name, total in state.sums.items()})
            keeper.after_steps()
    return None


def _as_numbers(taken: Sequence[dict[str, Tensor]]) -> Iterator[dict[str, float]]:
    """Fetch what several steps returned from their device, all at once."""
    rows = torch.stack([torch.stack(list(terms.values())) for terms in taken]).tolist()
    for row in rows:
        yield dict(zip(taken[0], row, strict=True))


def measure(
    model: nn.Module, x_train: Tensor, y_train: Tensor, x_validation: Tensor, y_validation: Tensor, seed: int
) -> dict[str, float]:
    """Return an epoch's measurements, all in eval mode.

    Validation loss and accuracy; and, over the same few training and validation images at each epoch, the
    mean squared logit-gradient norm and the mean Hessian trace (Hutchinson, four Rademacher probes): the
    score of a density that collapses onto its training points shows as a trace that falls on them alone.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Softplus(), nn.Linear(8, 3))
        >>> x, y = torch.zeros(5, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 2, 0, 1])
        >>> row = measure(model, x, y, x, y, seed=0)
        >>> row["trace_train"] == row["trace_validation"]
        True
        >>> row["squared_norm_train"] == row["squared_norm_validation"]
        True
    """
    row: dict[str, float] = {}
    with evaluation_mode(model):
        with torch.no_grad():
            logits = torch.cat([model(data.to_float(part)) for part in x_validation.split(500)])
        row["validation_loss"] = F.cross_entropy(logits, y_validation).item()
        row["validation_accuracy"] = (logits.argmax(1) == y_validation).float().mean().item()
        for split, x, y in (("train", x_train, y_train), ("validation", x_validation, y_validation)):
            images, classes = data.to_float(x[:PROBED_IMAGES]), y[:PROBED_IMAGES]
            gradient = logit_gradient(model, images, classes)
            row[f"squared_norm_{split}"] = flat_sum(gradient.square()).mean().item()
            probes = trace.hutchinson(
                trace.logit(model, classes),
                images,
                num_probes=4,
                generator=torch.Generator(images.device).manual_seed(seed),
            )
            row[f"trace_{split}"] = probes.mean().item()
    return row


def _finish(
    settings: Settings,
    folder: Path,
    state: checkpoint.State,
    status: str,
    diverged: dict[str, int] | None,
    images: data.ImageData,
    device: torch.device,
) -> Run:
    """Round the weights to float16, measure the accuracies with them, write all files, the record last."""
    weights = folder / "weights.safetensors"
    try:
        model = models.round_to_half(state.model)
        weights_sha256 = models.save_weights(model, weights)
    except models.WeightsError:
        # The statistics of a collapsing network can exceed what float16 holds.
        model = state.model
        weights_sha256 = models.save_weights(model, weights, dtype=torch.float32)
    digests = {"history.csv": files.write_table(pd.DataFrame(state.history), folder / "history.csv")}
    metrics = {}
    for split in ("validation", "test"):
        x, y = getattr(images, f"x_{split}"), getattr(images, f"y_{split}")
        with evaluation_mode(model), torch.no_grad():
            right = sum(
                int((model(data.to_float(a.to(device))).argmax(1).cpu() == b).sum())
                for a, b in zip(x.split(500), y.split(500), strict=True)
            )
        metrics[f"{split}_accuracy"] = asdict(wilson(right, len(y)))
    record = Record(
        tier=settings.tier,
        dataset=settings.dataset,
        method=settings.method,
        name=settings.name,
        seed=settings.seed,
        settings=asdict(settings),
        status=status,
        diverged=diverged,
        source_hash={"train": provenance.source_hash("train", settings)},
        seconds={"train": round(state.seconds, 1)},
        weights_sha256=weights_sha256,
        metrics=metrics,
        digests=digests,
        notes=["Trained with TF32."] if uses_tf32(settings, device) else [],
        **records.circumstances(device),
    )
    record.write(folder / "record.json")
    (folder / checkpoint.CHECKPOINT).unlink(missing_ok=True)
    return shelf.load(folder)
