"""Networks trained on images of a known density, whose scores can be told from the true one.

The density is one Gaussian a class, fitted to the digits (`mixture.ppca_mixture`); images are 28 x 28. Each
kind of network is trained on samples as the quick tier trains on digits, at half its width, with three
strengths of its penalty. Then its score is compared with the true one, and yardsticks and explanations are
measured beside it. The true density is measured likewise, as a network: so good can they be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from companion import audit, data, metrics, sampling
from companion._support import normal_like, to_device
from companion.experiments import checkpoint, schedule, step, studies
from companion.experiments.measurements import FRACTIONS
from companion.experiments.methods import METHODS
from companion.experiments.presets import preset
from companion.experiments.settings import Settings, build_network
from companion.gradients import logit_gradient
from companion.mixture import Mixture, ppca_mixture

RANK = 20
"""Principal directions of each class's Gaussian."""
TRAIN_SIZE, TEST_SIZE = 3_500, 500
WIDTH = 8
STRENGTHS = (0.1, 1.0, 10.0)
"""What the quick tier's penalties are multiplied by."""
SEEDS = (0, 1, 2)
SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""The yardstick's noise levels; a pixel of the digits runs from 0 to 1."""
SAMPLES, SAMPLE_STEPS = 100, 100
STEP_SIZES = (0.1, 0.01)
"""That of the tiers' evaluations, and one that does not overshoot in the true density."""
SHAPE = (1, 28, 28)
TRUTH = "truth"
"""The density itself, as a network."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network of the study: a kind, the strength of its penalty, a seed."""

    method: str
    strength: float
    seed: int

    @property
    def name(self) -> str:
        """What its row is called."""
        return f"{self.method}-{self.strength:g}-seed{self.seed}"

    @property
    def settings(self) -> Settings:
        """How it is trained: the quick tier's preset, its penalty multiplied."""
        base = preset("quick", "mnist5k", self.method, self.seed)
        penalty = dict(base.penalty)
        if penalty:
            penalty["weight"] *= self.strength
        size = {"width": WIDTH, "penalty": penalty}
        return preset("quick", "mnist5k", self.method, self.seed, name=self.method, **size)


def plan() -> Iterator[Network]:
    """Yield the networks: every kind, strength and seed; the baseline has no strength.

    Example:
        >>> [network.name for network in plan()][:4]
        ['baseline-1-seed0', 'score_matching-0.1-seed0', 'score_matching-1-seed0', 'score_matching-10-seed0']
    """
    for seed in SEEDS:
        for method in METHODS:
            for strength in STRENGTHS if METHODS[method].loss else (1.0,):
                yield Network(method=method, strength=strength, seed=seed)


@cache
def density() -> Mixture:
    """Return the density that the images are drawn from.

    Example:
        It takes seconds:

        >>> density().means.shape  # doctest: +SKIP
        torch.Size([10, 784])
    """
    digits = data.load("mnist5k")
    return ppca_mixture(data.to_float(digits.x_train).flatten(1), digits.y_train, rank=RANK)


def draw(mixture: Mixture, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (count, 1, 28, 28), float32 and not cut to [0, 1], and their classes (count,).

    Example:
        >>> from companion.mixture import gaussian_mixture
        >>> x, y = draw(gaussian_mixture(torch.zeros(2, 784)), 3, seed=0)
        >>> x.shape, x.dtype, y.shape
        (torch.Size([3, 1, 28, 28]), torch.float32, torch.Size([3]))
    """
    x, y = mixture.sample(count, torch.Generator().manual_seed(seed))
    return x.float().view(-1, *SHAPE), y


def train(settings: Settings, x: Tensor, y: Tensor) -> nn.Module | None:
    """Train a network as `training.train` does, on images that are floats; None if it diverges.

    Args:
        settings: of the training; its data set says only how large images are and how many classes.
        x: (N, channels, H, W) images.
        y: (N,) classes.

    Example:
        >>> settings = preset("tiny", "mnist5k", "baseline", batch_size=4)
        >>> model = train(settings, torch.rand(4, 1, 28, 28), torch.arange(4))
        >>> model.training
        False
    """
    model = to_device(build_network(settings), x.device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    steps = len(x) // settings.batch_size
    state = checkpoint.State(
        model=model,
        optimizer=optimizer,
        schedule=schedule.learning_rate(settings, optimizer, steps),
        generator=torch.Generator(x.device).manual_seed(settings.seed),
    )
    order = torch.Generator().manual_seed(settings.seed)
    with step.numerics(settings, x.device):
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(x), generator=order).split(settings.batch_size)[:steps]:
                terms = step.training_step(settings, state, x[rows], y[rows])
                if not all(map(math.isfinite, torch.stack(list(terms.values())).tolist())):
                    return None
    return model.eval()


def measure(model: nn.Module, mixture: Mixture, seed: int) -> dict[str, float]:
    """Return all that is measured of one network, by name.

    The truth, on fresh images and with no noise: `true_squared_error`, E|grad f - s|^2, twice eq. 1;
    `true_loss`, the same as a share of E|s|^2 with all logits at their best scale; `true_cosine`. The
    yardsticks: `loss_<sigma>`, `cosine_<sigma>` and `scale_<sigma>` of `metrics.denoising_alignment`;
    `objective` of eq. 2, `trace`, `squared_norm`. The explanations: the areas of pixel perturbation, in the
    order of the gradient of the logit (`own_gradient`) or of the centred logit (`own_centred`) and at
    `random`; and for samples made with steps of two sizes `judged_<step>`, the share in which the true
    posterior sees their class, and `log_density_<step>`, their mean log p(x | y). And `accuracy`.

    Example:
        >>> truth = density()  # doctest: +SKIP
        >>> measure(truth.classifier(), truth, seed=0)["true_squared_error"]  # doctest: +SKIP
        0.0
    """
    x, y = draw(mixture, TEST_SIZE, 10_000 + seed)
    score = mixture.score(x.double().flatten(1), y).view(-1, *SHAPE)
    x = x.to(next((p.dtype for p in model.parameters()), torch.float64))
    generator = torch.Generator().manual_seed(seed)
    truth = metrics.score_alignment(model, x, y, score)
    bowl = metrics.hyvarinen_objective(
        model, x[:200], y[:200], estimator="hutchinson", num_probes=4, generator=generator
    )
    found = {
        "true_squared_error": truth.squared_error,
        "true_loss": truth.loss,
        "true_cosine": truth.cosine,
        "objective": bowl.value,
        "trace": bowl.trace,
        "squared_norm": 2 * bowl.half_squared_norm,
    }
    denoising = metrics.denoising_alignment(model, x, y, sigmas=SIGMAS, generator=generator)
    for row in denoising.to_frame().to_dict("records"):
        found |= {f"{name}_{row['sigma']:g}": row[name] for name in ("loss", "cosine", "scale")}
    return found | _explanations(model, mixture, x, y, generator)


def _explanations(
    model: nn.Module, mixture: Mixture, x: Tensor, y: Tensor, generator: torch.Generator
) -> dict[str, float]:
    curves = {
        "own_gradient": (_maps(model, x, y), "least"),
        "own_centred": (_maps(audit.centred(model), x, y), "least"),
        "random": (None, "random"),
    }
    found = {}
    for name, (maps, order) in curves.items():
        curve = metrics.pixel_perturbation(
            model, x, y, maps, fractions=FRACTIONS, order=order, generator=generator
        )
        found |= {"accuracy": curve.value[0].item(), name: curve.area().mean().item()}
    targets = torch.arange(SAMPLES) % mixture.num_classes
    start = (0.5 + 0.2 * normal_like(x[:1].expand(SAMPLES, *SHAPE), generator)).clamp(0, 1)
    for size in STEP_SIZES:
        made = sampling.activation_maximisation(
            model, targets, start=start, steps=SAMPLE_STEPS, step_size=size, weight_decay=0.01
        )
        judged = metrics.gan_test(made.double(), targets, mixture.classifier())
        log_density = mixture.log_density(made.double().flatten(1), targets)
        found |= {
            f"judged_{size:g}": judged.accuracy,
            f"log_density_{size:g}": log_density.mean().item(),
        }
    return found


def _maps(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([logit_gradient(model, a, b) for a, b in zip(x.split(250), y.split(250), strict=True)])


def rows_of(name: str) -> list[studies.Row]:
    """Train and measure one network of the plan, by its name; or measure the density itself, `truth`.

    The row of the truth has the smallest possible losses: those of the density smoothed by each noise.

    Example:
        >>> (row,) = rows_of("score_matching-10-seed0")  # doctest: +SKIP
        >>> row["status"], round(row["true_cosine"], 1)  # doctest: +SKIP
        ('finished', 0.6)
    """
    mixture = density()
    if name == TRUTH:
        found = measure(mixture.classifier(), mixture, SEEDS[0])
        x, y = draw(mixture, TEST_SIZE, 10_000 + SEEDS[0])
        for sigma in SIGMAS:
            best = metrics.denoising_alignment(
                mixture.smoothed(sigma).classifier(),
                x.double(),
                y,
                sigmas=[sigma],
                generator=torch.Generator().manual_seed(SEEDS[0]),
            )
            found |= {f"loss_{sigma:g}": best.loss.item(), f"cosine_{sigma:g}": best.cosine.item()}
        return [{"method": TRUTH, "strength": 1.0, "seed": SEEDS[0], "status": "finished", **found}]
    (network,) = [one for one in plan() if one.name == name]
    model = train(network.settings, *draw(mixture, TRAIN_SIZE, network.seed))
    if model is None:
        return [{**asdict(network), "status": "diverged"}]
    return [{**asdict(network), "status": "finished", **measure(model, mixture, network.seed)}]


def make(*, progress: bool = True) -> Path:
    """Train and measure every network; go on where an earlier call stopped.

    Example:
        >>> path = make()  # doctest: +SKIP

        It takes an hour. The committed table:

        >>> table = studies.read("known_density")
        >>> len(table) == 1 + len(list(plan())), table["method"][0]
        (True, 'truth')
    """
    return studies.make(
        "known_density", [TRUTH, *(network.name for network in plan())], rows_of, progress=progress
    )
