"""Samplers on densities whose modes, means and covariances are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from companion.data import gaussian_mixture
from companion.sampling import activation_maximisation, langevin, roughness_gradient


class Gaussian(nn.Module):
    """Logits log N(x; mean_i, inverse precision) up to a constant, for two means and one precision."""

    def __init__(self, means: Tensor, precision: Tensor) -> None:
        """Take (2, D) means and the (D, D) precision."""
        super().__init__()
        self.means, self.precision = means, precision

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, ...) to (B, 2)."""
        centred = x.flatten(1)[:, None, :] - self.means
        return -0.5 * (centred @ self.precision * centred).sum(dim=2)


MEANS = torch.tensor([[0.2, 0.7], [0.9, 0.4]], dtype=torch.float64)
PRECISION = torch.tensor([[4.0, -1.5], [-1.5, 2.0]], dtype=torch.float64)
GAUSSIAN = Gaussian(MEANS, PRECISION)
CLASSES = torch.tensor([0, 1, 1])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def half(*shape: int) -> Tensor:
    return torch.full(shape, 0.5, dtype=torch.float64)


def test_activation_maximisation_finds_the_mode_of_a_quadratic() -> None:
    x = activation_maximisation(GAUSSIAN, CLASSES, steps=400, step_size=0.2, start=half(3, 2))
    torch.testing.assert_close(x, MEANS[CLASSES], rtol=0, atol=1e-10)


def test_one_step_is_the_equation() -> None:
    start = torch.tensor([[0.1, 0.3]], dtype=torch.float64)
    x = activation_maximisation(
        GAUSSIAN, 0, steps=1, step_size=0.05, weight_decay=0.7, start=start, clamp=None
    )
    expected = start + 0.05 * ((MEANS[0] - start) @ PRECISION - 0.7 * (start - 0.5))
    torch.testing.assert_close(x, expected, rtol=1e-14, atol=1e-14)


def test_weight_decay_moves_the_mode_towards_mid_grey_by_the_ridge_formula() -> None:
    x = activation_maximisation(GAUSSIAN, 1, steps=800, step_size=0.1, weight_decay=3.0, start=half(1, 2))
    identity = torch.eye(2, dtype=torch.float64)
    mode = torch.linalg.solve(PRECISION + 3 * identity, PRECISION @ MEANS[1] + 3 * half(2))
    torch.testing.assert_close(x[0], mode, rtol=0, atol=1e-10)


def test_the_clamp_holds_at_every_step_and_none_lets_values_leave() -> None:
    seen: list[Tensor] = []
    model = nn.Linear(2, 1, bias=False).double()
    model.weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    for clamp in ((0.0, 1.0), (-0.5, 2.0), None):
        seen.clear()
        x = activation_maximisation(
            model,
            0,
            steps=10,
            step_size=1.0,
            start=half(1, 2),
            clamp=clamp,
            callback=lambda _, v: seen.append(v),
        )
        low, high = clamp or (-9.5, 10.5)  # ten steps of 1 from 0.5
        assert x.tolist() == [[high, low]]
        assert all(low <= float(v.min()) and float(v.max()) <= high for v in seen)


def test_the_smoothness_prior_is_a_quadratic_whose_mode_solves_a_linear_system() -> None:
    target = torch.rand(1, 3, 4, generator=seeded(), dtype=torch.float64)

    class Near(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return -0.5 * (x - target).square().flatten(1).sum(1, keepdim=True)

    weight = 0.8
    x = activation_maximisation(
        Near(), 0, steps=500, step_size=0.1, start=half(1, 1, 3, 4), smoothness=weight, clamp=None
    )
    unit = torch.eye(12, dtype=torch.float64).reshape(12, 1, 3, 4)
    laplacian = roughness_gradient(unit).reshape(12, 12)
    expected = torch.linalg.solve(torch.eye(12, dtype=torch.float64) + weight * laplacian, target.flatten())
    torch.testing.assert_close(x.flatten(), expected, rtol=0, atol=1e-10)


def test_roughness_gradient_is_autograds_of_half_the_squared_differences() -> None:
    x = torch.rand(2, 3, 5, 4, dtype=torch.float64, generator=seeded()).requires_grad_(True)
    roughness = 0.5 * (x.diff(dim=-1).square().sum() + x.diff(dim=-2).square().sum())
    (gradient,) = torch.autograd.grad(roughness, x)
    torch.testing.assert_close(roughness_gradient(x.detach()), gradient, rtol=1e-12, atol=1e-12)


def test_jitter_averages_a_linear_logits_gradient_over_the_shifts() -> None:
    """The gradient of <w, x> on images shifted, and back, is w shifted: its mean is w blurred by a box."""
    weights = torch.zeros(1, 5, 5, dtype=torch.float64)
    weights[0, 2, 2] = 9.0

    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * weights).flatten(1).sum(1, keepdim=True)

    steps = 4_000
    x = activation_maximisation(
        Inner(), 0, steps=steps, step_size=1 / steps, start=half(1, 1, 5, 5), jitter=1, clamp=None,
        generator=seeded(),
    )  # fmt: skip
    gained = x[0, 0] - 0.5
    assert float(gained.sum()) == pytest.approx(9.0)
    standard_error = 9 * math.sqrt((1 / 9) * (8 / 9) / steps)
    assert float((gained[1:4, 1:4] - 1).abs().max()) < 5 * standard_error
    assert float(gained[0].abs().max() + gained[:, 0].abs().max()) == 0


def test_langevin_reproduces_the_mean_and_the_covariance_of_a_gaussian() -> None:
    chains, step_size = 20_000, 0.1
    classes = torch.arange(chains) % 2
    x = langevin(
        GAUSSIAN,
        classes,
        steps=150,
        step_size=step_size,
        start=half(chains, 2),
        clamp=None,
        generator=seeded(),
    )
    # Exact for the discretised chain; as the step size tends to 0 it is the inverse precision.
    covariance = torch.linalg.inv(PRECISION - step_size / 4 * PRECISION @ PRECISION)
    for i in range(2):
        own = x[classes == i]
        standard_error = (covariance.diagonal() / len(own)).sqrt()
        assert bool(((own.mean(dim=0) - MEANS[i]).abs() < 5 * standard_error).all())
        spread = covariance.diagonal()
        tolerance = 5 * ((covariance.square() + spread[:, None] * spread) / len(own)).sqrt()
        assert bool(((own.T.cov() - covariance).abs() < tolerance).all())


def test_temperature_scales_the_covariance_and_zero_is_gradient_ascent_of_half_the_step() -> None:
    chains = 20_000
    x = langevin(
        GAUSSIAN, 0, steps=150, step_size=0.1, temperature=0.25, start=half(chains, 2), clamp=None,
        generator=seeded(),
    )  # fmt: skip
    variances = 0.25 * torch.linalg.inv(PRECISION - 0.025 * PRECISION @ PRECISION).diagonal()
    assert bool((x.var(dim=0) / variances - 1).abs().max() < 5 * math.sqrt(2 / chains))
    cold = langevin(GAUSSIAN, 0, steps=3, step_size=0.1, temperature=0.0, start=half(1, 2))
    climbed = activation_maximisation(GAUSSIAN, 0, steps=3, step_size=0.05, start=half(1, 2))
    assert torch.equal(cold, climbed)


def test_langevin_on_a_mixtures_bayes_classifier_visits_both_modes_of_a_class() -> None:
    mixture = gaussian_mixture(
        torch.tensor([[-1.0], [1.0], [5.0]]), 0.3, labels=torch.tensor([0, 0, 1]),
        weights=torch.tensor([3.0, 1.0, 4.0]),
    )  # fmt: skip
    x = langevin(
        mixture.classifier(), 0, steps=600, step_size=0.05, start=torch.zeros(3_000, 1, dtype=torch.float64),
        clamp=None, generator=seeded(),
    )  # fmt: skip
    right = float((x > 0).double().mean())
    middle = 0.5 * math.erfc(1 / math.sqrt(0.6))
    expected = 0.75 * middle + 0.25 * (1 - middle)  # mass of the class-conditional density above 0
    assert abs(right - expected) < 5 * math.sqrt(expected * (1 - expected) / 3_000) + 0.01


def test_the_start_is_normal_noise_around_mid_grey_in_the_models_type() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    for parameter in model.parameters():
        parameter.data.zero_()
    x = activation_maximisation(
        model, torch.zeros(3_000, dtype=torch.long), steps=1, step_size=1.0, shape=(3, 2, 2), clamp=None,
        generator=seeded(),
    )  # fmt: skip
    assert (x.shape, x.dtype) == ((3_000, 3, 2, 2), torch.float64)
    assert float(x.mean()) == pytest.approx(0.5, abs=5 * 0.2 / math.sqrt(36_000))
    assert float(x.std()) == pytest.approx(0.2, rel=5 / math.sqrt(72_000))
    clamped = activation_maximisation(model, 1, steps=1, step_size=1.0, shape=(3, 2, 2))
    assert clamped.shape == (1, 3, 2, 2)


@pytest.mark.parametrize("sampler", [activation_maximisation, langevin])
def test_samples_repeat_with_the_generator_and_leave_start_modes_gradients_and_global_state_alone(
    sampler: Callable[..., Tensor],
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
    model[1].eval()
    start, state = torch.rand(5, 1, 2, 2, generator=seeded()), torch.get_rng_state()
    before = start.clone()
    first, again = (
        sampler(model, 1, steps=4, step_size=0.1, start=start, jitter=1, generator=seeded(3))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    assert not first.requires_grad
    assert torch.equal(start, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model] == [True, False, True, True]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_callback_gets_every_step_and_modes_are_restored_when_it_fails() -> None:
    seen: list[int] = []
    model = nn.Linear(2, 2).train()
    langevin(model, 0, steps=3, step_size=0.1, shape=(2,), callback=lambda step, _: seen.append(step))
    assert seen == [1, 2, 3]

    def stop(step: int, x: Tensor) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        langevin(model, 0, steps=3, step_size=0.1, shape=(2,), callback=stop)
    assert model.training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"step_size": 0.0}, "step_size must be a positive"),
        ({"step_size": math.nan}, "step_size must be a positive"),
        ({"weight_decay": -1.0}, "weight_decay must be a finite number of at least 0"),
        ({"smoothness": -1.0}, "smoothness"),
        ({"smoothness": 1.0}, r"need images \(B, ..., H, W\)"),
        ({"jitter": -1}, "jitter"),
        ({"clamp": (1.0, 0.0)}, "clamp must be .* low < high"),
        ({"shape": None}, "give either start, .* or shape"),
        ({"start": torch.zeros(1, 2)}, "give either start, .* or shape"),
        ({"shape": ()}, "at least one axis"),
        ({"shape": (0,)}, "shape must be a whole number"),
        (
            {"shape": None, "start": torch.zeros(3, 2), "targets": torch.tensor([0, 1])},
            "2 targets but 3 images",
        ),
        ({"shape": None, "start": torch.zeros(3, 2, dtype=torch.uint8)}, "floating-point batch"),
        ({"targets": 2}, "classes are 0 to 1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    settings = {"targets": 0, "steps": 2, "step_size": 0.1, "shape": (2,)} | arguments
    for sampler in (activation_maximisation, langevin):
        with pytest.raises(ValueError, match=message):
            sampler(nn.Linear(2, 2), **settings)


def test_a_negative_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature"):
        langevin(nn.Linear(2, 2), 0, steps=1, step_size=0.1, shape=(2,), temperature=-1.0)


def test_a_diverging_chain_is_an_error_not_a_sample() -> None:
    with pytest.raises(ArithmeticError, match="smaller step_size"):
        activation_maximisation(GAUSSIAN, 0, steps=2_000, step_size=10.0, start=half(1, 2), clamp=None)
