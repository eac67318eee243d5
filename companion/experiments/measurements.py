"""The paper's experiments on one network, each a pure function of the network and the images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from companion import data, metrics, sampling, trace
from companion._support import evaluation_mode, flat_sum, normal_like
from companion.gradients import logit_gradient
from companion.metrics.intervals import Interval, mean_interval

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
CLIMBING_AT_ONCE = 50
"""Samples in memory at a time on a CPU, where that is up to twice as fast as the whole batch."""


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

    @cached_property
    def gradients(self) -> Tensor:
        """The signed gradient of the true class's logit, like x."""
        parts = zip(self.x.split(self.sizes.batch_size), self.y.split(self.sizes.batch_size), strict=True)
        with evaluation_mode(self.model):
            return torch.cat([logit_gradient(self.model, x, y).detach() for x, y in parts])


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
    at_once = subject.sizes.batch_size
    if subject.x.device.type == "cpu":
        at_once = min(at_once, CLIMBING_AT_ONCE)
    parts = list(zip(targets.split(at_once), starts.split(at_once), strict=True))
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
    quality = metrics.gradient_map_quality(subject.gradients, subject.x)
    found = {
        f"map_{name}": mean_interval(row) for name, row in zip(quality.names, quality.per_sample, strict=True)
    }
    found["squared_norm"] = mean_interval(flat_sum(subject.gradients.square()))
    return Findings(metrics=found, tables={}, pictures={"gradients": subject.gradients[:KEPT_PICTURES]})


def pixel_perturbation(subject: Subject, baseline: nn.Module) -> Findings:
    """Remove the least relevant pixels (Fig. 3): from the model itself, and from the common baseline.

    Attributions: the signed logit-gradient of the true class, input x gradient, and a random order. The areas
    under the curves are metrics, as they are and relative to the accuracy on clean images.
    """
    maps = {"gradient": subject.gradients, "input_x_gradient": subject.x * subject.gradients}
    tables, found = [], {}
    bar = subject.bar(2 * len(ATTRIBUTIONS), "curves of pixel perturbation")
    for experiment, model in (("own", subject.model), ("common", baseline)):
        for attribution in ATTRIBUTIONS:
            curve = metrics.pixel_perturbation(
                model,
                subject.x,
                subject.y,
                maps.get(attribution, subject.gradients),  # A random order needs no map but its shape.
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
