"""Time the package beside other libraries, and beside the least that is possible: `results/trials/`.

    python -m companion bench

All alternatives of a row take turns on one thread, and the processor's time is measured, so that what else
the machine does counts little; a ratio is the median over turns. Each alternative's answer is compared with
ours before it is timed. `peers.csv` has the ratios, `scaling.csv` how the cost grows with pixels, classes and
images.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from importlib.metadata import version

import pandas as pd
import torch
from captum.attr import Saliency
from torch import Tensor, nn

from benchmarks import tables
from benchmarks.turns import in_turns
from companion import data, gradients, losses, metrics, models, trace
from companion.experiments import presets, shelf

TURNS = 15
IMAGES = 100
Work = Callable[[], object]


def seconds(work: Work) -> float:
    """Return the processor's time that a piece of work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def turns(alternatives: dict[str, Work], count: int = TURNS) -> dict[str, list[float]]:
    """Return the processor's time of each alternative, turn by turn."""
    return in_turns({name: partial(seconds, work) for name, work in alternatives.items()}, count)


def row(
    what: str, ours: Work, peer: Work, name: str, difference: float, count: int = TURNS
) -> dict[str, object]:
    """Return the row of a comparison: ours over the peer's time, turn by turn."""
    times = turns({"ours": ours, "peer": peer}, count)
    ratios = sorted(a / b for a, b in zip(times["ours"], times["peer"], strict=True))
    found = {
        "what": what,
        "peer": name,
        "ms": 1000 * statistics.median(times["ours"]),
        "peer_ms": 1000 * statistics.median(times["peer"]),
        "ratio": statistics.median(ratios),
        "ratio_low": ratios[count // 4],
        "ratio_high": ratios[-1 - count // 4],
        "largest_difference": difference,
        "turns": count,
    }
    print(found, flush=True)
    return found


def digits() -> tuple[nn.Module, Tensor, Tensor]:
    """Return the book's first network, test images and their classes."""
    folder = shelf.committed_directory(presets.preset("quick", "mnist5k", "baseline"))
    model = shelf.load(folder).model().eval()
    found = data.load("mnist5k")
    return model, data.to_float(found.x_test[:IMAGES]), found.y_test[:IMAGES]


def saliency() -> dict[str, object]:
    """Compare a batch's logit-gradients with Captum's `Saliency`."""
    model, x, y = digits()
    captum = Saliency(model)

    def theirs() -> Tensor:
        return captum.attribute(x.clone().requires_grad_(), target=y, abs=False)

    def ours() -> Tensor:
        return gradients.logit_gradient(model, x, y)

    difference = float((ours() - theirs()).abs().max() / ours().abs().max())
    return row(f"logit-gradients of {IMAGES} digits", ours, theirs, f"captum {version('captum')}", difference)


def pixels() -> Iterable[dict[str, object]]:
    """Compare pixel-perturbation curves with Quantus's `PixelFlipping`, and with forward passes alone."""
    quantus = import_module("quantus")
    model, x, y = digits()
    maps = gradients.logit_gradient(model, x, y)
    side = x.shape[-1]
    fractions = [step / side for step in range(1, side + 1)]
    flipping = quantus.PixelFlipping(
        features_in_step=side, perturb_baseline=0.5, abs=False, normalise=False, disable_warnings=True
    )
    arrays = {"x_batch": x.numpy(), "y_batch": y.numpy(), "a_batch": maps.abs().numpy()}

    def ours() -> metrics.Curve:
        return metrics.pixel_perturbation(
            model,
            x,
            y,
            maps,
            fractions=fractions,
            order="most",
            replacement="grey",
            score="probability",
        )

    def theirs() -> list[list[float]]:
        return flipping(model=model, **arrays, softmax=True, device="cpu", batch_size=IMAGES)

    difference = float((ours().per_sample - torch.tensor(theirs()).T).abs().max())
    what = f"a curve of {side} fractions, {IMAGES} digits"
    yield row(what, ours, theirs, f"quantus {version('quantus')}", difference, 5)

    @torch.no_grad()
    def passes() -> None:
        for _ in range(side + 1):  # with the clean images, which the score needs
            model(x)

    yield row(what, ours, passes, "its forward passes alone", math.nan)


class AtImage(nn.Module):
    """A logit as a function of the image, held as a parameter: what curvlinops takes a Hessian of."""

    def __init__(self, model: nn.Module, image: Tensor, y: int) -> None:
        """Keep one image (1, C, H, W) and its class."""
        super().__init__()
        self.model, self.y, self.image = model, y, nn.Parameter(image)

    def forward(self, _: Tensor) -> Tensor:
        """Return the logit, (1,)."""
        return self.model(self.image)[:, self.y]


class Total(nn.Module):
    """The sum of its first argument: a loss that leaves a logit as it is."""

    reduction = "sum"

    def forward(self, logit: Tensor, _: Tensor) -> Tensor:
        """Return the sum."""
        return logit.sum()


def traces() -> Iterable[dict[str, object]]:
    """Compare a batch's traces with a loop over curvlinops's operators: probe for probe, and to one error."""
    curvlinops = import_module("curvlinops")
    model, x, y = digits()
    x, y, probes = x[:32], y[:32], 8
    model.requires_grad_(False)
    f = trace.logit(model, y)

    def ours() -> Tensor:
        with torch.no_grad():
            return trace.hutchinson(f, x, num_probes=probes)

    def theirs(distribution: str = "rademacher") -> Tensor:
        found = []
        for image, label in zip(x, y.tolist(), strict=True):
            at = AtImage(model, image[None], label)
            batch = [(torch.zeros(1, 1), torch.zeros(1))]
            operator = curvlinops.HessianLinearOperator(
                at, Total(), [at.image], batch, check_deterministic=False
            )
            found.append(curvlinops.hutchinson_trace(operator, num_matvecs=probes, distribution=distribution))
        return torch.stack(found)

    def draws(count: int) -> Tensor:
        with torch.no_grad():
            return trace.taylor(f, x, sigma=0.01, num_probes=count, variant="central")

    def scatter(samples: Tensor) -> float:
        return float(samples.var(dim=0).mean())

    # The largest difference is told in standard errors of the mean over images.
    hutchinson, taylor = trace_samples(ours), trace_samples(lambda: draws(8))
    reference, name = (
        torch.stack([theirs() for _ in range(3)]),
        f"curvlinops {version('curvlinops-for-pytorch')}",
    )
    count = math.ceil(probes * scatter(taylor) / scatter(hutchinson))
    for what, work, samples in (
        (f"Hutchinson, {probes} probes", ours, hutchinson),
        (f"Taylor, {count} central draws, for the same standard error", lambda: draws(count), taylor),
    ):
        error = math.sqrt((scatter(samples) / len(samples) + scatter(reference) / len(reference)) / len(x))
        difference = abs(float((samples.mean(dim=0) - reference.mean(dim=0)).mean())) / error
        yield row(f"traces of {len(x)} digits: {what}", work, theirs, name, difference, 5)


def trace_samples(work: Callable[[], Tensor], times: int = 4) -> Tensor:
    """Return the samples of several calls."""
    return torch.cat([work() for _ in range(times)])


def jobs(side: int, classes: int, batch: int) -> dict[str, Work]:
    """Return what is timed as a function of size: one call of each for ResNet-9 of width 16."""
    generator = torch.Generator().manual_seed(0)
    model = models.resnet9(classes, width=16, image_sizes=[side], generator=generator).eval()
    x = torch.rand(batch, 3, side, side)
    y = torch.randint(0, classes, (batch,))
    f = trace.logit(model, y)
    maps = torch.rand(batch, 3, side, side)
    penalty = losses.ScoreMatching()

    def step() -> None:
        model.train()
        value, logits = penalty.penalty_and_logits(model, x.detach(), y)
        (nn.functional.cross_entropy(logits, y) + value.mean()).backward()
        model.zero_grad()
        model.eval()

    def without_graph(function: Callable[[], Tensor]) -> Work:
        def work() -> Tensor:
            with torch.no_grad():
                return function()

        return work

    return {
        "logit-gradients": lambda: gradients.logit_gradient(model, x, y),
        "Taylor trace, 1 draw": without_graph(lambda: trace.taylor(f, x, sigma=0.01)),
        "Hutchinson's trace, 1 probe": without_graph(lambda: trace.hutchinson(f, x)),
        "pixel perturbation, 9 fractions": lambda: metrics.pixel_perturbation(
            model, x, y, maps, fractions=[k / 8 for k in range(9)]
        ),
        "a training step with score-matching": step,
    }


SIZES = {
    "pixels": [(side, 10, 8) for side in (8, 16, 24, 32, 48, 64)],
    "classes": [(16, classes, 16) for classes in (10, 30, 100, 300, 1000)],
    "images": [(16, 10, batch) for batch in (4, 8, 16, 32, 64, 128)],
}


def scaling() -> list[dict[str, object]]:
    """Time each job at each size, the sizes taking turns."""
    found = []
    for along, sizes in SIZES.items():
        made = {size: jobs(*size) for size in sizes}
        for job in jobs(8, 10, 4):
            times = turns({str(size): work[job] for size, work in made.items()}, 7)
            for side, classes, batch in sizes:
                size = {"pixels": side * side, "classes": classes, "images": batch}[along]
                ms = 1000 * statistics.median(times[str((side, classes, batch))])
                found.append({"job": job, "along": along, "size": size, "ms": ms})
        print(along, flush=True)
    return found


def main() -> None:
    """Measure, and write `peers.csv` and `scaling.csv`."""
    warnings.simplefilter("ignore")  # those of the peers
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    tables.write(pd.DataFrame([saliency(), *pixels(), *traces()]), tables.TRIALS / "peers.csv", "torch")
    tables.write(pd.DataFrame(scaling()), tables.TRIALS / "scaling.csv", "torch")


if __name__ == "__main__":
    main()
