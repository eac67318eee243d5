"""Measures of smoothness on images whose values are known by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from companion import metrics
from companion.metrics.image_quality import sobel_magnitude


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def checkerboard(size: int = 8) -> Tensor:
    index = torch.arange(size)
    return ((index[:, None] + index) % 2).double()[None, None]


def wave(frequency: float, size: int = 32) -> Tensor:
    """Return a horizontal cosine with the given frequency in cycles a pixel."""
    return torch.cos(2 * math.pi * frequency * torch.arange(size)).double().expand(1, 1, size, size)


def test_total_variation_is_the_mean_step_between_neighbours() -> None:
    assert metrics.total_variation(checkerboard()).item() == 1.0
    assert metrics.total_variation(torch.full((1, 3, 5, 5), 0.3)).item() == 0.0
    ramp = torch.arange(10.0).expand(1, 1, 10, 10)  # steps of 1 across, 0 down
    assert metrics.total_variation(ramp).item() == 0.5


def test_high_frequency_share_splits_waves_at_the_cutoff() -> None:
    assert metrics.high_frequency_share(wave(1 / 8)).item() == pytest.approx(0.0, abs=1e-12)
    assert metrics.high_frequency_share(wave(3 / 8)).item() == pytest.approx(1.0)
    both = wave(1 / 8) + 2 * wave(3 / 8)  # energies 1 and 4
    assert metrics.high_frequency_share(both).item() == pytest.approx(0.8)
    assert metrics.high_frequency_share(both, cutoff=0.4).item() == pytest.approx(0.0, abs=1e-12)


def test_white_noise_has_the_share_of_the_plane_above_the_cutoff() -> None:
    noise = torch.randn(200, 3, 32, 32, generator=generator())
    # The disc of radius 1/4 covers pi / 16 of the unit square of frequencies.
    assert metrics.high_frequency_share(noise).mean().item() == pytest.approx(1 - math.pi / 16, abs=0.01)


@pytest.mark.parametrize(
    "measure",
    [
        metrics.total_variation,
        metrics.high_frequency_share,
        metrics.spatial_smoothness,
        lambda images: metrics.edge_correlation(images.flip(1), images),
    ],
)
def test_an_image_is_measured_as_if_it_were_alone(measure: Callable[[Tensor], Tensor]) -> None:
    images = torch.rand(3, 2, 9, 9, generator=generator(), dtype=torch.float64)
    images[1] *= 1e-6
    images[2, 0] += 5  # a channel far above the other one
    alone = torch.cat([measure(image[None]) for image in images])
    torch.testing.assert_close(measure(images), alone, rtol=1e-9, atol=0)


def test_a_channel_s_brightness_is_no_variation() -> None:
    images = torch.rand(2, 3, 8, 8, generator=generator(), dtype=torch.float64)
    shifted = images + torch.tensor([0.0, 3.0, -5.0])[:, None, None]
    for measure in (metrics.total_variation, metrics.high_frequency_share, metrics.spatial_smoothness):
        torch.testing.assert_close(measure(shifted), measure(images))
    flat = images.clone()
    flat[:, 1] = 0.1  # has no frequencies, whatever the others have
    without = metrics.high_frequency_share(flat[:, ::2])
    torch.testing.assert_close(metrics.high_frequency_share(flat), without)


def test_every_frequency_but_0_is_above_a_cutoff_of_0() -> None:
    assert metrics.high_frequency_share(wave(1 / 32) + 0.5, cutoff=0).item() == pytest.approx(1.0)


def test_contrast_and_brightness_leave_the_share_alone() -> None:
    images = torch.rand(4, 3, 9, 12, generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(
        metrics.high_frequency_share(images), metrics.high_frequency_share(0.1 * images + 0.7)
    )


def test_constant_images_score_0_everywhere() -> None:
    flat = torch.full((2, 3, 7, 7), 0.1)
    assert metrics.high_frequency_share(flat).tolist() == [0.0, 0.0]
    assert metrics.spatial_smoothness(flat).tolist() == [0.0, 0.0]
    assert metrics.edge_correlation(flat, torch.rand(2, 3, 7, 7)).tolist() == [0.0, 0.0]


def test_smoothness_is_minus_1_for_a_checkerboard_0_for_noise_and_the_cosine_for_a_wave() -> None:
    assert metrics.spatial_smoothness(checkerboard()).item() == pytest.approx(-1.0)
    noise = torch.randn(300, 1, 28, 28, generator=generator())
    values = metrics.spatial_smoothness(noise)
    assert abs(values.mean()) < 4 * metrics.standard_error(values) + 1 / 28**2
    # Across, neighbours of a wave correlate by cos(2 pi frequency); down, they are equal.
    assert metrics.spatial_smoothness(wave(1 / 8, 256)).item() == pytest.approx(
        (1 + math.cos(math.pi / 4)) / 2, abs=0.01
    )


def test_smoothness_is_the_pearson_correlation_of_neighbours() -> None:
    single = torch.randn(1, 1, 6, 5, generator=generator(), dtype=torch.float64)
    m = single[0, 0]
    down = torch.corrcoef(torch.stack([m[:-1].flatten(), m[1:].flatten()]))[0, 1]
    across = torch.corrcoef(torch.stack([m[:, :-1].flatten(), m[:, 1:].flatten()]))[0, 1]
    assert metrics.spatial_smoothness(single).item() == pytest.approx(((down + across) / 2).item())


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_gradient_measures_are_blind_to_scale(scale: float) -> None:
    maps = torch.randn(3, 3, 8, 8, generator=generator(), dtype=torch.float64)
    images = torch.rand(3, 3, 8, 8, generator=generator(1))
    expected = metrics.gradient_map_quality(maps, images).per_sample
    torch.testing.assert_close(metrics.gradient_map_quality(scale * maps, images).per_sample, expected)


def test_sobel_magnitude_of_a_plane_is_its_slope() -> None:
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
    plane = (3 * rows + 4 * columns).expand(1, 2, 7, 7)  # slope 5 in each of two channels
    inner = sobel_magnitude(plane)[:, 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 10.0))


def test_edge_correlation_is_1_on_edges_and_negative_beside_them() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[..., 4:] = 1.0
    edges = sobel_magnitude(image)[:, None]
    assert metrics.edge_correlation(-2 * edges, image).item() == pytest.approx(1.0)
    assert metrics.edge_correlation(1 - 2 * edges.clamp(max=0.5), image).item() == pytest.approx(-1.0)


def test_results_carry_means_errors_and_a_frame() -> None:
    samples = torch.rand(16, 1, 8, 8, generator=generator())
    result = metrics.sample_quality(samples)
    assert result.names == ("total_variation", "high_frequency_share")
    assert result.value[0] == metrics.total_variation(samples).mean()
    assert result.standard_error[1].item() == pytest.approx(
        metrics.high_frequency_share(samples).std().item() / 4
    )
    assert result.to_frame()["measure"].tolist() == list(result.names)


def test_the_cutoff_of_samples_is_the_share_s_and_two_by_two_pixels_are_enough() -> None:
    samples = torch.rand(4, 1, 8, 8, generator=generator())
    share = metrics.sample_quality(samples, cutoff=0.4).per_sample[1]
    assert torch.equal(share, metrics.high_frequency_share(samples, cutoff=0.4))
    assert not torch.equal(share, metrics.high_frequency_share(samples))
    assert metrics.high_frequency_share(torch.eye(2)[None, None]).item() == 1.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="2 by 2"):
        metrics.total_variation(torch.rand(2, 1, 1, 5))
    with pytest.raises(ValueError, match=r"\(B, C, H, W\)"):
        metrics.spatial_smoothness(torch.rand(8, 8))
    with pytest.raises(ValueError, match="cutoff"):
        metrics.high_frequency_share(torch.rand(1, 1, 8, 8), cutoff=0.5)
    with pytest.raises(ValueError, match="agree"):
        metrics.edge_correlation(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 9))
