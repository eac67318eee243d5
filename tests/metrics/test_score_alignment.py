"""Score alignment and the Hyvärinen objective against Gaussians and mixtures in closed form."""

import math

import pytest
import torch
from torch import Tensor, nn

from companion import metrics, trace
from companion.mixture import gaussian_mixture


class Quadratic(nn.Module):
    """Logits -a |x|^2 / 2 for each a of a list: the score is -a x and the Hessian's trace -a D."""

    def __init__(self, *precisions: float) -> None:
        """Set up."""
        super().__init__()
        self.precisions = torch.tensor(precisions, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return -0.5 * x.square().flatten(1).sum(dim=1, keepdim=True) * self.precisions


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_bayes_classifier_has_no_score_error() -> None:
    mixture = gaussian_mixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]]), 0.5)
    x, y = mixture.sample(200, generator())
    result = metrics.score_alignment(mixture.classifier(), x, y, mixture.score(x, y), batch_size=33)
    assert result.squared_error < 1e-20
    assert result.cosine == pytest.approx(1.0)
    assert result.squared_norm == pytest.approx(mixture.score(x, y).square().sum(dim=1).mean().item())


def test_scaled_score_has_the_squared_scale_as_error_and_the_same_direction() -> None:
    x = torch.randn(50, 3, generator=generator(), dtype=torch.float64)
    y = torch.arange(50) % 2
    result = metrics.score_alignment(Quadratic(3.0, -1.0), x, y, -x)  # gradients -3 x and +x
    norm2 = x.square().sum(dim=1)
    expected = torch.where(y == 0, 4 * norm2, 4 * norm2)  # |(-3 + 1) x|^2 and |(1 + 1) x|^2
    torch.testing.assert_close(result.per_sample_squared_error, expected)
    torch.testing.assert_close(result.per_sample_cosine, 1.0 - 2.0 * y.double())
    assert result.squared_error_standard_error == pytest.approx(expected.std().item() / math.sqrt(50))
    spread = (1.0 - 2.0 * y.double()).std().item()
    assert result.cosine_standard_error == pytest.approx(spread / math.sqrt(50))
    assert result.to_frame().loc[0, "n"] == 50


def test_probes_of_the_objective_are_drawn_from_the_generator_and_averaged() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 2)).double()
    x = torch.randn(10, 3, generator=generator(), dtype=torch.float64)

    def measured(seed: int, num_probes: int) -> metrics.HyvarinenObjective:
        options = {"num_probes": num_probes, "generator": generator(seed), "batch_size": 4}
        return metrics.hyvarinen_objective(model, x, 0, estimator="hutchinson", **options)

    assert torch.equal(measured(1, 1).per_sample, measured(1, 1).per_sample)
    assert not torch.equal(measured(1, 1).per_sample, measured(2, 1).per_sample)
    exact = metrics.hyvarinen_objective(model, x, 0, chunk_size=2)
    error_of_one = (measured(1, 1).per_sample - exact.per_sample).square().mean()
    error_of_many = (measured(1, 400).per_sample - exact.per_sample).square().mean()
    assert error_of_many < error_of_one / 20
    halves = exact.per_sample - trace.exact(trace.logit(model, 0), x)
    assert exact.half_squared_norm_standard_error == pytest.approx(halves.std().item() / math.sqrt(10))


def test_a_flat_model_errs_by_the_norm_of_the_score() -> None:
    x = torch.randn(20, 2, generator=generator(), dtype=torch.float64)
    result = metrics.score_alignment(Quadratic(0.0), x, 0, -x)
    assert result.squared_error == pytest.approx(result.squared_norm)
    assert result.cosine == 0.0


@pytest.mark.parametrize("estimator", ["exact", "hutchinson"])
def test_objective_of_a_quadratic_is_known(estimator: str) -> None:
    # The Hessian is diagonal, for which one Rademacher probe is exact.
    x = torch.randn(30, 4, generator=generator(), dtype=torch.float64)
    result = metrics.hyvarinen_objective(Quadratic(2.0, 5.0), x, 0, estimator=estimator, batch_size=7)
    expected = -2.0 * 4 + 0.5 * 4 * x.square().sum(dim=1)
    torch.testing.assert_close(result.per_sample, expected)
    assert result.trace == pytest.approx(-8)
    assert result.trace_standard_error == pytest.approx(0, abs=1e-12)
    assert result.standard_error == pytest.approx(expected.std().item() / math.sqrt(30))
    assert result.value == pytest.approx(result.trace + result.half_squared_norm)


def test_objective_is_eq_1_less_half_the_squared_norm_of_the_true_score() -> None:
    mixture = gaussian_mixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), 1.0)
    x, y = mixture.sample(20_000, generator(1), y=1)
    wrong = gaussian_mixture(torch.tensor([[-1.0, 0.0], [0.6, 0.0]]), 1.5).classifier()
    objective = metrics.hyvarinen_objective(wrong, x, y)
    alignment = metrics.score_alignment(wrong, x, y, mixture.score(x, y))
    difference = objective.per_sample - alignment.per_sample_squared_error / 2
    gap = difference + mixture.score(x, y).square().sum(dim=1) / 2
    assert abs(gap.mean()) < 4 * metrics.standard_error(gap)
    assert metrics.standard_error(gap) < 0.02


def test_objective_is_least_at_the_true_precision() -> None:
    x = torch.randn(20_000, 2, generator=generator(), dtype=torch.float64)
    at = {a: metrics.hyvarinen_objective(Quadratic(a), x, 0) for a in (0.7, 1.0, 1.4)}
    for other in (0.7, 1.4):
        interval = metrics.paired_difference_interval(at[other].per_sample, at[1.0].per_sample)
        assert interval.sign() == 1
        # J(a) - J(1) = D (a - 1)^2 / 2 at the standard normal.
        assert interval.low < (other - 1) ** 2 < interval.high


def test_modes_are_restored_and_parameters_get_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Softplus(), nn.Linear(4, 2))
    x = torch.rand(5, 3)
    metrics.hyvarinen_objective(model, x, None)
    metrics.score_alignment(model, x, None, x)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not x.requires_grad


def test_bad_input_is_refused() -> None:
    x = torch.rand(5, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="'exact', 'hutchinson'"):
        metrics.hyvarinen_objective(Quadratic(1.0), x, 0, estimator="taylor")
    with pytest.raises(ValueError, match="num_probes"):
        metrics.hyvarinen_objective(Quadratic(1.0), x, 0, estimator="hutchinson", num_probes=0)
    with pytest.raises(ValueError, match="shape of x"):
        metrics.score_alignment(Quadratic(1.0), x, 0, x[:, :2])
    with pytest.raises(ValueError, match="at least one"):
        metrics.score_alignment(Quadratic(1.0), x[:0], 0, x[:0])


@pytest.mark.parametrize(("scale", "loss"), [(2.0, 0.0), (0.1, 0.0), (-1.0, 1.0), (0.0, 1.0)])
def test_the_loss_at_the_best_scale_does_not_see_a_positive_scale(scale: float, loss: float) -> None:
    mixture = gaussian_mixture(torch.eye(3))
    x, y = mixture.sample(50, generator())
    found = metrics.score_alignment(mixture.classifier(), x, y, scale * mixture.score(x, y))
    assert found.loss == pytest.approx(loss, abs=1e-12)


def test_the_loss_is_the_smallest_error_over_scales() -> None:
    mixture, other = gaussian_mixture(torch.eye(3)), gaussian_mixture(2 * torch.eye(3).flip(0))
    x, y = mixture.sample(500, generator())
    found = metrics.score_alignment(other.classifier(), x, y, mixture.score(x, y))
    gradient, score = other.score(x, y), mixture.score(x, y)
    errors = [
        ((s * gradient - score) ** 2).sum() / score.square().sum()
        for s in torch.linspace(0, 2, 2001).tolist()
    ]
    assert found.loss == pytest.approx(float(min(errors)), abs=1e-6)
