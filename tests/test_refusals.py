"""An argument outside its range is refused by name: the message begins with what to change."""

import pytest
import torch
from torch import nn

from companion import losses, metrics, trace
from companion.metrics import image_quality

X = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1])
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Softplus(), nn.Linear(3, 2)).eval()
F = trace.logit(MODEL, 0)


def unused(*_args, **_options):
    raise AssertionError("the arguments are looked at first")


def taylor(**wrong):
    return trace.taylor(F, X, **{"sigma": 0.1} | wrong)


def hutchinson(**wrong):
    return trace.hutchinson(F, X, **wrong)


def mask(**wrong):
    return metrics.extremal_mask(unused, X, Y, **wrong)


def perturbed(**wrong):
    return metrics.pixel_perturbation(MODEL, X, Y, X, **{"fractions": [0.0, 1.0]} | wrong)


def density_ratio(**wrong):
    return metrics.density_ratio(MODEL, X, Y, sigmas=[0.1], **wrong)


def denoising(**wrong):
    return metrics.denoising_alignment(MODEL, X, Y, sigmas=[0.1], **wrong)


def of(function, *arguments):
    return lambda **wrong: function(*arguments, **wrong)


WORDS = {
    hutchinson: {"distribution": "uniform"},
    taylor: {"variant": "backward"},
    losses.ScoreMatching: {"variant": "backward", "squared": "cubed", "norm": "max", "batch_norm": "none"},
    losses.AntiScoreMatching: {"variant": "backward", "clamp": "three_sided", "batch_norm": "none"},
    losses.GradientNorm: {"norm": "max", "batch_norm": "none"},
    mask: {"objective": "loss", "replacement": "noise"},
    perturbed: {"order": "none", "replacement": "black", "score": "loss", "relevance": "none"},
    of(metrics.hyvarinen_objective, MODEL, X, Y): {"estimator": "guess"},
}
COUNTS = {
    hutchinson: ["num_probes", "chunk_size"],
    taylor: ["num_probes", "chunk_size"],
    of(trace.exact, F, X): ["chunk_size"],
    losses.ScoreMatching: ["num_probes"],
    losses.AntiScoreMatching: ["num_probes"],
    losses.GradientNorm: ["num_probes"],
    mask: ["steps"],
    of(metrics.score_alignment, MODEL, X, Y, X): ["batch_size"],
    density_ratio: ["num_draws", "batch_size"],
    denoising: ["num_draws", "batch_size"],
    perturbed: ["batch_size"],
    lambda n: metrics.wilson(0, n): ["n"],
}
POSITIVE = {
    taylor: ["sigma"],
    losses.ScoreMatching: ["weight", "mu", "sigma"],
    losses.AntiScoreMatching: ["weight", "sigma"],
    losses.GradientNorm: ["weight", "sigma"],
    mask: ["step_size", "temperature"],
}
SMALL = torch.rand(2, 1, 1, 8)


def each(cases):
    return [(call, name) for call, names in cases.items() for name in names]


@pytest.mark.parametrize(
    ("call", "name", "word"), [(c, n, w) for c, words in WORDS.items() for n, w in words.items()]
)
def test_a_word_that_is_no_option_is_named_with_its_argument(call, name, word):
    with pytest.raises(ValueError, match=f"^{name}='{word}' does not exist"):
        call(**{name: word})


@pytest.mark.parametrize(("call", "name"), each(COUNTS))
@pytest.mark.parametrize("count", [0, -1, 1.5, float("nan")])
def test_a_count_below_one_is_named(call, name, count):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 1; got"):
        call(**{name: count})


@pytest.mark.parametrize(("call", "name"), each(POSITIVE))
@pytest.mark.parametrize("number", [0.0, -1.0, float("nan")])
def test_a_number_that_must_be_positive_is_named(call, name, number):
    with pytest.raises(ValueError, match=f"^{name} must be a positive, finite number; got"):
        call(**{name: number})


@pytest.mark.parametrize(
    ("call", "start"),
    [
        (lambda: mask(grid=1), "grid must be a whole number of at least 2; got 1"),
        (lambda: metrics.wilson(-1, 2), "successes must be a whole number of at least 0"),
        (lambda: metrics.mean_interval([]), "samples must be a non-empty vector"),
        (lambda: metrics.seed_interval([]), "values must be a non-empty vector"),
        (lambda: metrics.paired_difference_interval([], [1.0]), "first must be a non-empty vector"),
        (lambda: metrics.paired_difference_interval([1.0], []), "second must be a non-empty vector"),
        (lambda: metrics.total_variation(SMALL), r"images must be a batch .* at least 2 by 2"),
        (lambda: metrics.high_frequency_share(SMALL), r"images must be a batch .* at least 2 by 2"),
        (lambda: metrics.spatial_smoothness(SMALL), r"maps must be a batch .* at least 2 by 2"),
        (lambda: metrics.edge_correlation(SMALL, X), r"maps must be a batch .* at least 2 by 2"),
        (lambda: metrics.edge_correlation(X, SMALL), r"images must be a batch .* at least 2 by 2"),
        (lambda: metrics.total_variation(torch.tensor(1.0)), r"images must be a batch"),
        (lambda: metrics.pixel_perturbation(MODEL, X, Y, X, fractions=[]), "fractions must be a non-empty"),
        (lambda: metrics.pixel_perturbation(MODEL, X, Y, X, fractions=[2.0]), "every one of fractions must"),
        (lambda: metrics.density_ratio(MODEL, X, Y, sigmas=[-1.0]), "every one of sigmas must"),
        (lambda: metrics.denoising_alignment(MODEL, X, Y, sigmas=[]), "sigmas must be a non-empty"),
        (lambda: image_quality.sobel_magnitude(X[0]), r"images must be a batch .* at least 1 by 1"),
    ],
)
def test_other_ranges_are_named_too(call, start):
    with pytest.raises(ValueError, match=f"^{start}"):
        call()
