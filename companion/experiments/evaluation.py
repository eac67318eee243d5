"""Evaluate a trained run: the paper's experiments on one model, as metrics in its record and as tables.

Tables, one CSV each: `density_ratio` (Fig. 1), `samples` (Fig. 2 and Table 1), `pixel_perturbation` (Figs. 3
and 5) and `trace` (the objective of eq. 2). `pictures.safetensors` keeps a few gradient maps (Fig. 4) and
samples, so that a page can show them where the weights are not committed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor, nn
from tqdm.auto import tqdm

from companion import data
from companion._support import evaluation_mode, to_device
from companion.experiments import checks, files, provenance, shelf, unfinished
from companion.experiments.measurements import (
    SIZES,
    Findings,
    Subject,
    density_ratios,
    gradient_maps,
    objective,
    pixel_perturbation,
    samples,
)
from companion.experiments.records import Run, as_metric
from companion.experiments.settings import JUDGE_SEED
from companion.trace.precision import tensor_float32

BRIEF = {"samples": 200, "sample_steps": 200}
"""At most so many of both where an evaluation is brief."""
WITH_TF32 = ("samples", "pixel_perturbation")
"""The experiments that may use TF32 on a GPU: nothing cancels in them."""
TF32_NOTE = "Samples and perturbation curves were computed with TF32; all other measurements in float32."
UNFINISHED = "evaluation"
"""The folder, inside a run's, of what an interrupted evaluation has finished."""


def evaluate(
    directory: Path,
    *,
    device: str | torch.device = "cpu",
    data_root: str | Path | None = None,
    batch_size: int | None = None,
    max_memory: float | None = None,
    brief: bool = False,
    progress: bool = True,
) -> Run:
    """Compute a trained run's tables and metrics; the record is written last, and whole.

    Each experiment's findings are kept when it is done: a call that was interrupted goes on after the last
    one, as long as weights, sizes and code are the same.

    Args:
        directory: the run's folder, as `training.train` left it.
        device: `cpu`, `cuda`, ...
        data_root: where the data lie, see `data.load`.
        batch_size: images at a time; changes memory, not what is measured.
        max_memory: bytes for what the layers of one batch keep, at most; makes the batches smaller where
            they would not fit. The images themselves and their gradients are held beside it.
        brief: only the objective of eq. 2 and the GAN-test, of at most `BRIEF` samples and steps: what the
            sweep needs.
        progress: show which experiment is running, and how far it is.

    Returns:
        The run with its completed record.

    Raises:
        RecordError: the folder holds no whole run, or its baseline or judge has not been trained.
        ValueError: the device does not exist, or not even one image fits into max_memory.

    Example:
        >>> from companion.experiments.presets import preset
        >>> run = evaluate(shelf.directory(preset("quick", "mnist5k", "baseline")))  # doctest: +SKIP

        It takes minutes. What it leaves:

        >>> run = shelf.load(shelf.committed_directory(preset("quick", "mnist5k", "baseline")))
        >>> run.table("samples").columns.tolist(), run.metric("gan_test")["n"]
        (['target', 'correct', 'total_variation', 'high_frequency_share'], 200)
    """
    where = torch.device(checks.device(str(device)))
    run = shelf.load(directory)
    record = run.record
    sizes = SIZES[record.tier]
    images = data.load(record.dataset, root=data_root)
    model = to_device(run.model(), where)
    x = data.to_float(images.x_test[: sizes.images]).to(where)
    if brief:
        sizes = replace(sizes, **{name: min(most, getattr(sizes, name)) for name, most in BRIEF.items()})
    if batch_size is not None:
        sizes = replace(sizes, batch_size=batch_size)
    if max_memory is not None:
        fits = batch_size_within(model, x[:2], max_memory)
        sizes = replace(sizes, batch_size=min(sizes.batch_size, fits))
    subject = Subject(
        model=model, x=x, y=images.y_test[: sizes.images].to(where), sizes=sizes, seed=record.seed,
        progress=progress,
    )  # fmt: skip
    judge = shelf.find(record.tier, record.dataset, "judge", JUDGE_SEED)
    experiments: dict[str, Callable[[], Findings]] = {
        "objective": lambda: objective(subject, images),
        "samples": lambda: samples(subject, images.num_classes, to_device(judge.model(), where)),
    }
    used = [record.weights_sha256, judge.record.weights_sha256]
    if not brief:
        baseline = shelf.find(record.tier, record.dataset, "baseline", record.seed)
        used.append(baseline.record.weights_sha256)
        experiments |= {
            "density_ratios": lambda: density_ratios(subject),
            "gradient_maps": lambda: gradient_maps(subject),
            "pixel_perturbation": lambda: pixel_perturbation(subject, to_device(baseline.model(), where)),
        }
    code = provenance.source_hash("evaluate", run.settings)
    key = json.dumps([used, code, asdict(replace(sizes, batch_size=0)), where.type])
    begun = directory / UNFINISHED
    found, digests = dict(record.metrics), dict(record.digests)
    pictures: dict[str, Tensor] = {}
    tables: dict[str, pd.DataFrame] = {}
    seconds = 0.0
    bar = tqdm(experiments.items(), disable=not progress)
    for name, experiment in bar:
        bar.set_description(f"evaluating {record.name} seed {record.seed}, {name.replace('_', ' ')}")
        findings = unfinished.kept(begun / name, key)
        if findings is None:
            began = time.monotonic()
            with tensor_float32(where.type == "cuda" and name in WITH_TF32):
                findings = experiment()
            findings = replace(findings, seconds=time.monotonic() - began)
            unfinished.keep(findings, begun / name, key)
        seconds += findings.seconds
        found |= {name: as_metric(interval) for name, interval in findings.metrics.items()}
        pictures |= findings.pictures
        tables |= findings.tables
    for table, frame in tables.items():
        digests[f"{table}.csv"] = files.write_table(frame, directory / f"{table}.csv")
    path = directory / "pictures.safetensors"
    digests[path.name] = files.write_atomically(path, save(pictures))
    completed = replace(
        record,
        metrics=found,
        digests=digests,
        seconds={**record.seconds, "evaluate": round(seconds, 1)},
        source_hash={**record.source_hash, "evaluate": code},
        notes=list(dict.fromkeys([*record.notes, *([TF32_NOTE] if where.type == "cuda" else [])])),
    )
    completed.write(directory / "record.json")
    shutil.rmtree(begun, ignore_errors=True)
    return shelf.load(directory)


def batch_size_within(model: nn.Module, two: Tensor, max_memory: float) -> int:
    """Return how many images fit into some bytes, by what the layers keep for the backward pass.

    Twice that is counted, since the gradients on the way back are as large.

    Args:
        model: any classifier.
        two: (2, ...) images.
        max_memory: bytes.

    Raises:
        ValueError: not even one image fits.

    Example:
        One layer keeps its input, 784 numbers of four bytes each, and the way back doubles that:

        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> batch_size_within(model, torch.rand(2, 1, 28, 28), max_memory=1e6)
        159
    """
    kept = []
    for count in (1, 2):
        sizes: dict[int, int] = {}

        def note(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with evaluation_mode(model), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            logits = model(two[:count].detach().requires_grad_())
        kept.append(sum(sizes.values()))
        del logits  # Until here it keeps what is counted from being freed, and its place used again.
    each = 2 * (kept[1] - kept[0])
    if max_memory < each:
        raise ValueError(f"one image needs {each / 1e6:.0f} MB; max_memory is {max_memory / 1e6:.0f} MB")
    return int(max_memory // max(each, 1))
