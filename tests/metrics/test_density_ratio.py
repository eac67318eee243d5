"""Density ratios against closed forms."""

import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from companion import metrics


class FromFunction(nn.Module):
    """Logits from a function of x."""

    def __init__(self, function) -> None:  # noqa: ANN001
        """Set up."""
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return self.function(x)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian_logits(x: Tensor) -> Tensor:
    """Log-density of N(0, I) without its constant, for each of two classes: shifted means 0 and 1."""
    return torch.stack([-0.5 * x.square().sum(1), -0.5 * (x - 1).square().sum(1)], dim=1)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_mean_ratio_is_1_at_the_true_density(sigma: float) -> None:
    x = torch.randn(40_000, 1, generator=generator(1), dtype=torch.float64)
    result = metrics.density_ratio(
        FromFunction(gaussian_logits), x, 0, sigmas=[sigma], num_draws=2, generator=generator(2)
    )
    error = result.ratio_standard_error.item()
    assert error < 0.05
    assert abs(result.ratio.item() - 1) < 4 * error
    # E[log-ratio] = -D sigma^2 / 2, for D = 1.
    assert abs(result.log_ratio.item() + sigma**2 / 2) < 4 * result.log_ratio_standard_error.item()


def test_linear_logit_has_log_normal_ratios() -> None:
    weight = torch.tensor([[0.6, -0.8, 2.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    model = nn.Linear(3, 2).double()
    model.weight.data.copy_(weight)
    x = torch.rand(20_000, 3, generator=generator(), dtype=torch.float64)
    sigma, norm2 = 0.3, 5.0
    result = metrics.density_ratio(model, x, 0, sigmas=[sigma], generator=generator(3))
    expected = math.exp(sigma**2 * norm2 / 2)
    assert abs(result.ratio.item() - expected) < 4 * result.ratio_standard_error.item()
    assert abs(result.log_ratio.item()) < 4 * result.log_ratio_standard_error.item()
    assert result.log_ratio_standard_error.item() == pytest.approx(
        sigma * math.sqrt(norm2 / 20_000), rel=0.03
    )
    assert result.median_ratio.item() == pytest.approx(1.0, abs=0.03)
    # Log-normal weights: n / E[w^2] E[w]^2 = n exp(-sigma^2 |w|^2).
    assert result.effective_sample_size.item() == pytest.approx(
        20_000 * math.exp(-(sigma**2) * norm2), rel=0.1
    )


def test_ratio_is_exactly_1_without_noise() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    result = metrics.density_ratio(model, torch.rand(10, 4), 1, sigmas=[0.0, 0.1], num_draws=3)
    assert result.ratio[0] == 1
    assert result.log_ratio[0] == 0
    assert result.median_ratio[0] == 1
    assert result.ratio_standard_error[0] == 0
    assert result.effective_sample_size[0].item() == pytest.approx(30)


def test_adding_g_to_the_logits_moves_log_ratios_by_g_of_noisy_minus_g_of_clean() -> None:
    def g(x: Tensor) -> Tensor:
        return 3 * torch.sin(5 * x.sum(dim=1, keepdim=True))

    base = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 4)).double()
    x, y = torch.rand(20, 3, dtype=torch.float64), torch.arange(20) % 4
    run: dict[str, Any] = {"sigmas": [0.2, 1.0]}
    before = metrics.density_ratio(base, x, y, **run, generator=generator(4))
    shifted = FromFunction(lambda z: base(z) + g(z))
    after = metrics.density_ratio(shifted, x, y, **run, generator=generator(4))
    noise = torch.randn(x.shape, generator=generator(4), dtype=torch.float64)
    moved = torch.stack([(g(x + sigma * noise) - g(x))[:, 0] for sigma in run["sigmas"]])
    torch.testing.assert_close(after.per_sample_log_ratio - before.per_sample_log_ratio, moved)


def test_mean_of_huge_ratios_overflows_but_its_logarithm_does_not() -> None:
    steep = FromFunction(lambda x: 1e4 * x.square())  # log-ratios in the thousands
    result = metrics.density_ratio(steep, torch.zeros(50, 1), 0, sigmas=[1.0], generator=generator())
    assert result.ratio.item() == math.inf
    assert result.ratio_standard_error.item() == math.inf
    eta2 = torch.randn(50, 1, generator=generator()).square().double()
    # The largest term carries the mean.
    assert result.log_mean_ratio.item() == pytest.approx(1e4 * eta2.max().item() - math.log(50), rel=1e-5)
    assert result.log_mean_ratio_standard_error.item() == pytest.approx(1.0, rel=1e-6)
    assert result.effective_sample_size.item() == pytest.approx(1.0)
    assert math.isfinite(result.log_ratio.item())


def test_standard_errors_treat_draws_of_one_image_as_dependent() -> None:
    # f depends on the image alone through its slope sign; two images, many draws: the images are the sample.
    model = nn.Linear(1, 1, bias=False).double()
    result = metrics.density_ratio(
        model, torch.rand(2, 1, dtype=torch.float64), 0, sigmas=[0.5], num_draws=50, generator=generator()
    )
    a, b = result.per_sample_log_ratio[0].tolist()
    assert result.log_ratio_standard_error.item() == pytest.approx(abs(a - b) / 2)


def test_batch_size_does_not_change_the_result() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    x = torch.rand(17, 3, dtype=torch.float64)
    frames = [
        metrics.density_ratio(
            model, x, None, sigmas=[0.1, 1], num_draws=2, generator=generator(), batch_size=size
        ).to_frame()
        for size in (1, 5, 100)
    ]
    for frame in frames[1:]:
        assert (frame - frames[0]).abs().to_numpy().max() < 1e-12


def test_input_and_modes_are_restored_also_after_an_error() -> None:
    norm = nn.BatchNorm1d(4).eval()
    model = nn.Sequential(nn.Linear(3, 4), norm, nn.Dropout(0.5), nn.Linear(4, 2))
    x = torch.rand(6, 3)
    before, statistics = x.clone(), norm.state_dict()["running_mean"].clone()
    metrics.density_ratio(model, x, 0, sigmas=[0.1])
    with pytest.raises(ValueError, match="classes are 0 to 1"):
        metrics.density_ratio(model, x, 7, sigmas=[0.1])
    assert torch.equal(x, before)
    assert torch.equal(norm.state_dict()["running_mean"], statistics)
    assert [module.training for module in model] == [True, False, True, True]


@pytest.mark.parametrize("sigmas", [[-0.1], [math.nan], [math.inf], [], [[0.1]]])
def test_bad_noise_levels_are_refused(sigmas: list) -> None:
    with pytest.raises(ValueError, match="sigmas"):
        metrics.density_ratio(nn.Linear(1, 1), torch.rand(2, 1), 0, sigmas=sigmas)


@pytest.mark.parametrize("options", [{"num_draws": 0}, {"batch_size": 0}])
def test_counts_below_1_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        metrics.density_ratio(nn.Linear(1, 1), torch.rand(2, 1), 0, sigmas=[0.1], **options)


def test_empty_batch_integer_images_and_tuples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one input"):
        metrics.density_ratio(nn.Linear(1, 1), torch.rand(0, 1), 0, sigmas=[0.1])
    with pytest.raises(ValueError, match="floating-point"):
        metrics.density_ratio(nn.Linear(1, 1), torch.ones(2, 1, dtype=torch.uint8), 0, sigmas=[0.1])
    with pytest.raises(TypeError, match="tuple"):
        metrics.density_ratio(FromFunction(lambda x: (x, x)), torch.rand(2, 1), 0, sigmas=[0.1])


def test_global_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    metrics.density_ratio(nn.Identity(), torch.zeros(2, 1), 0, sigmas=[0.1])
    assert torch.equal(torch.get_rng_state(), state)


def test_median_of_a_skewed_log_ratio_is_the_median_of_chi_squared() -> None:
    bowl = FromFunction(
        lambda x: x.square()
    )  # from 0 the log-ratio is sigma^2 chi^2 with one degree of freedom
    x = torch.zeros(20_001, 1, dtype=torch.float64)
    result = metrics.density_ratio(bowl, x, 0, sigmas=[0.5], generator=generator())
    assert math.log(result.median_ratio.item()) == pytest.approx(0.25 * stats.chi2.median(1), rel=0.05)
    assert result.log_ratio.item() == pytest.approx(0.25, rel=0.05)


def test_ratio_error_is_that_of_the_images_means_over_draws() -> None:
    # f is the product of the two coordinates; the images are the sample, their draws are averaged.
    product = FromFunction(lambda x: x[:, :1] * x[:, 1:])
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    result = metrics.density_ratio(product, x, 0, sigmas=[0.5], num_draws=40, generator=generator(5))
    source = generator(5)
    noise = torch.stack([torch.randn(2, 2, generator=source, dtype=torch.float64) for _ in range(40)])
    noisy = x + 0.5 * noise
    first, second = (noisy[..., 0] * noisy[..., 1]).exp().mean(dim=0).tolist()
    assert result.ratio.item() == pytest.approx((first + second) / 2)
    assert result.ratio_standard_error.item() == pytest.approx(abs(first - second) / 2)
