"""Small fixed cases in which the code that makes results is measured, each giving a few numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion import data, models
from companion.experiments import measurements, training
from companion.experiments.methods import known
from companion.experiments.provenance import WHOLE_EXPERIMENTS
from companion.experiments.settings import Settings

COUNT = "count"
"""A quantity whose name begins so is a whole number, and must be the same."""


def measure(kind: str, case: str) -> dict[str, float]:
    """Compute the quantities of a case with today's code.

    Args:
        kind: one of `provenance.KINDS`.
        case: as `provenance.cases` names it.

    Raises:
        ValueError: a case that does not exist.

    Example:
        >>> found = measure("train", "step method=baseline")
        >>> sorted({name.split()[0] for name in found})
        ['gradient', 'logits', 'statistics']
    """
    first, *options = case.split(" ")
    given = dict(option.split("=") for option in options)
    if kind == "evaluate" and case in WHOLE_EXPERIMENTS:
        return _experiment(case)
    if kind == "train" and first == "step":
        return _step(**given)
    if kind == "train" and first == "loop":
        return _loop(**given)
    if kind == "train" and case == "divergence":
        return _divergence()
    raise ValueError(f"there is no case {case!r} of {kind!r}")


def _step(method: str, **options: str) -> dict[str, float]:
    """One objective and its backward pass through a residual network in training mode, in float64."""
    model = models.resnet9(10, in_channels=3, width=8, generator=_generator(1)).double().train()
    x = torch.rand(6, 3, 32, 32, generator=_generator(2), dtype=torch.float64)
    y = torch.arange(6)
    found: dict[str, float] = {}
    kind = known()[method].loss
    if kind is None:
        logits, penalty = model(x), torch.zeros(6)
    else:
        terms = kind(**penalty_of(method, options)).terms(model, x, y, generator=_generator(3))
        logits, penalty = terms.logits, terms.penalty
        for name in ("penalty", "trace", "squared_gradient_norm", "stability"):
            value = getattr(terms, name)
            if value is not None:
                found |= _numbers(name, value)
    (F.cross_entropy(logits, y) + penalty.mean()).backward()
    parameters = [p.grad for p in model.parameters() if p.grad is not None]
    return (
        found
        | _projections("logits", [logits])
        | _projections("gradient", parameters)
        | _projections("statistics", [b for b in model.buffers() if b.is_floating_point()])
    )


def penalty_of(method: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of a loss with these options: all else is the same in each case.

    Example:
        >>> penalty_of("score_matching", {"squared": "unbiased"})
        {'squared': 'unbiased', 'num_probes': 2, 'mu': 0.1}
    """
    probes = {"num_probes": 2} if options.get("squared") == "unbiased" else {}
    stable = {"mu": 0.1} if method == "score_matching" else {}
    return {**options, **probes, **stable}


def _loop(network: str, schedule: str, augment: str, precision: str, input_noise: str) -> dict[str, float]:
    """A training of a few steps that is interrupted once, with a penalty where the precision allows it."""
    penalty = {"weight": 1e-3, "mu": 0.1, "sigma": 0.1, "variant": "central", "norm": "pair"}
    baseline = precision != "float32"
    settings = Settings(
        tier="tiny",
        dataset="mnist5k",
        method="baseline" if baseline else "score_matching",
        seed=1,
        penalty={} if baseline else penalty,
        network=network,
        width=8,
        epochs=1 if network == "resnet18" else 2,
        schedule=schedule,
        learning_rate=0.02,
        weight_decay=0.5,
        augment=augment == "True",
        input_noise=0.1 if input_noise == "True" else 0.0,
        precision=precision,
        train_size=128,
    )
    with tempfile.TemporaryDirectory() as folder:
        with suppress(training.OutOfTime):
            training.train(settings, directory=Path(folder), time_budget=0.0, progress=False)
        run = training.train(settings, directory=Path(folder), progress=False)
        last = run.history().iloc[-1].drop("seconds")
        weights = [p.detach() for p in run.model().parameters()]
    return {name: float(value) for name, value in last.items()} | _projections("weights", weights)


def _divergence() -> dict[str, float]:
    """A training with a step so large that it must stop: when it does, and which weights it leaves."""
    settings = Settings(
        tier="tiny", dataset="mnist5k", method="score_matching", seed=1, width=8, epochs=2, train_size=128,
        learning_rate=1e4, penalty={"mu": 0.1, "sigma": 0.1, "variant": "central", "norm": "pair"},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = training.train(settings, directory=Path(folder), progress=False)
        weights = [p.detach() for p in run.model().parameters()]
    stopped = run.record.diverged or {"epoch": 0, "step": 0}
    return {f"{COUNT} {name}": float(value) for name, value in stopped.items()} | _projections(
        "weights", weights
    )


def _experiment(name: str) -> dict[str, float]:
    """One experiment on a small untrained network, whose batch norms know the digits."""
    images = data.load("mnist5k")
    judge = _network(images, 2)
    subject = measurements.Subject(
        model=_network(images, 1),
        x=data.to_float(images.x_test[:40]),
        y=images.y_test[:40],
        sizes=replace(measurements.SIZES["tiny"], samples=40, sample_steps=3),
        seed=1,
    )
    found = {
        "objective": lambda: measurements.objective(subject, images),
        "samples": lambda: measurements.samples(subject, images.num_classes, judge),
        "density_ratios": lambda: measurements.density_ratios(subject),
        "gradient_maps": lambda: measurements.gradient_maps(subject),
        "pixel_perturbation": lambda: measurements.pixel_perturbation(subject, judge),
    }[name]()
    numbers: dict[str, float] = {}
    for metric, interval in found.metrics.items():
        is_count = metric == "gan_test"
        numbers[f"{COUNT} {metric}" if is_count else metric] = interval.value
        numbers[f"{COUNT} {metric} n"] = float(interval.n)
    for table, frame in found.tables.items():
        for column, values in frame.items():
            if pd.api.types.is_bool_dtype(values):
                numbers |= {f"{COUNT} {table} {column} {k}": float(v) for k, v in enumerate(values)}
            elif pd.api.types.is_numeric_dtype(values):
                finite = torch.tensor(values.to_numpy(dtype=float)).nan_to_num()
                numbers |= _projections(f"{table}_{column}", [finite])
    for picture, values in found.pictures.items():
        numbers |= _projections(f"picture_{picture}", [values.float()])
    return numbers | _projections("judge", [b for b in judge.buffers() if b.is_floating_point()])


def _network(images: data.ImageData, seed: int) -> nn.Module:
    model = models.resnet9(10, in_channels=1, width=8, generator=_generator(seed))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # The plain mean of what it sees.
    with torch.no_grad():
        model.train()(data.to_float(images.x_train[:200]))
    return model.eval()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _numbers(name: str, values: Tensor) -> dict[str, float]:
    return {f"{name} {k}": value for k, value in enumerate(values.detach().flatten().tolist())}


def _projections(name: str, values: Sequence[Tensor], count: int = 8) -> dict[str, float]:
    """Return eight sums of all values with random signs."""
    flat = torch.cat([value.detach().double().flatten() for value in values])
    signs = torch.randint(0, 2, (count, len(flat)), generator=_generator(4)).double() * 2 - 1
    return _numbers(name, signs @ flat)
