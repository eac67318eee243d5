"""The Taylor estimator: appendix B's variance, its bias, its variants, and where its digits are lost."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion import trace

VARIANTS = ["forward", "control", "central"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_forward_is_equation_8_with_gaussian_noise_of_standard_deviation_sigma():
    # f(x) = <x, 1>: a sample is 2 / sigma^2 <v, 1>, a Gaussian of standard deviation 2 sqrt(D) / sigma.
    x = torch.zeros(20_000, 4, dtype=torch.float64)
    samples = trace.taylor(lambda x: x.sum(dim=1), x, sigma=0.1, generator=generator())
    assert samples.shape == (1, 20_000)
    torch.testing.assert_close(samples.std(), torch.tensor(40.0, dtype=torch.float64), rtol=0.02, atol=0)
    assert samples.mean().abs() < 4 * 40 / 20_000**0.5


@pytest.mark.parametrize("variant", VARIANTS)
def test_mean_is_within_its_standard_error_of_the_exact_trace(network, images, hessian_trace, variant):
    target = torch.tensor([0, 2])
    f = trace.logit(network, target)
    with torch.no_grad():
        samples = trace.taylor(
            f, images, sigma=1e-3, num_probes=3000, variant=variant, generator=generator(), chunk_size=500
        )
    summary = trace.summarise(samples)
    assert ((summary.mean - hessian_trace(network, images, target)).abs() / summary.standard_error).max() < 4


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_forward_excess_variance_is_4_grad_norm_over_n_sigma_squared(quadratic, sigma):
    (f, x), probes, rows = quadratic(1, 1, 5), 3, 30_000
    samples = trace.taylor(
        f.repeated(rows), x.expand(rows, -1), sigma=sigma, num_probes=probes, generator=generator()
    )
    hutchinson = 2 / probes * f.a.square().sum()
    excess = 4 * f.gradient(x).square().sum() / (probes * sigma**2)
    # 4 standard errors: 4 sqrt(2 / 30,000) for a Gaussian, doubled for the tails of a quadratic form.
    torch.testing.assert_close(samples.mean(dim=0).var(), hutchinson + excess, rtol=0.065, atol=0)
    assert excess > 0.2 * hutchinson


@pytest.mark.parametrize("variant", ["control", "central"])
def test_control_and_central_have_gaussian_hutchinson_variance_on_a_quadratic(quadratic, variant):
    (f, x), rows = quadratic(2, 1, 5), 40_000
    samples = trace.taylor(
        f.repeated(rows), x.expand(rows, -1), sigma=0.01, variant=variant, generator=generator()
    )
    torch.testing.assert_close(samples.var(), 2 * f.a.square().sum(), rtol=0.08, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bias_on_a_quartic_is_a_quarter_sigma_squared_times_the_bilaplacian(variant):
    # f = sum x_d^4: trace 12 |x|^2, bi-Laplacian 24 D. At x = 0 the estimate's mean is the bias alone.
    sigma, rows, dimensions = 0.2, 60_000, 2
    x = torch.zeros(rows, dimensions, dtype=torch.float64)
    samples = trace.taylor(
        lambda x: x.pow(4).sum(dim=1), x, sigma=sigma, variant=variant, generator=generator()
    )
    predicted = sigma**2 / 4 * 24 * dimensions
    standard_error = samples.std() / rows**0.5
    assert standard_error < 0.03 * predicted
    assert (samples.mean() - predicted).abs() < 4 * standard_error


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.floats(0.1, 100))
@pytest.mark.parametrize("variant", ["control", "central"])
def test_adding_a_linear_function_does_not_change_control_and_central(variant, seed, size):
    x, slope = torch.randn(2, 3, 4, generator=generator(seed), dtype=torch.float64)

    def f(x):
        return x.sin().prod(dim=1)

    plain, tilted = (
        trace.taylor(h, x, sigma=0.1, num_probes=2, variant=variant, generator=generator(seed))
        for h in (f, lambda x: f(x) + size * (slope * x).sum(dim=1))
    )
    torch.testing.assert_close(plain, tilted, rtol=1e-6, atol=1e-8)


def test_adding_a_linear_function_does_change_forward():
    x = torch.rand(2, 3, dtype=torch.float64)
    plain, tilted = (
        trace.taylor(h, x, sigma=0.1, generator=generator())
        for h in (lambda x: x.square().sum(dim=1), lambda x: x.square().sum(dim=1) + x.sum(dim=1))
    )
    assert ((plain - tilted).abs() > 1e-3).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), scale=st.floats(-5, 5))
@pytest.mark.parametrize("variant", VARIANTS)
def test_with_the_same_noise_the_estimate_is_linear_in_f(variant, seed, scale):
    x = torch.randn(2, 4, generator=generator(seed), dtype=torch.float64)

    def f(x):
        return x.sin().prod(dim=1)

    def g(x):
        return x.square().sum(dim=1).cos()

    combined, first, second = (
        trace.taylor(h, x, sigma=0.1, num_probes=2, variant=variant, generator=generator(seed))
        for h in (lambda x: f(x) + scale * g(x), f, g)
    )
    torch.testing.assert_close(combined, first + scale * second, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("chunk_size", [2, 3, 100])
def test_chunk_size_changes_nothing_but_memory(network, images, variant, chunk_size):
    f = trace.logit(network, torch.tensor([0, 1]))
    whole, chunked = (
        trace.taylor(
            f, images, sigma=0.05, num_probes=5, variant=variant, generator=generator(), chunk_size=size
        )
        for size in (None, chunk_size)
    )
    torch.testing.assert_close(chunked, whole, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("variant", ["control", "central"])
def test_parameter_gradient_of_a_scaled_quadratic_is_its_unscaled_estimate(quadratic, variant):
    f, x = quadratic(3, 2, 4)
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    trace.taylor(lambda x: c * f(x), x, sigma=0.1, variant=variant, generator=generator()).sum().backward()
    unscaled = trace.taylor(f, x, sigma=0.1, variant=variant, generator=generator())
    torch.testing.assert_close(c.grad, unscaled.sum(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_graph_is_kept_under_no_grad_and_x_is_left_alone(network, images, variant):
    f, before = trace.logit(network, 0), images.clone()
    assert trace.taylor(f, images, sigma=0.01, variant=variant).requires_grad
    with torch.no_grad():
        assert not trace.taylor(f, images, sigma=0.01, variant=variant).requires_grad
    assert torch.equal(images, before)
    assert not images.requires_grad


@pytest.mark.parametrize("sigma", [0.0, -0.01, float("nan"), float("inf")])
def test_sigma_must_be_positive_and_finite(sigma):
    with pytest.raises(ValueError, match="sigma must be a positive, finite number"):
        trace.taylor(lambda x: x.sum(dim=1), torch.rand(2, 3), sigma=sigma)


def test_fewer_than_one_probe_is_refused():
    with pytest.raises(ValueError, match="num_probes must be a whole number of at least 1; got 0"):
        trace.taylor(lambda x: x.sum(dim=1), torch.rand(2, 3), sigma=0.01, num_probes=0)


def test_an_unknown_variant_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'forward', 'control', 'central'"):
        trace.taylor(lambda x: x.sum(dim=1), torch.rand(2, 3), sigma=0.01, variant="backward")


def test_autocast_is_refused_unless_asked_for():
    def f(x):
        return x.square().sum(dim=1)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(ValueError, match=r"autocast\('cpu', enabled=False\)"):
            trace.taylor(f, torch.rand(2, 3), sigma=0.01)
        assert trace.taylor(f, torch.rand(2, 3), sigma=0.01, allow_low_precision=True).shape == (1, 2)


def test_half_precision_inputs_are_refused():
    with pytest.raises(ValueError, match="loses its digits in torch.bfloat16"):
        trace.taylor(lambda x: x.sum(dim=1), torch.rand(2, 3).bfloat16(), sigma=0.01)
