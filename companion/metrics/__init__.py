"""Measurements, one a file: density ratios, denoising, GAN-test, pixel perturbation, score alignment, ..."""

from companion.metrics.curve import Curve
from companion.metrics.denoising import DenoisingAlignment, denoising_alignment
from companion.metrics.density_ratio import DensityRatios, density_ratio
from companion.metrics.extremal_mask import ExtremalMask, extremal_mask
from companion.metrics.gan_test import GanTest, gan_test
from companion.metrics.image_quality import (
    ImageQuality,
    edge_correlation,
    gradient_map_quality,
    high_frequency_share,
    sample_quality,
    spatial_smoothness,
    total_variation,
)
from companion.metrics.intervals import (
    Interval,
    independent_difference_interval,
    mean_interval,
    median_interval,
    paired_difference_interval,
    seed_interval,
    standard_error,
    wilson,
)
from companion.metrics.pixel_perturbation import pixel_perturbation
from companion.metrics.score_alignment import (
    HyvarinenObjective,
    ScoreAlignment,
    hyvarinen_objective,
    score_alignment,
)

__all__ = [
    "Curve",
    "DenoisingAlignment",
    "DensityRatios",
    "ExtremalMask",
    "GanTest",
    "HyvarinenObjective",
    "ImageQuality",
    "Interval",
    "ScoreAlignment",
    "denoising_alignment",
    "density_ratio",
    "edge_correlation",
    "extremal_mask",
    "gan_test",
    "gradient_map_quality",
    "high_frequency_share",
    "hyvarinen_objective",
    "independent_difference_interval",
    "mean_interval",
    "median_interval",
    "paired_difference_interval",
    "pixel_perturbation",
    "sample_quality",
    "score_alignment",
    "seed_interval",
    "spatial_smoothness",
    "standard_error",
    "total_variation",
    "wilson",
]
