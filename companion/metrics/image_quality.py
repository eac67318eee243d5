"""How smooth a sample is and how well a gradient map follows its image: figures 2 and 4 in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from companion._support import flat_sum
from companion.metrics.intervals import standard_error


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageQuality:
    """Named measures of B images; float64, on the CPU.

    Attributes:
        names: the M measures.
        value: (M,) means over images.
        standard_error: (M,) of the means; nan for one image.
        per_sample: (M, B) image by image, for paired comparisons of models.
    """

    names: tuple[str, ...]
    value: Tensor
    standard_error: Tensor
    per_sample: Tensor

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure: measure, value, standard_error, n."""
        return pd.DataFrame(
            {
                "measure": self.names,
                "value": self.value.numpy(),
                "standard_error": self.standard_error.numpy(),
                "n": self.per_sample.shape[1],
            }
        )


def sample_quality(samples: Tensor, *, cutoff: float = 0.25) -> ImageQuality:
    """Measure the noisiness of samples: `total_variation` and `high_frequency_share`; less is smoother.

    Args:
        samples: (B, C, H, W) in [0, 1].
        cutoff: see `high_frequency_share`.

    Returns:
        An `ImageQuality` with these two measures.

    Raises:
        ValueError: not a batch of images, too small, or a cutoff outside its range.

    Example:
        >>> sample_quality(torch.full((2, 3, 8, 8), 0.5)).value.tolist()
        [0.0, 0.0]
    """
    return _collect(
        total_variation=total_variation(samples),
        high_frequency_share=high_frequency_share(samples, cutoff=cutoff),
    )


def gradient_map_quality(maps: Tensor, images: Tensor) -> ImageQuality:
    """Measure the perceptual alignment of gradient maps: `spatial_smoothness` and `edge_correlation`.

    Both are blind to a map's scale, so models with large and small gradients compare; more is better aligned.

    Args:
        maps: (B, C, H, W) signed gradients.
        images: (B, C', H, W), the images that they belong to.

    Returns:
        An `ImageQuality` with these two measures.

    Raises:
        ValueError: not two batches of images of one size, or too small.

    Example:
        >>> maps, images = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
        >>> gradient_map_quality(maps, images).names
        ('spatial_smoothness', 'edge_correlation')
    """
    return _collect(
        spatial_smoothness=spatial_smoothness(maps), edge_correlation=edge_correlation(maps, images)
    )


def total_variation(images: Tensor) -> Tensor:
    r"""Mean absolute difference between neighbours, the anisotropic total variation per pair.

    .. math:: \tfrac12 \, \overline{|x_{c,h+1,w} - x_{c,h,w}|}
              + \tfrac12 \, \overline{|x_{c,h,w+1} - x_{c,h,w}|}

    It measures contrast as well as noise; `high_frequency_share` is blind to contrast.

    Args:
        images: (B, C, H, W), H and W at least 2.

    Returns:
        (B,) float64, at least 0; at most 1 for images in [0, 1].

    Raises:
        ValueError: not a batch of images of at least 2 by 2 pixels.

    Example:
        >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).item()
        0.5
    """
    x = _images("images", images, minimum=2)
    vertical = x.diff(dim=2).abs().mean(dim=(1, 2, 3))
    horizontal = x.diff(dim=3).abs().mean(dim=(1, 2, 3))
    return (vertical + horizontal) / 2


def high_frequency_share(images: Tensor, *, cutoff: float = 0.25) -> Tensor:
    r"""Share of an image's variance at spatial frequencies above a cutoff.

    .. math:: \sum_{|\omega| > \mathrm{cutoff}} |\hat x(\omega)|^2 / \sum_{\omega \ne 0} |\hat x(\omega)|^2

    with the discrete Fourier transform of each channel and radial frequencies in cycles a pixel. Natural
    images have little there, white noise the share of the frequency plane that is above the cutoff. The
    transform sees an image as periodic: opposite edges that differ add a little to both sums.

    Args:
        images: (B, C, H, W), H and W at least 2.
        cutoff: from 0 to below 0.5, the highest frequency along an axis.

    Returns:
        (B,) float64 in [0, 1]; 0 for a constant image.

    Raises:
        ValueError: not a batch of images of at least 2 by 2 pixels, or a cutoff outside [0, 0.5).

    Example:
        >>> checkerboard = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(4, 4)[None, None]
        >>> high_frequency_share(checkerboard).item()
        1.0
    """
    if not 0 <= cutoff < 0.5:
        raise ValueError(f"cutoff must be at least 0 and below 0.5 cycles a pixel; got {cutoff}")
    x = _images("images", images, minimum=2)
    height, width = x.shape[2:]
    # Exactly 0 for a constant channel, where subtracting a mean would leave rounding to be taken for noise.
    differs = x.amax(dim=(2, 3), keepdim=True) > x.amin(dim=(2, 3), keepdim=True)
    centred = (x - x.mean(dim=(2, 3), keepdim=True)) * differs
    energy = torch.fft.fft2(centred).abs().square()
    rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    columns = torch.fft.fftfreq(width, dtype=torch.float64)[None, :]
    above = (rows.square() + columns.square()).sqrt() > cutoff
    total = flat_sum(energy)
    return flat_sum(energy * above) / total.masked_fill(total == 0, 1.0)


def spatial_smoothness(maps: Tensor) -> Tensor:
    r"""Correlation of neighbouring values: the autocorrelation at a distance of one pixel.

    .. math:: \tfrac12 \big( r(m_{c,h,w}, m_{c,h+1,w}) + r(m_{c,h,w}, m_{c,h,w+1}) \big)

    with r Pearson's correlation over all such pairs, all channels together, each channel centred by its mean.

    Args:
        maps: (B, C, H, W), H and W at least 2.

    Returns:
        (B,) float64 in [-1, 1]: near 1 for a smooth map, 0 expected for white noise, -1 for a checkerboard;
        0 for a constant map.

    Raises:
        ValueError: not a batch of maps of at least 2 by 2 pixels.

    Example:
        >>> checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
        >>> round(spatial_smoothness(checkerboard).item(), 6)
        -1.0
    """
    m = _images("maps", maps, minimum=2)
    m = m - m.mean(dim=(2, 3), keepdim=True)
    vertical = _correlation(m[:, :, :-1].flatten(1), m[:, :, 1:].flatten(1))
    horizontal = _correlation(m[:, :, :, :-1].flatten(1), m[:, :, :, 1:].flatten(1))
    return (vertical + horizontal) / 2


def edge_correlation(maps: Tensor, images: Tensor) -> Tensor:
    """Correlation of a map's magnitude with the edges of its image.

    The magnitude of a pixel is the sum over channels of the absolute value; its edge strength is the length
    of the Sobel gradient, summed over channels (borders replicated). Pearson's correlation over pixels.

    Args:
        maps: (B, C, H, W).
        images: (B, C', H, W), H and W at least 2.

    Returns:
        (B,) float64 in [-1, 1]; 0 where map or edges are constant.

    Raises:
        ValueError: not two batches of images of one size, at least 2 by 2 pixels.

    Example:
        >>> image = torch.zeros(1, 1, 8, 8)
        >>> image[..., 4:] = 1.0
        >>> edge_correlation(sobel_magnitude(image)[:, None], image).item() > 0.999
        True
    """
    m, x = _images("maps", maps, minimum=2), _images("images", images, minimum=2)
    if (len(m), *m.shape[2:]) != (len(x), *x.shape[2:]):
        raise ValueError(
            f"maps and images must agree in number and size; got {tuple(m.shape)} and {tuple(x.shape)}"
        )
    return _correlation(m.abs().sum(dim=1).flatten(1), sobel_magnitude(x).flatten(1))


def sobel_magnitude(images: Tensor) -> Tensor:
    """Length of the Sobel gradient, summed over channels: the strength of edges.

    Args:
        images: (B, C, H, W).

    Returns:
        (B, H, W) float64; 1 a pixel for a ramp that rises by 1 a pixel.

    Raises:
        ValueError: not a batch of images.

    Example:
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> sobel_magnitude(ramp)[0, 2, 2].item()
        1.0
    """
    x = _images("images", images, minimum=1)
    across = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    kernels = torch.stack([across, across.T])[:, None]
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    derivatives = functional.conv2d(padded.flatten(0, 1)[:, None], kernels)
    return derivatives.norm(dim=1).unflatten(0, x.shape[:2]).sum(dim=1)


def _images(name: str, images: Tensor, *, minimum: int) -> Tensor:
    if images.ndim != 4 or min(images.shape, default=0) < 1 or min(images.shape[2:]) < minimum:
        raise ValueError(
            f"{name} must be a batch (B, C, H, W) of at least {minimum} by {minimum} pixels; "
            f"got shape {tuple(images.shape)}"
        )
    return images.detach().cpu().double()


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation row by row, (B, N) and (B, N) to (B,); 0 where a row is constant."""
    a, b = _centred_unit(a), _centred_unit(b)
    return flat_sum(a * b)


def _centred_unit(rows: Tensor) -> Tensor:
    """Centre each row and scale it to length 1; a constant row becomes 0."""
    # Scaled to 1 first, so that rounding is told from variation whatever the gradient's size.
    scale = rows.abs().amax(dim=1, keepdim=True)
    rows = rows / scale.masked_fill(scale == 0, 1.0)
    rows = rows - rows.mean(dim=1, keepdim=True)
    length = rows.norm(dim=1, keepdim=True)
    return torch.where(length < 1e-12, 0.0, rows / length.clamp_min(1e-12))


def _collect(**measures: Tensor) -> ImageQuality:
    per_sample = torch.stack(list(measures.values()))
    return ImageQuality(
        names=tuple(measures),
        value=per_sample.mean(dim=1),
        standard_error=standard_error(per_sample),
        per_sample=per_sample,
    )
