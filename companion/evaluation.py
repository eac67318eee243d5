"""Evaluate a trained run: the paper's experiments on one model, as metrics in its record and as tables.

Tables, one CSV each: `density_ratio` (Fig. 1), `samples` (Fig. 2 and Table 1), `pixel_perturbation` (Figs. 3
and 5) and `trace` (the objective of eq. 2). `pictures.safetensors` keeps a few gradient maps (Fig. 4) and
samples, so that a page can show them where the weights are not committed.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from tqdm.auto import tqdm

from companion import _checks, data, metrics, runs, sampling, trace
from companion._support import evaluation_mode, flat_sum, normal_like, to_device
from companion.gradients import logit_gradient
from companion.metrics.intervals import Interval, mean_interval
from companion.runs import Run

FRACTIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
SIGMAS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
ATTRIBUTIONS = ("gradient", "input_x_gradient", "random")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much a tier's evaluation computes.

    Attributes:
        images: test images for the density ratios, perturbation and gradient maps (None: all).
        samples, sample_steps: generated samples, class-balanced, and gradient steps for each.
        trace_images, trace_probes: validation and test images, and Hutchinson probes, for eq. 2's objective.
        batch_size: images in memory at a time.
    """

    images: int | None
    samples: int
    sample_steps: int
    trace_images: int
    trace_probes: int = 4
    batch_size: int = 500


SIZES = {
    "tiny": Sizes(images=20, samples=10, sample_steps=2, trace_images=10, trace_probes=2),
    "quick": Sizes(images=None, samples=200, sample_steps=200, trace_images=200),
    "small": Sizes(images=None, samples=1000, sample_steps=500, trace_images=200),
    "paper": Sizes(images=None, samples=1000, sample_steps=500, trace_images=500),
}
BRIEF = {"samples": 200, "sample_steps": 200}
"""At most so many of both where an evaluation is brief."""
KEPT_PICTURES = 20
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
    """
    where = torch.device(_checks.device(str(device)))
    run = runs.load(directory)
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
    judge = runs.find(record.tier, record.dataset, "judge", runs.JUDGE_SEED)
    experiments: dict[str, Callable[[], Findings]] = {
        "objective": lambda: objective(subject, images),
        "samples": lambda: samples(subject, images.num_classes, to_device(judge.model(), where)),
    }
    used = [record.weights_sha256, judge.record.weights_sha256]
    if not brief:
        baseline = runs.find(record.tier, record.dataset, "baseline", record.seed)
        used.append(baseline.record.weights_sha256)
        experiments |= {
            "density_ratios": lambda: density_ratios(subject),
            "gradient_maps": lambda: gradient_maps(subject),
            "pixel_perturbation": lambda: pixel_perturbation(subject, to_device(baseline.model(), where)),
        }
    code = runs.source_hash(runs.source_files("evaluate", run.settings))
    key = json.dumps([used, code, asdict(replace(sizes, batch_size=0)), where.type])
    unfinished = directory / UNFINISHED
    found = dict(record.metrics)
    pictures: dict[str, Tensor] = {}
    seconds = 0.0
    with trace.full_precision():
        bar = tqdm(experiments.items(), disable=not progress)
        for name, experiment in bar:
            bar.set_description(f"evaluating {record.name} seed {record.seed}, {name.replace('_', ' ')}")
            findings = Findings.read(unfinished / name, key)
            if findings is None:
                began = time.monotonic()
                findings = experiment()
                findings = replace(findings, seconds=time.monotonic() - began)
                findings.write(unfinished / name, key)
            seconds += findings.seconds
            found |= {name: _as_metric(interval) for name, interval in findings.metrics.items()}
            pictures |= findings.pictures
            for table, frame in findings.tables.items():
                runs.write_table(frame, directory / f"{table}.csv")
    runs.write_atomically(directory / "pictures.safetensors", save(pictures))
    completed = replace(
        record,
        metrics=found,
        seconds={**record.seconds, "evaluate": round(seconds, 1)},
        source_hash={**record.source_hash, "evaluate": code},
    )
    completed.write(directory / "record.json")
    shutil.rmtree(unfinished, ignore_errors=True)
    return runs.load(directory)


def batch_size_within(model: nn.Module, two: Tensor, max_memory: float) -> int:
    """Return how many images fit into some bytes, by what the layers keep for the backward pass.

    Twice that is counted, since the gradients on the way back are as large.

    Args:
        model: any classifier.
        two: (2, ...) images.
        max_memory: bytes.

    Raises:
        ValueError: not even one image fits.
    """
    kept = []
    for count in (1, 2):
        sizes: dict[int, int] = {}

        def note(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with evaluation_mode(model), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = model(two[:count].detach().requires_grad_())
        kept.append(sum(sizes.values()) + 0 * len(out))
    each = 2 * (kept[1] - kept[0])
    if max_memory < each:
        raise ValueError(f"one image needs {each / 1e6:.0f} MB; max_memory is {max_memory / 1e6:.0f} MB")
    return int(max_memory // max(each, 1))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: a model, test images (B, channels, H, W) in [0, 1], their classes (B,)."""

    model: nn.Module
    x: Tensor
    y: Tensor
    sizes: Sizes
    seed: int
    progress: bool = False

    def bar(self, total: int, what: str) -> tqdm:
        """Return a bar for the parts of one experiment; it leaves nothing behind."""
        return tqdm(total=total, desc=what, leave=False, disable=not self.progress)

    def generator(self, purpose: int) -> torch.Generator:
        """Return a generator of its own for each experiment, so that none depends on what ran before."""
        return torch.Generator(self.x.device).manual_seed(1000 * self.seed + purpose)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One experiment's metrics, tables and pictures (kept in float16), by name, and the time it took."""

    metrics: dict[str, Interval]
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, Tensor]
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Round the pictures to what is kept of them."""
        for name, value in self.pictures.items():
            self.pictures[name] = value.half().cpu().contiguous()

    def write(self, folder: Path, key: str) -> None:
        """Keep the findings until the evaluation is whole; the file that says so comes last."""
        runs.write_atomically(folder / "pictures.safetensors", save(self.pictures))
        for name, table in self.tables.items():
            runs.write_table(table, folder / f"{name}.csv")
        said = {
            "key": key,
            "seconds": self.seconds,
            "tables": list(self.tables),
            "metrics": {name: asdict(interval) for name, interval in self.metrics.items()},
        }
        runs.write_atomically(folder / "findings.json", json.dumps(said).encode())

    @classmethod
    def read(cls, folder: Path, key: str) -> Findings | None:
        """Return what `write` kept for the same key, or None."""
        path = folder / "findings.json"
        said = json.loads(path.read_text()) if path.exists() else {}
        if said.get("key") != key:
            return None
        return cls(
            metrics={name: Interval(**values) for name, values in said["metrics"].items()},
            tables={name: pd.read_csv(folder / f"{name}.csv") for name in said["tables"]},
            pictures=load_file(folder / "pictures.safetensors"),
            seconds=said["seconds"],
        )


def objective(subject: Subject, images: data.ImageData) -> Findings:
    """Measure eq. 2's score-matching objective, trace + half the squared gradient norm, on unseen images."""
    rows, found = [], {}
    for split, x, y in (
        ("validation", images.x_validation, images.y_validation),
        ("test", images.x_test, images.y_test),
    ):
        n = subject.sizes.trace_images
        part, classes = data.to_float(x[:n]).to(subject.x.device), y[:n].to(subject.x.device)
        generator = subject.generator(1)
        traces, norms = [], []
        with evaluation_mode(subject.model):
            for a, c in zip(part.split(100), classes.split(100), strict=True):
                probes = trace.hutchinson(
                    trace.logit(subject.model, c),
                    a,
                    num_probes=subject.sizes.trace_probes,
                    generator=generator,
                    chunk_size=max(1, min(4, subject.sizes.batch_size // 100)),
                )
                traces.append(probes.detach().mean(0).cpu())
                norms.append(flat_sum(logit_gradient(subject.model, a, c).square()).detach().cpu())
        values = {"trace": torch.cat(traces), "squared_norm": torch.cat(norms)}
        values["objective"] = values["trace"] + values["squared_norm"] / 2
        for name, samples in values.items():
            interval = mean_interval(samples)
            found[f"{split}_{name}"] = interval
            rows.append(
                {"split": split, "quantity": name, "median": samples.median().item()} | asdict(interval)
            )
    return Findings(metrics=found, tables={"trace": pd.DataFrame(rows)}, pictures={})


def samples(subject: Subject, num_classes: int, judge: nn.Module) -> Findings:
    """Make class-balanced samples by activation maximisation, as the authors do; have them judged.

    Start N(0.5, 0.2) clamped to [0, 1], steps of 0.1 (grad f_i - 0.01 (x - 0.5)), clamped at each step.
    """
    count = subject.sizes.samples
    targets = torch.arange(count, device=subject.x.device) % num_classes
    # All starts are drawn at once, so that the size of a batch cannot change them.
    noise = normal_like(subject.x[:1].expand(count, -1, -1, -1), subject.generator(2))
    starts = (0.5 + 0.2 * noise).clamp(0, 1)
    parts = list(
        zip(targets.split(subject.sizes.batch_size), starts.split(subject.sizes.batch_size), strict=True)
    )
    with subject.bar(len(parts) * subject.sizes.sample_steps, "steps of the samples") as bar:

        def advance(_step: int, _x: Tensor) -> None:
            bar.update()

        made = [
            sampling.activation_maximisation(
                subject.model,
                classes,
                start=start,
                steps=subject.sizes.sample_steps,
                step_size=0.1,
                weight_decay=0.01,
                callback=advance,
            )
            for classes, start in parts
        ]
    pictures = torch.cat(made)
    result = metrics.gan_test(pictures, targets, judge)
    found = {"gan_test": Interval(value=result.accuracy, low=result.low, high=result.high, n=result.n)}
    quality = metrics.sample_quality(pictures)
    found |= {
        f"sample_{name}": mean_interval(row)
        for name, row in zip(quality.names, quality.per_sample, strict=True)
    }
    table = pd.DataFrame({"target": targets.cpu(), "correct": result.correct}).assign(
        **{name: row.numpy() for name, row in zip(quality.names, quality.per_sample, strict=True)}
    )
    return Findings(metrics=found, tables={"samples": table}, pictures={"samples": pictures[:KEPT_PICTURES]})


def density_ratios(subject: Subject) -> Findings:
    """Measure the density ratios of Fig. 1 at every noise level, with one draw an image."""
    result = metrics.density_ratio(
        subject.model,
        subject.x,
        subject.y,
        sigmas=SIGMAS,
        generator=subject.generator(3),
        batch_size=subject.sizes.batch_size,
    )
    found = {
        f"log_ratio_{sigma:g}": mean_interval(row)
        for sigma, row in zip(SIGMAS, result.per_sample_log_ratio, strict=True)
    }
    return Findings(metrics=found, tables={"density_ratio": result.to_frame()}, pictures={})


def gradient_maps(subject: Subject) -> Findings:
    """Measure how smooth the logit-gradients are and how well they follow the image's edges (Fig. 4)."""
    maps = attribution_maps(subject)["gradient"]
    quality = metrics.gradient_map_quality(maps, subject.x)
    found = {
        f"map_{name}": mean_interval(row) for name, row in zip(quality.names, quality.per_sample, strict=True)
    }
    found["squared_norm"] = mean_interval(flat_sum(maps.square()))
    return Findings(metrics=found, tables={}, pictures={"gradients": maps[:KEPT_PICTURES]})


def pixel_perturbation(subject: Subject, baseline: nn.Module) -> Findings:
    """Remove the least relevant pixels (Fig. 3): from the model itself, and from the common baseline.

    Attributions: the signed logit-gradient of the true class, input x gradient, and a random order. The areas
    under the curves are metrics, as they are and relative to the accuracy on clean images.
    """
    maps = attribution_maps(subject)
    tables, found = [], {}
    bar = subject.bar(2 * len(ATTRIBUTIONS), "curves of pixel perturbation")
    for experiment, model in (("own", subject.model), ("common", baseline)):
        for attribution in ATTRIBUTIONS:
            curve = metrics.pixel_perturbation(
                model,
                subject.x,
                subject.y,
                maps[attribution] if attribution != "random" else maps["gradient"],
                fractions=FRACTIONS,
                order="random" if attribution == "random" else "least",
                generator=subject.generator(4),
                batch_size=subject.sizes.batch_size,
            )
            bar.update()
            tables.append(curve.to_frame().assign(experiment=experiment, attribution=attribution))
            found[f"perturbation_{experiment}_{attribution}"] = mean_interval(curve.area())
            if curve.value[0] > 0:
                found[f"relative_perturbation_{experiment}_{attribution}"] = mean_interval(
                    curve.relative().area()
                )
    bar.close()
    table = pd.concat(tables, ignore_index=True)
    return Findings(metrics=found, tables={"pixel_perturbation": table}, pictures={})


def attribution_maps(subject: Subject) -> dict[str, Tensor]:
    """Return the signed gradient of the true class's logit, and input x gradient, each like x."""
    with evaluation_mode(subject.model):
        gradient = torch.cat(
            [
                logit_gradient(subject.model, a, c).detach()
                for a, c in zip(
                    subject.x.split(subject.sizes.batch_size),
                    subject.y.split(subject.sizes.batch_size),
                    strict=True,
                )
            ]
        )
    return {"gradient": gradient, "input_x_gradient": subject.x * gradient}


def _as_metric(interval: Interval) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(interval).items()}
