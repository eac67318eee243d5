"""What decides a training run, and the network that it begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from companion import data, models
from companion._support import choose
from companion.experiments import checks
from companion.experiments.methods import known
from companion.losses import Penalty

TIERS = ("tiny", "quick", "small", "paper")
"""`tiny` is the tests' size: the same code on a few images, for no result at all."""
NETWORKS = {"resnet9": "ResNet-9", "resnet18": "ResNet-18", "resnet34": "ResNet-34"}
"""How networks are written."""
ROLES = ("model", "judge", "candidate", "sweep", "strength", "collapse", "clamp", "published", "printed")
"""What a run is for: one of the compared models, the GAN-test's judge, a candidate of the search, a cell of
Table 2's sweep, a model with a weaker or a stronger penalty, one of chapter 06's runs, one of chapter 07's
with other clamps, a model with all that the paper publishes, or one with its constants in the book's
schedule."""
LARGEST_SEED = 2**32 - 1
JUDGE_SEED = 1000
"""The GAN-test's judge shares its seed, and with it the order of its batches, with no other run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a training run. Equal settings on one machine give equal weights.

    Attributes:
        tier: which size of experiment it belongs to, one of `TIERS`.
        dataset: `mnist5k`, `cifar10` or `cifar100`.
        method: which penalty joins the cross-entropy, one of `methods.known()`.
        seed: initialisation, order of the batches, augmentation and probes.
        name: the run's name in its folder; the method's, if empty.
        role: what it is for, one of `ROLES`.
        penalty: keyword arguments of the method's loss in `companion.losses`.
        network, width: `resnet9`, `resnet18` or `resnet34`, and the channels of its first stage.
        epochs, batch_size: passes over the training split, images in a step.
        schedule: `one_cycle` (up to `learning_rate` and down to nought) or `step` (a tenth at 1/2 and 3/4).
        learning_rate, momentum, weight_decay: of SGD; `learning_rate` is the largest one used.
        augment: random crops with 4 pixels of padding, and horizontal flips.
        input_noise: standard deviation of Gaussian noise added to the inputs, pixels being in [0, 1].
        precision: `float32`, or `bfloat16` autocast where the objective has no difference that cancels.
        train_size: use only the first images of the training split (None: all).

    Raises:
        ValueError: a value out of its range, an unknown option, or autocast with a Taylor estimate.

    Example:
        >>> settings = Settings(tier="quick", dataset="mnist5k", method="gradient_norm", seed=1, epochs=3)
        >>> settings.run_id, settings.loss().weight
        ('quick/mnist5k/gradient_norm-seed1', 0.001)
        >>> Settings(tier="quick", dataset="mnist5k", method="baseline", seed=1, epochs=0)
        Traceback (most recent call last):
        ...
        ValueError: epochs must be ...
    """

    tier: str
    dataset: str
    method: str
    seed: int
    name: str = ""
    role: str = "model"
    penalty: Mapping[str, Any] = field(default_factory=dict)
    network: str = "resnet9"
    width: int = 16
    epochs: int = 6
    batch_size: int = 64
    schedule: str = "one_cycle"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: bool = False
    input_noise: float = 0.0
    precision: str = "float32"
    train_size: int | None = None

    def __post_init__(self) -> None:
        """Check every setting."""
        choose("tier", self.tier, TIERS)
        choose("dataset", self.dataset, data.DATASETS)
        choose("method", self.method, known())
        choose("role", self.role, ROLES)
        choose("network", self.network, NETWORKS)
        choose("schedule", self.schedule, ("one_cycle", "step"))
        choose("precision", self.precision, ("float32", "bfloat16"))
        checks.whole_number("seed", self.seed, 0, LARGEST_SEED)
        checks.whole_number("epochs", self.epochs, 1)
        checks.whole_number("batch_size", self.batch_size, 2)
        checks.whole_number("width", self.width, 1)
        if self.train_size is not None:
            checks.whole_number("train_size", self.train_size, 1)
        checks.positive_number("learning_rate", self.learning_rate)
        checks.number_from_zero("momentum", self.momentum, below=1)
        checks.number_from_zero("weight_decay", self.weight_decay)
        checks.number_from_zero("input_noise", self.input_noise)
        checks.truth("augment", self.augment)
        if self.name == "":
            object.__setattr__(self, "name", self.method)
        checks.folder_name("name", self.name)
        kind = known()[self.method].loss
        if kind is not None:
            checks.keyword_arguments("penalty", self.penalty, kind)
        elif self.penalty:
            raise ValueError(f"the baseline has no penalty; got {self.penalty!r}")
        loss = self.loss()
        if self.precision != "float32" and loss is not None and loss.has_differences:
            raise ValueError(
                "f(x + v) - f(x) loses its digits in bfloat16: use precision='float32' with this penalty, "
                "or a gradient-norm penalty with norm='exact'"
            )

    def loss(self) -> Penalty | None:
        """Return the penalty, configured, or None for the baseline."""
        kind = known()[self.method].loss
        return None if kind is None else kind(**self.penalty)

    @property
    def is_brief(self) -> bool:
        """Whether the objective of eq. 2 and the GAN-test are all that is shown of the run."""
        return self.role == "sweep"

    @property
    def is_evaluated(self) -> bool:
        """Whether the run's experiments are shown; of the others the book shows what training measures."""
        return self.role in ("model", "sweep", "strength", "published")

    @property
    def run_id(self) -> str:
        """`<tier>/<dataset>/<name>-seed<seed>`: the run's folder below `_runs/` or `results/`."""
        return f"{self.tier}/{self.dataset}/{self.name}-seed{self.seed}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Build settings from a record; a name that does not exist is an error that lists the known ones."""
        known = [f.name for f in fields(cls)]
        for name in values:
            choose("setting", name, known)
        penalty = values.get("penalty")
        if isinstance(penalty, Mapping):
            penalty = {name: math.inf if value == "inf" else value for name, value in penalty.items()}
            values = {**values, "penalty": penalty}
        return cls(**values)


def build_network(settings: Settings) -> torch.nn.Module:
    """Return the untrained network, initialised from the settings' seed.

    Example:
        >>> settings = Settings(tier="quick", dataset="mnist5k", method="baseline", seed=0, width=8)
        >>> first, again = build_network(settings), build_network(settings)
        >>> torch.equal(first.fc.weight, again.fc.weight), first.fc.out_features
        (True, 10)
    """
    described = data.DATASETS[settings.dataset]
    return getattr(models, settings.network)(
        described.num_classes,
        in_channels=described.channels,
        width=settings.width,
        generator=torch.Generator().manual_seed(settings.seed),
    )
