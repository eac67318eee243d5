"""Evaluate a trained run: the paper's experiments on one model, as metrics in its record and as tables.

Tables, one CSV each: `density_ratio` (Fig. 1), `samples` (Fig. 2 and Table 1), `pixel_perturbation` (Figs. 3
and 5) and `trace` (the objective of eq. 2). `pictures.safetensors` keeps a few gradient maps (Fig. 4) and
samples, so that a page can show them where the weights are not committed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor, nn
from tqdm.auto import tqdm

from companion import data, metrics, runs, sampling, trace
from companion._support import evaluation_mode, flat_sum
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
KEPT_PICTURES = 20


def evaluate(
    directory: Path,
    *,
    device: str | torch.device = "cpu",
    data_root: str | Path | None = None,
    batch_size: int | None = None,
    brief: bool = False,
    progress: bool = True,
) -> Run:
    """Compute a trained run's tables and metrics; the record is written last, and whole.

    Args:
        directory: the run's folder, as `training.train` left it.
        device: `cpu`, `cuda`, ...
        data_root: where the data lie, see `data.load`.
        batch_size: images in memory at a time; changes memory, not what is measured.
        brief: only the objective of eq. 2 and the GAN-test: what the search and the sweep need.
        progress: show which experiment is running.

    Returns:
        The run with its completed record.

    Raises:
        RecordError: the folder holds no whole run, or its baseline or judge has not been trained.
    """
    started = time.monotonic()
    run = runs.load(directory)
    record = run.record
    sizes = SIZES[record.tier]
    if batch_size is not None:
        sizes = replace(sizes, batch_size=batch_size)
    where = torch.device(device)
    images = data.load(record.dataset, root=data_root)
    model = run.model().to(where)
    subject = Subject(
        model=model,
        x=data.to_float(images.x_test[: sizes.images]).to(where),
        y=images.y_test[: sizes.images].to(where),
        sizes=sizes,
        seed=record.seed,
    )
    steps: list[Callable[[], Findings]] = [
        lambda: objective(subject, images),
        lambda: samples(
            subject, images.num_classes, runs.find(record.tier, record.dataset, "judge", 0).model().to(where)
        ),
    ]
    if not brief:
        baseline = runs.find(record.tier, record.dataset, "baseline", record.seed).model().to(where)
        steps += [
            lambda: density_ratios(subject),
            lambda: gradient_maps(subject),
            lambda: pixel_perturbation(subject, baseline),
        ]
    found = dict(record.metrics)
    pictures: dict[str, Tensor] = {}
    for step in tqdm(steps, desc=f"evaluating {record.name} seed {record.seed}", disable=not progress):
        findings = step()
        found |= {name: _as_metric(interval) for name, interval in findings.metrics.items()}
        pictures |= findings.pictures
        for name, table in findings.tables.items():
            runs.write_table(table, directory / f"{name}.csv")
    half = {name: value.half().cpu().contiguous() for name, value in pictures.items()}
    runs.write_atomically(directory / "pictures.safetensors", save(half))
    completed = replace(
        record,
        metrics=found,
        seconds={**record.seconds, "evaluate": round(time.monotonic() - started, 1)},
        source_hash={
            **record.source_hash,
            "evaluate": runs.source_hash(runs.source_files("evaluate", run.settings)),
        },
    )
    completed.write(directory / "record.json")
    return runs.load(directory)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: a model, test images (B, channels, H, W) in [0, 1], their classes (B,)."""

    model: nn.Module
    x: Tensor
    y: Tensor
    sizes: Sizes
    seed: int

    def generator(self, purpose: int) -> torch.Generator:
        """Return a generator of its own for each experiment, so that none depends on what ran before."""
        return torch.Generator(self.x.device).manual_seed(1000 * self.seed + purpose)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One experiment's metrics, tables and pictures, by name."""

    metrics: dict[str, Interval]
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, Tensor]


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
                    chunk_size=4,
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
    made = []
    generator = subject.generator(2)
    for part in targets.split(subject.sizes.batch_size):
        made.append(
            sampling.activation_maximisation(
                subject.model,
                part,
                steps=subject.sizes.sample_steps,
                step_size=0.1,
                weight_decay=0.01,
                shape=tuple(subject.x.shape[1:]),
                generator=generator,
            )
        )
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
            tables.append(curve.to_frame().assign(experiment=experiment, attribution=attribution))
            found[f"perturbation_{experiment}_{attribution}"] = mean_interval(curve.area())
            if curve.value[0] > 0:
                found[f"relative_perturbation_{experiment}_{attribution}"] = mean_interval(
                    curve.relative().area()
                )
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
