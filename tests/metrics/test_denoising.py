"""Denoising alignment, against closed forms for Gaussians and mixtures and against the step it stands for."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from companion.gradients import logit_gradient
from companion.metrics import denoising_alignment
from companion.mixture import gaussian_mixture


class Scaled(nn.Module):
    """Another model's logits, times a number, plus a function of x."""

    def __init__(self, model, scale=1.0, shift=lambda x: 0.0):
        super().__init__()
        self.model, self.scale, self.shift = model, scale, shift

    def forward(self, x):
        return self.scale * self.model(x) + self.shift(x)


def noise(seed=7):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def plane():
    return gaussian_mixture(
        torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), torch.tensor([0.3, 0.5])[:, None].expand(2, 2)
    )


@pytest.fixture
def points(plane):
    return plane.sample(4000, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_a_standard_normals_own_score_leaves_one_part_in_one_plus_sigma_squared(sigma):
    normal = gaussian_mixture(torch.zeros(1, 40))
    x, y = normal.sample(5000, torch.Generator().manual_seed(0))
    found = denoising_alignment(normal.classifier(), x, y, sigmas=[sigma], generator=noise())
    assert found.loss.item() == pytest.approx(1 / (1 + sigma**2), abs=4 * found.loss_standard_error.item())
    assert found.scale.item() == pytest.approx(1 / (1 + sigma**2), rel=0.02)
    assert found.loss_standard_error.item() < 0.01


def test_the_loss_is_what_the_best_step_leaves_of_the_noise(plane, points):
    (x, y), sigma = points, 0.4
    found = denoising_alignment(plane.classifier(), x, y, sigmas=[sigma], generator=noise())
    added = sigma * torch.randn(x.shape, generator=noise(), dtype=x.dtype)
    gradient = logit_gradient(plane.classifier(), x + added, y)

    def left(scale):
        return ((added + sigma**2 * scale * gradient) ** 2).sum().item() / (added**2).sum().item()

    best = found.scale.item()
    assert left(best) == pytest.approx(found.loss.item(), rel=1e-12)
    assert min(left(0.99 * best), left(1.01 * best)) > left(best)


def test_the_smoothed_densitys_score_is_the_best_and_its_loss_is_known(plane, points):
    (x, y), sigma = points, 0.5
    smooth = plane.smoothed(sigma)
    found = denoising_alignment(smooth.classifier(), x, y, sigmas=[sigma], num_draws=4, generator=noise())
    noisy, labels = smooth.sample(20000, torch.Generator().manual_seed(5))
    energy = smooth.score(noisy, labels).square().sum(1).mean().item()
    assert found.loss.item() == pytest.approx(1 - energy * sigma**2 / 2, abs=0.02)
    assert found.scale.item() == pytest.approx(1, abs=0.03)
    for wrong in (plane, gaussian_mixture(torch.zeros(2, 2)), gaussian_mixture(plane.means.flip(0))):
        other = denoising_alignment(wrong.classifier(), x, y, sigmas=[sigma], num_draws=4, generator=noise())
        assert other.loss.item() > found.loss.item()


def test_it_does_not_change_with_the_logits_scale_or_a_constant_and_does_with_a_function_of_x(plane, points):
    x, y = points
    model = plane.classifier()
    plain = denoising_alignment(model, x, y, sigmas=[0.1, 0.5], generator=noise())
    scaled = denoising_alignment(
        Scaled(model, 7.0, lambda _: 3.0), x, y, sigmas=[0.1, 0.5], generator=noise()
    )
    assert torch.allclose(scaled.loss, plain.loss, atol=1e-12)
    assert torch.allclose(scaled.cosine, plain.cosine, atol=1e-12)
    assert torch.allclose(scaled.scale * 7.0, plain.scale)
    moved = Scaled(model, shift=lambda x: x[:, :1] ** 2)
    fooled = denoising_alignment(moved, x, y, sigmas=[0.1, 0.5], generator=noise())
    assert float((fooled.loss - plain.loss).abs().min()) > 0.01


def test_a_gradient_that_points_the_wrong_way_helps_at_no_scale(plane, points):
    x, y = points
    model = plane.classifier()
    forth = denoising_alignment(model, x, y, sigmas=[0.5], generator=noise())
    back = denoising_alignment(Scaled(model, -1.0), x, y, sigmas=[0.5], generator=noise())
    assert back.cosine.item() == pytest.approx(-forth.cosine.item(), rel=1e-9)
    assert (back.loss.item(), back.scale.item(), back.loss_standard_error.item()) == (1.0, 0.0, 0.0)


def test_a_constant_model_leaves_all_the_noise(points):
    model = nn.Linear(2, 3).double()
    nn.init.zeros_(model.weight)
    found = denoising_alignment(model, *points, sigmas=[0.5])
    assert found.loss.item() == pytest.approx(1.0, rel=1e-12)
    assert (found.cosine.item(), found.scale.item()) == (0.0, 0.0)


def test_standard_errors_are_the_spread_over_samples_of_images(plane):
    model = plane.classifier()
    runs = []
    for seed in range(200):
        x, y = plane.sample(200, torch.Generator().manual_seed(seed))
        runs.append(denoising_alignment(model, x, y, sigmas=[0.5], generator=noise(seed)))
    for name in ("loss", "cosine"):
        spread = torch.stack([getattr(run, name) for run in runs]).std().item()
        said = torch.stack([getattr(run, f"{name}_standard_error") for run in runs]).mean().item()
        assert said == pytest.approx(spread, rel=0.2)


def test_per_sample_values_have_the_means(plane, points):
    found = denoising_alignment(
        plane.classifier(), *points, sigmas=[0.2, 0.6], num_draws=2, generator=noise()
    )
    assert torch.allclose(found.per_sample_loss.mean(1), found.loss)
    assert torch.allclose(found.per_sample_cosine.mean(1), found.cosine)
    assert found.per_sample_loss.shape == (2, 4000)
    frame = found.to_frame()
    assert frame["sigma"].tolist() == [0.2, 0.6]
    assert frame[["n", "num_draws"]].values.tolist() == [[4000, 2]] * 2


def test_the_batch_size_changes_nothing(plane, points):
    one = denoising_alignment(plane.classifier(), *points, sigmas=[0.2], generator=noise(), batch_size=7)
    all_ = denoising_alignment(plane.classifier(), *points, sigmas=[0.2], generator=noise(), batch_size=9999)
    assert one.loss.item() == pytest.approx(all_.loss.item(), rel=1e-12)


def test_one_image_has_no_standard_error(plane, points):
    x, y = points
    found = denoising_alignment(plane.classifier(), x[:1], y[:1], sigmas=[0.2])
    assert math.isnan(found.loss_standard_error.item())


def test_the_model_gets_its_modes_back_and_x_is_not_changed():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 3)).train()
    x = torch.rand(5, 1, 2, 2)
    before = x.clone()
    denoising_alignment(model, x, None, sigmas=[0.1])
    assert model[1].training
    assert model[1].num_batches_tracked == 0
    assert torch.equal(x, before)


@pytest.mark.parametrize("sigmas", [[0.0], [0.1, -1.0], [math.nan], [math.inf], []])
def test_noise_that_is_none_is_refused(sigmas, plane, points):
    with pytest.raises(ValueError, match="sigmas"):
        denoising_alignment(plane.classifier(), *points, sigmas=sigmas)


def test_other_bad_input_is_refused(plane, points):
    x, y = points
    with pytest.raises(ValueError, match="num_draws"):
        denoising_alignment(plane.classifier(), x, y, sigmas=[0.1], num_draws=0)
    with pytest.raises(ValueError, match="classes"):
        denoising_alignment(plane.classifier(), x, 5, sigmas=[0.1])
    with pytest.raises(ValueError, match="at least one input"):
        denoising_alignment(plane.classifier(), x[:0], y[:0], sigmas=[0.1])
