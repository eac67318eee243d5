"""The mixture's density, score and samples against autograd, integrals and SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from companion import data
from companion.mixture import ppca_mixture


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def three_classes(dimension: int = 2) -> data.Mixture:
    """Five components of full covariance, unequal weights, over three classes."""
    generator = torch.Generator().manual_seed(5)
    factors = torch.randn(5, dimension, dimension, generator=generator, dtype=torch.float64)
    return data.gaussian_mixture(
        torch.randn(5, dimension, generator=generator, dtype=torch.float64) * 1.5,
        0.3 * torch.eye(dimension, dtype=torch.float64) + 0.2 * factors @ factors.mT,
        labels=torch.tensor([0, 1, 2, 1, 0]),
        weights=torch.tensor([1.0, 2.0, 3.0, 0.5, 1.5]),
    )


def points(count: int, dimension: int = 2) -> torch.Tensor:
    return 2 * torch.randn(count, dimension, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


@pytest.mark.parametrize("y", [None, 0, 1, 2])
def test_mixture_score_is_the_gradient_of_its_log_density(y: int | None) -> None:
    mixture, x = three_classes(4), points(20, 4).requires_grad_(True)
    (gradient,) = torch.autograd.grad(mixture.log_density(x, y).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach(), y), gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("y", [None, 0, 1, 2])
def test_mixture_density_integrates_to_one(y: int | None) -> None:
    axis = torch.linspace(-14, 14, 700, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = three_classes().log_density(grid, y).exp().sum() * (axis[1] - axis[0]) ** 2
    assert float(total) == pytest.approx(1, abs=1e-6)


def test_mixture_density_is_scipys() -> None:
    mixture, x = three_classes(3), points(10, 3)
    own = [multivariate_normal.pdf(x.numpy(), mean=m.numpy(), cov=c.numpy())  # type: ignore[arg-type]
           for m, c in zip(mixture.means, mixture.covariances, strict=True)]  # fmt: skip
    expected = (1 * own[0] + 1.5 * own[4]) / 2.5  # class 0 has the components 0 and 4
    np.testing.assert_allclose(mixture.log_density(x, 0).exp().numpy(), expected, rtol=1e-12)
    marginal = (np.array([1, 2, 3, 0.5, 1.5]) / 8) @ np.array(own)
    np.testing.assert_allclose(mixture.log_density(x).exp().numpy(), marginal, rtol=1e-12)


def test_bayes_rule_holds_and_the_classifiers_softmax_is_the_posterior() -> None:
    mixture, x = three_classes(), points(30)
    joint = torch.stack([mixture.log_density(x, i) + mixture.prior[i].log() for i in range(3)], dim=1)
    posterior = (joint - mixture.log_density(x)[:, None]).exp()
    torch.testing.assert_close(mixture.log_posterior(x).exp(), posterior)
    torch.testing.assert_close(mixture.classifier()(x).softmax(dim=1), posterior)
    torch.testing.assert_close(posterior.sum(dim=1), torch.ones(30, dtype=torch.float64))


def test_mixture_samples_have_the_classes_frequencies_means_and_covariances() -> None:
    mixture = data.gaussian_mixture(
        torch.tensor([[2.0, -1.0], [0.0, 3.0]]),
        torch.tensor([[[2.0, 0.9], [0.9, 1.0]], [[0.5, 0.0], [0.0, 0.1]]]),
        weights=torch.tensor([3.0, 1.0]),
    )
    n = 40_000
    x, y = mixture.sample(n, torch.Generator().manual_seed(0))
    assert abs(float((y == 0).double().mean()) - 0.75) < 5 * math.sqrt(0.75 * 0.25 / n)
    for i in range(2):
        own = x[y == i]
        deviation = mixture.covariances[i].diagonal().sqrt()
        assert bool(((own.mean(dim=0) - mixture.means[i]).abs() < 5 * deviation / math.sqrt(len(own))).all())
        torch.testing.assert_close(own.T.cov(), mixture.covariances[i], rtol=0.06, atol=0.03)


def test_samples_of_a_class_are_of_that_class_and_repeat_with_the_generator() -> None:
    mixture = three_classes()
    y = torch.tensor([2, 0, 1, 1])
    x, drawn = mixture.sample(4, torch.Generator().manual_seed(1), y=y)
    again, _ = mixture.sample(4, torch.Generator().manual_seed(1), y=y)
    assert torch.equal(drawn, y)
    assert torch.equal(x, again)
    before = torch.get_rng_state()
    mixture.sample(4)
    assert torch.equal(torch.get_rng_state(), before)


def test_variances_diagonals_and_matrices_say_the_same() -> None:
    means, x = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), points(5)
    densities = [
        data.gaussian_mixture(means, covariances).log_density(x)
        for covariances in (0.5, torch.full((2, 2), 0.5), 0.5 * torch.eye(2).expand(2, 2, 2))
    ]
    assert torch.equal(densities[0], densities[1])
    assert torch.equal(densities[0], densities[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"means": torch.zeros(3)}, r"means must have shape \(M, D\)"),
        ({"covariances": torch.ones(3)}, "covariances must be a number"),
        ({"covariances": -1.0}, "positive definite"),
        ({"covariances": torch.tensor([[[1.0, 0.5], [0.0, 1.0]]] * 2)}, "symmetric"),
        ({"labels": torch.tensor([0, 2])}, r"every class from 0 up; got \[0, 2\]"),
        ({"labels": torch.tensor([0])}, r"labels must be \(2,\) integers"),
        ({"weights": torch.tensor([1.0, 0.0])}, "weights must be .* positive"),
    ],
)
def test_a_mixture_that_is_none_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data.gaussian_mixture(**(dict[str, Any](means=torch.zeros(2, 2)) | arguments))


def test_points_of_another_dimension_and_unknown_classes_are_refused() -> None:
    mixture = three_classes()
    with pytest.raises(ValueError, match=r"\(N, 2\); got \(4, 3\)"):
        mixture.score(torch.zeros(4, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="classes are 0 to 2"):
        mixture.log_density(points(2), 3)


def test_smoothing_adds_the_noises_variance_and_nothing_else() -> None:
    mixture = three_classes()
    smooth = mixture.smoothed(0.7)
    noise = 0.7**2 * torch.eye(2, dtype=torch.float64)
    assert torch.allclose(smooth.covariances, mixture.covariances + noise)
    assert torch.equal(smooth.means, mixture.means)
    x, y = mixture.sample(200_000, generator())
    noisy = x + 0.7 * torch.randn(x.shape, generator=generator(1), dtype=x.dtype)
    assert torch.allclose(
        noisy[y == 1].mean(0), smooth.sample(200_000, generator(2), y=1)[0].mean(0), atol=0.02
    )
    assert torch.allclose(
        noisy[y == 1].T.cov(), smooth.sample(200_000, generator(3), y=1)[0].T.cov(), atol=0.05
    )


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_smoothing_by_no_noise_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must be a positive, finite number"):
        three_classes().smoothed(sigma)


def test_the_score_in_many_dimensions_is_autograds() -> None:
    means = torch.randn(3, 60, generator=generator())
    spread = torch.randn(3, 60, 60, generator=generator(1))
    mixture = data.gaussian_mixture(means, spread @ spread.mT + torch.eye(60), labels=torch.tensor([0, 1, 1]))
    x, y = mixture.sample(20, generator(2))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_density(leaf, y).sum(), leaf)
    assert torch.allclose(gradient, mixture.score(x, y), atol=1e-8)


def test_ppca_has_the_classes_means_principal_variances_and_one_noise() -> None:
    x = torch.randn(600, 6, generator=generator(), dtype=torch.float64)
    y = torch.arange(600) % 2
    x[y == 0, 0] *= 4
    x[y == 1, 1] *= 3
    x[y == 1] += 5
    mixture = ppca_mixture(x, y, rank=1)
    noise = []
    for label in (0, 1):
        points = x[y == label]
        variances, directions = torch.linalg.eigh(points.T.cov(correction=0))
        fitted, axes = torch.linalg.eigh(mixture.covariances[label])
        assert torch.allclose(mixture.means[label], points.mean(0))
        assert fitted[-1].item() == pytest.approx(variances[-1].item())
        assert abs(float(axes[:, -1] @ directions[:, -1])) == pytest.approx(1)
        noise.append(variances[:-1].mean().item())
        assert torch.allclose(fitted[:-1], fitted[:1])
    assert mixture.covariances[0].diagonal().min().item() == pytest.approx(sum(noise) / 2, rel=0.02)
    assert mixture.prior.tolist() == [0.5, 0.5]


def test_no_other_noise_makes_ppca_likelier() -> None:
    x = torch.randn(400, 5, generator=generator(), dtype=torch.float64) * torch.tensor([3.0, 2, 1, 1, 1])
    y = torch.zeros(400, dtype=torch.int64)
    fitted = ppca_mixture(x, y, rank=2)
    best = fitted.log_density(x, y).sum()
    for factor in (0.9, 1.1):
        eigenvalues, axes = torch.linalg.eigh(fitted.covariances[0])
        eigenvalues[:3] *= factor
        other = data.gaussian_mixture(fitted.means, ((axes * eigenvalues) @ axes.T)[None])
        assert other.log_density(x, y).sum() < best


@pytest.mark.parametrize(
    ("x", "y", "rank", "message"),
    [
        (torch.zeros(4), torch.zeros(4).long(), 1, r"x must be \(N, D\)"),
        (torch.zeros(4, 3), torch.zeros(5).long(), 1, r"x must be \(N, D\)"),
        (torch.rand(4, 3), torch.zeros(4).long(), 3, "rank must be from 1 to 2"),
        (torch.rand(4, 3), torch.zeros(4).long(), 0, "rank"),
        (torch.rand(4, 3), torch.tensor([0, 0, 0, 1]), 1, r"at least 2 points; got \[3, 1\]"),
        (torch.ones(4, 3), torch.zeros(4).long(), 1, "positive definite"),
    ],
)
def test_ppca_refuses_what_it_cannot_fit(x: Tensor, y: Tensor, rank: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ppca_mixture(x, y, rank=rank)
