"""The penalties: eq. 4 by hand, parameter gradients, batch-norm treatments, bad input."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor, nn

from companion import trace
from companion.losses import AntiScoreMatching, GradientNorm, ScoreMatching
from companion.trace.piecewise_linear import PiecewiseLinearWarning

BATCH_NORMS = ["joint", "of_x", "separate"]
LOSSES = [ScoreMatching(), AntiScoreMatching(), GradientNorm(), GradientNorm(norm="pair")]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class LinearQuadratic(nn.Module):
    """Logits <w_i, x> + c_i |x|^2 / 2: gradient w_i + c_i x, Hessian c_i times the identity."""

    def __init__(self, w, c):
        super().__init__()
        self.w, self.c = nn.Parameter(w), nn.Parameter(c)

    def forward(self, x):
        return x @ self.w.T + 0.5 * x.square().sum(dim=1, keepdim=True) * self.c


@pytest.fixture
def linear_quadratic():
    w = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
    model = LinearQuadratic(w, torch.tensor([2.0, -1.0], dtype=torch.float64))
    x = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.0, 0.9], [0.5, 0.5, 0.5]], dtype=torch.float64)
    return model, x, torch.tensor([1, 0, 1])


@pytest.fixture
def network():
    """Convolution, batch norm, softplus twice; float64; in training mode."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1, bias=False),
            nn.BatchNorm2d(3),
            nn.Softplus(10),
            nn.Conv2d(3, 4, 3, stride=2, bias=False),
            nn.BatchNorm2d(4),
            nn.Softplus(10),
            nn.Flatten(),
            nn.Linear(16, 3),
        ).double()


@pytest.fixture
def batch():
    x = torch.rand(6, 1, 5, 5, generator=generator(1), dtype=torch.float64)
    return x, torch.tensor([0, 1, 2, 2, 1, 0])


def noise_of(x: Tensor, seed: int, sigma: float, probes: int = 1) -> Tensor:
    return sigma * torch.randn((probes, *x.shape), generator=generator(seed), dtype=x.dtype)


# --- eq. 4 and its relatives, by hand ---


@pytest.mark.parametrize("variant", ["forward", "control", "central"])
@pytest.mark.parametrize("mu", [1e-4, 0.1])
def test_score_matching_is_equation_4_recomputed_by_hand(linear_quadratic, variant, mu):
    model, x, y = linear_quadratic
    sigma, weight = 0.1, 0.02
    loss = ScoreMatching(weight=weight, mu=mu, sigma=sigma, num_probes=2, variant=variant)
    terms = loss.terms(model, x, y, generator=generator(7))
    v = noise_of(x, 7, sigma, 2)
    c, gradient = model.c[y], model.w[y] + model.c[y][:, None] * x
    linear, quadratic = (gradient * v).sum(dim=2), 0.5 * c * v.square().sum(dim=2)
    h = (2 / sigma**2 * (quadratic + (linear if variant == "forward" else 0))).mean(dim=0)
    squared_norm = gradient.square().sum(dim=1)
    torch.testing.assert_close(terms.trace, h, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(terms.squared_gradient_norm, squared_norm)
    torch.testing.assert_close(terms.stability, 1e-4 / mu * h**2, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(terms.penalty, weight * (h + squared_norm / 2 + 1e-4 / mu * h**2))
    torch.testing.assert_close(terms.logits, model(x))


def test_unbiased_square_multiplies_the_two_probes(linear_quadratic):
    model, x, y = linear_quadratic
    settings = {"mu": 0.1, "sigma": 0.1, "num_probes": 2, "variant": "central"}
    terms = ScoreMatching(squared="unbiased", **settings).terms(model, x, y, generator=generator(7))
    samples = model.c[y] * noise_of(x, 7, 0.1, 2).square().sum(dim=2) / 0.01
    torch.testing.assert_close(terms.stability, 1e-3 * samples[0] * samples[1], rtol=1e-9, atol=1e-12)


def test_infinite_mu_drops_the_stability_term(linear_quadratic):
    model, x, y = linear_quadratic
    terms = ScoreMatching(mu=math.inf, weight=1.0).terms(model, x, y)
    assert torch.equal(terms.stability, torch.zeros_like(terms.stability))
    torch.testing.assert_close(terms.penalty, terms.trace + 0.5 * terms.squared_gradient_norm)


def test_gradient_norm_is_half_the_weight_times_the_squared_norm(linear_quadratic):
    model, x, y = linear_quadratic
    expected = 0.35 * (model.w[y] + model.c[y][:, None] * x).square().sum(dim=1)
    torch.testing.assert_close(GradientNorm(weight=0.7)(model, x, y), expected)


def test_the_pairs_squared_norm_is_unbiased_on_a_quadratic(linear_quadratic):
    # f(x+v) - f(x-v) = 2 <gradient, v> exactly, so each sample is |gradient|^2 times a chi-squared variable.
    model, x, y = linear_quadratic
    probes = 20_000
    terms = GradientNorm(norm="pair", num_probes=probes).terms(model, x, y, generator=generator())
    exact = (model.w[y] + model.c[y][:, None] * x).square().sum(dim=1)
    standard_error = exact * (2 / probes) ** 0.5
    assert ((terms.squared_gradient_norm - exact).abs() < 4 * standard_error).all()


@pytest.mark.parametrize("variant", ["forward", "central"])
def test_pair_norm_leaves_the_trace_estimate_as_it_is(linear_quadratic, variant):
    model, x, y = linear_quadratic
    exact, pair = (
        ScoreMatching(norm=norm, variant=variant).terms(model, x, y, generator=generator(3))
        for norm in ("exact", "pair")
    )
    torch.testing.assert_close(exact.trace, pair.trace)
    v = noise_of(x, 3, 0.01)[0]
    slope = ((model.w[y] + model.c[y][:, None] * x) * v).sum(dim=1)
    torch.testing.assert_close(pair.squared_gradient_norm, slope**2 / 1e-4, rtol=1e-6, atol=1e-9)


@hypothesis_settings(deadline=None, max_examples=40)
@given(tau=st.floats(-50, 50), weight=st.floats(1e-4, 10))
def test_anti_score_matching_clamps_h_from_above(tau, weight):
    # Central estimates of c |x|^2 / 2 are c |v|^2 / sigma^2, whatever x is.
    model = LinearQuadratic(torch.zeros(2, 3).double(), torch.tensor([4.0, -4.0]).double())
    x, y = torch.rand(4, 3, dtype=torch.float64), torch.tensor([0, 1, 0, 1])
    loss = AntiScoreMatching(weight=weight, tau=tau, sigma=0.1, variant="central")
    h = model.c[y] * noise_of(x, 5, 0.1)[0].square().sum(dim=1) / 0.01
    expected = torch.tensor([-weight * min(value, tau) for value in h.tolist()], dtype=torch.float64)
    torch.testing.assert_close(
        loss(model, x, y, generator=generator(5)).detach(), expected, rtol=1e-8, atol=1e-9
    )


# --- in evaluation mode the losses are the trace estimators ---


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
@pytest.mark.parametrize("variant", ["forward", "control", "central"])
def test_in_evaluation_mode_h_is_the_taylor_estimate_for_every_batch_norm_treatment(
    network, batch, batch_norm, variant
):
    x, y = batch
    network(x)
    network.eval()
    loss = AntiScoreMatching(batch_norm=batch_norm, variant=variant, num_probes=1, sigma=0.02)
    expected = trace.taylor(trace.logit(network, y), x, sigma=0.02, variant=variant, generator=generator(4))[
        0
    ]
    h = loss.terms(network, x, y, generator=generator(4)).trace
    torch.testing.assert_close(h, expected, rtol=1e-8, atol=1e-8)


# --- batch norm in training mode ---


def penalty_by_hand(network, x, y, batch_norm, seed, sigma):
    """One forward probe with the statistics of each treatment, from PyTorch's own batch norm."""
    v = noise_of(x, seed, sigma)[0]
    label = torch.arange(len(x)), y
    if batch_norm == "separate":
        plain, perturbed = network(x), network(x + v)
    elif batch_norm == "joint":
        plain, perturbed = network(torch.cat([x, x + v])).chunk(2)
    else:  # normalise x+v by hand, layer by layer, with the statistics of x
        plain, perturbed = x, x + v
        for layer in network:
            if isinstance(layer, nn.BatchNorm2d):
                mean = plain.mean(dim=(0, 2, 3), keepdim=True)
                deviation = (plain.var(dim=(0, 2, 3), correction=0, keepdim=True) + layer.eps).sqrt()
                plain, perturbed = (
                    (z - mean) / deviation * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)
                    for z in (plain, perturbed)
                )
            else:
                plain, perturbed = layer(plain), layer(perturbed)
    return plain, 2 / sigma**2 * (perturbed[label] - plain[label])


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_each_treatment_normalises_the_perturbed_batch_as_it_says(network, batch, batch_norm):
    x, y = batch
    loss = AntiScoreMatching(batch_norm=batch_norm, sigma=0.1)
    terms = loss.terms(network, x, y, generator=generator(6))
    logits, h = penalty_by_hand(network, x, y, batch_norm, 6, 0.1)
    torch.testing.assert_close(terms.logits, logits, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(terms.trace, h, rtol=1e-8, atol=1e-8)
    # The statistics are differentiated through: the parameter gradients agree too.
    names, parameters = zip(*network.named_parameters(), strict=True)
    ours = torch.autograd.grad(terms.trace.sum(), parameters)
    for name, mine, theirs in zip(names, ours, torch.autograd.grad(h.sum(), parameters), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def test_the_three_treatments_differ_in_training_mode(network, batch):
    x, y = batch
    traces = [
        AntiScoreMatching(batch_norm=name, sigma=0.1).terms(network, x, y, generator=generator()).trace
        for name in BATCH_NORMS
    ]
    assert not torch.allclose(traces[0], traces[1], rtol=1e-3)
    assert not torch.allclose(traces[0], traces[2], rtol=1e-3)
    assert not torch.allclose(traces[1], traces[2], rtol=1e-3)


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("norm", ["exact", "pair"])
def test_running_statistics_are_updated_once_and_from_x(batch, batch_norm, momentum, norm):
    x, y = batch
    model, reference = (
        nn.Sequential(
            nn.BatchNorm2d(1, momentum=momentum), nn.Softplus(), nn.Flatten(), nn.Linear(25, 3)
        ).double()
        for _ in range(2)
    )
    for images in (x, 1 - x**2):
        ScoreMatching(batch_norm=batch_norm, norm=norm, sigma=0.5)(model, images, y, generator=generator())
        reference(images)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(model[0], name), getattr(reference[0], name))


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_a_batch_norm_without_weights_is_one_with_weights_1_and_0(batch, batch_norm):
    x, y = batch
    with_weights, without = (
        nn.Sequential(
            nn.BatchNorm2d(1, affine=affine), nn.Softplus(), nn.Flatten(), nn.Linear(25, 3)
        ).double()
        for affine in (True, False)
    )
    without[3].load_state_dict(with_weights[3].state_dict())
    for loss in (ScoreMatching(batch_norm=batch_norm), GradientNorm(norm="pair", batch_norm=batch_norm)):
        right, found = (loss(model, x, y, generator=generator()) for model in (with_weights, without))
        torch.testing.assert_close(found, right)


@pytest.mark.parametrize("batch_norm", ["of_x", "separate"])
def test_logits_of_x_are_those_of_an_ordinary_training_pass(network, batch, batch_norm):
    x, y = batch
    _, logits = ScoreMatching(batch_norm=batch_norm).penalty_and_logits(network, x, y)
    torch.testing.assert_close(logits, network(x))


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_batch_norms_work_as_before_afterwards_also_after_an_error(network, batch, batch_norm):
    x, y = batch
    before = network(x)
    for labels in (y, y + 3):
        try:
            ScoreMatching(batch_norm=batch_norm)(network, x, labels)
        except ValueError:
            assert (labels > 2).any()
    assert all("forward" not in vars(module) for module in network.modules())
    assert torch.equal(network(x), before)
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("batch_norm", BATCH_NORMS)
def test_two_samples_a_batch_are_enough_and_dropout_of_nothing_is_none(batch_norm):
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.0), nn.Linear(4, 2))
    loss = ScoreMatching(batch_norm=batch_norm)
    assert loss(model, torch.rand(2, 4), torch.tensor([0, 1])).isfinite().all()


def test_one_sample_a_batch_is_refused_in_training_mode_with_the_remedy():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"more than 1 value per channel"):
        ScoreMatching()(model, torch.rand(1, 4), torch.tensor([0]))


# --- gradients with respect to the parameters ---


@pytest.mark.parametrize(
    "loss",
    [
        *(ScoreMatching(weight=0.5, mu=0.01, sigma=0.1, batch_norm=name) for name in BATCH_NORMS),
        ScoreMatching(weight=0.5, mu=0.01, sigma=0.1, variant="control", num_probes=2, squared="unbiased"),
        ScoreMatching(weight=0.5, mu=0.01, sigma=0.1, variant="central", norm="pair"),
        AntiScoreMatching(weight=0.5, sigma=0.1, variant="central", batch_norm="of_x"),
        GradientNorm(weight=0.5),
        GradientNorm(weight=0.5, norm="pair", sigma=0.1, num_probes=2),
    ],
    ids=lambda loss: (
        f"{type(loss).__name__}-{getattr(loss, 'variant', '')}-{loss.batch_norm}-{getattr(loss, 'norm', '')}"
    ),
)
def test_parameter_gradients_are_the_finite_differences(network, batch, loss):
    x, y = batch

    def value():
        return loss(network, x, y, generator=generator(8)).mean()

    parameters = list(network.parameters())
    directions = [
        torch.randn(p.shape, generator=generator(i), dtype=p.dtype) for i, p in enumerate(parameters)
    ]
    gradients = torch.autograd.grad(value(), parameters, allow_unused=True, materialize_grads=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    step, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.add_(d, alpha=sign * step)
        values.append(value().item())
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.sub_(d, alpha=sign * step)
    torch.testing.assert_close(slope.item(), (values[0] - values[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_a_step_leaves_gradients_in_the_parameters_alone(network, batch):
    x, y = batch
    before, state = x.clone(), torch.get_rng_state()
    for loss in LOSSES:
        penalty, logits = loss.penalty_and_logits(network, x, y)
        (nn.functional.cross_entropy(logits, y) + penalty.mean()).backward()
    assert all(p.grad is not None for p in network.parameters())
    assert torch.equal(x, before)
    assert x.grad is None
    assert not x.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_three_ways_to_call_a_loss_give_the_same_numbers(network, batch, loss):
    x, y = batch
    terms = loss.terms(network, x, y, generator=generator(2))
    penalty, logits = loss.penalty_and_logits(network, x, y, generator=generator(2))
    assert penalty.shape == (6,)
    assert torch.equal(terms.penalty, penalty)
    assert torch.equal(terms.logits, logits)
    assert torch.equal(loss(network, x, y, generator=generator(2)), penalty)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("training", [True, False])
def test_without_gradients_the_numbers_are_the_same_and_no_graph_is_kept(network, batch, loss, training):
    x, y = batch
    network.train(training)
    expected = loss(network, x, y, generator=generator(2))
    with torch.no_grad():
        terms = loss.terms(network, x, y, generator=generator(2))
    assert not terms.penalty.requires_grad
    assert not terms.logits.requires_grad
    torch.testing.assert_close(terms.penalty, expected.detach())


def test_float32_training_numbers_agree_with_float64(network, batch):
    x, y = batch
    for batch_norm in BATCH_NORMS:
        loss = ScoreMatching(batch_norm=batch_norm, variant="central", num_probes=64)
        v64 = loss.terms(network, x, y, generator=generator(2)).trace
        v32 = loss.terms(network.float(), x.float(), y, generator=generator(2)).trace
        network.double()
        # Other draws in float32: two Monte-Carlo estimates of one trace, plus 2^-24 |f| / sigma^2 rounding.
        assert (v32.double() - v64).abs().max() < 8 * v64.abs().max() / 64**0.5


def test_terms_become_a_frame_of_what_the_penalty_has(linear_quadratic):
    model, x, y = linear_quadratic
    columns = {type(loss).__name__: list(loss.terms(model, x, y).to_frame()) for loss in LOSSES[:3]}
    assert columns == {
        "ScoreMatching": ["trace", "squared_gradient_norm", "stability", "penalty"],
        "AntiScoreMatching": ["trace", "penalty"],
        "GradientNorm": ["squared_gradient_norm", "penalty"],
    }


# --- bad input ---


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ScoreMatching, {"mu": 0}, "mu must be a positive"),
        (ScoreMatching, {"mu": -1e-4}, "mu must be a positive"),
        (ScoreMatching, {"mu": math.nan}, "mu must be a positive"),
        (ScoreMatching, {"sigma": 0}, "sigma must be a positive"),
        (ScoreMatching, {"num_probes": 0}, "num_probes must be a whole number of at least 1"),
        (ScoreMatching, {"weight": -1}, "weight must be a positive"),
        (ScoreMatching, {"variant": "backward"}, "'forward', 'control', 'central'"),
        (ScoreMatching, {"squared": "debiased"}, "'biased', 'unbiased'"),
        (ScoreMatching, {"norm": "l1"}, "'exact', 'pair'"),
        (ScoreMatching, {"batch_norm": "shared"}, "'of_x', 'joint', 'separate'"),
        (ScoreMatching, {"squared": "unbiased"}, "at least 2"),
        (ScoreMatching, {"variant": "control", "norm": "pair"}, 'variant="central"'),
        (AntiScoreMatching, {"tau": math.inf}, "tau must be a finite number"),
        (AntiScoreMatching, {"tau": math.nan}, "tau must be a finite number"),
        (AntiScoreMatching, {"sigma": -0.1}, "sigma must be a positive"),
        (AntiScoreMatching, {"num_probes": 0}, "num_probes must be a whole number of at least 1"),
        (GradientNorm, {"weight": math.inf}, "weight must be a positive"),
        (GradientNorm, {"norm": "l1"}, "'exact', 'pair'"),
    ],
)
def test_settings_outside_their_range_are_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


@pytest.mark.parametrize("loss", [ScoreMatching(), AntiScoreMatching(), GradientNorm(norm="pair")], ids=repr)
def test_autocast_and_dropout_are_refused_where_x_is_perturbed(loss):
    model, x, y = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), torch.rand(2, 4), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="dropout '1' is active"):
        loss(model, x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(ValueError, match="under autocast"):
        loss(model.eval(), x, y)


def test_exact_gradient_norm_works_under_autocast_and_with_dropout():
    model, x, y = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), torch.rand(2, 4), torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert GradientNorm()(model, x, y).isfinite().all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_labels_outside_the_classes_and_tuple_models_are_refused(loss):
    class Tuple(nn.Linear):
        def forward(self, x):
            return super().forward(x), None

    with pytest.raises(ValueError, match="classes from 1 to 3; this model's classes are 0 to 2"):
        loss(nn.Linear(4, 3), torch.rand(2, 4), torch.tensor([1, 3]))
    with pytest.raises(TypeError, match="returned a tuple"):
        loss(Tuple(4, 3), torch.rand(2, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"x\.float\(\) / 255"):
        loss(nn.Linear(4, 3), torch.zeros(2, 4, dtype=torch.uint8), torch.tensor([0, 1]))


@pytest.mark.parametrize("loss", [ScoreMatching(), AntiScoreMatching()], ids=repr)
def test_a_relu_model_is_noticed_once(loss):
    model, x, y = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.rand(2, 4), torch.tensor([0, 1])
    with pytest.warns(PiecewiseLinearWarning, match="to_softplus"):
        loss(model, x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(model, x, y)
