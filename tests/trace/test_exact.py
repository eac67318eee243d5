"""The exact trace against full Hessians and closed forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from companion import trace
from companion.trace.piecewise_linear import PiecewiseLinearWarning


@pytest.mark.parametrize("chunk_size", [None, 1, 5, 16, 1000])
def test_exact_equals_the_trace_of_the_full_hessian(network, images, hessian_trace, chunk_size):
    target = torch.tensor([2, 0])
    result = trace.exact(trace.logit(network, target), images, chunk_size=chunk_size)
    torch.testing.assert_close(result, hessian_trace(network, images, target), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_exact_of_a_quadratic_is_the_trace_of_its_matrix(quadratic, seed):
    f, x = quadratic(seed, 3, 6)
    torch.testing.assert_close(trace.exact(f, x), f.trace, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), scale=st.floats(-5, 5), dimensions=st.integers(1, 5))
def test_exact_is_linear_in_f(seed, scale, dimensions):
    weights = torch.randn(2, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = weights.roll(1, 0) / 3

    def f(x):
        return (weights * x).sin().sum(dim=1) + x.prod(dim=1)

    def g(x):
        return x.pow(4).sum(dim=1) + x.square().sum(dim=1).exp()

    combined = trace.exact(lambda x: f(x) + scale * g(x), x)
    torch.testing.assert_close(combined, trace.exact(f, x) + scale * trace.exact(g, x), rtol=1e-9, atol=1e-9)


def test_gradient_of_exact_with_respect_to_a_parameter_is_the_closed_form():
    # f = sum_d c x_d^4 has the trace 12 c |x|^2, whose derivative in c is 12 |x|^2.
    c = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    x = torch.rand(3, 4, dtype=torch.float64)
    trace.exact(lambda x: c * x.pow(4).sum(dim=1), x).sum().backward()
    torch.testing.assert_close(c.grad, 12 * x.square().sum())


def test_exact_keeps_no_graph_under_no_grad(network, images):
    f = trace.logit(network, 1)
    assert trace.exact(f, images).requires_grad
    with torch.no_grad():
        assert not trace.exact(f, images).requires_grad


def test_exact_calls_f_only_with_batches_shaped_like_x():
    shapes = []

    def f(x):
        shapes.append(tuple(x.shape))
        return x.square().flatten(1).sum(dim=1)

    trace.exact(f, torch.rand(3, 2, 2), chunk_size=3)
    assert set(shapes) == {(3, 2, 2)}


def test_exact_leaves_its_input_and_the_global_random_state_alone(network, images):
    before, state = images.clone(), torch.get_rng_state()
    trace.exact(trace.logit(network, 0), images)
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_zero_hessian_of_a_functional_relu_is_noticed():
    weight = torch.rand(4, 6)
    with pytest.warns(PiecewiseLinearWarning, match="to_softplus"):
        result = trace.exact(lambda x: torch.relu(x @ weight).sum(dim=1), torch.rand(2, 4))
    assert torch.equal(result, torch.zeros(2))


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x.sum()])
def test_a_function_without_one_value_a_row_is_refused(f):
    with pytest.raises(ValueError, match=r"trace\.logit"):
        trace.exact(f, torch.rand(2, 3))


def test_chunk_size_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk_size must be a whole number of at least 1; got 0"):
        trace.exact(lambda x: x.square().sum(dim=1), torch.rand(2, 3), chunk_size=0)


def test_max_pooling_and_avg_pooling_networks_are_supported(hessian_trace):
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.MaxPool2d(2),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(2, 2),
    ).double()
    x, target = torch.rand(2, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1])
    result = trace.exact(trace.logit(model, target), x)
    torch.testing.assert_close(result, hessian_trace(model, x, target), rtol=1e-10, atol=1e-12)
