"""A model that works in place, draws random numbers, or moves its weights, is measured right or refused."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from companion import fooling, gradients, losses, metrics, sampling, trace
from tests.any_model.models import Before, images, smooth


def seeded():
    return torch.Generator().manual_seed(0)


CALLS = {
    "logit_gradient": lambda m, x, y: gradients.logit_gradient(m, x, y),
    "loss_gradient": lambda m, x, y: gradients.loss_gradient(m, x, y),
    "exact": lambda m, x, y: trace.exact(trace.logit(m, y), x),
    "hutchinson": lambda m, x, y: trace.hutchinson(trace.logit(m, y), x, generator=seeded()),
    "taylor": lambda m, x, y: trace.taylor(trace.logit(m, y), x, sigma=0.1, generator=seeded()),
    "control": lambda m, x, y: trace.taylor(
        trace.logit(m, y), x, sigma=0.1, variant="control", num_probes=2, chunk_size=2, generator=seeded()
    ),
    "ScoreMatching": lambda m, x, y: losses.ScoreMatching(sigma=0.1)(m, x, y, generator=seeded()),
    "pair": lambda m, x, y: losses.GradientNorm(norm="pair")(m, x, y, generator=seeded()),
    "GradientNorm": lambda m, x, y: losses.GradientNorm()(m, x, y),
    "density_ratio": lambda m, x, y: (
        metrics.density_ratio(m, x, y, sigmas=[0.1], generator=seeded()).log_ratio
    ),
    "gan_test": lambda m, x, y: metrics.gan_test(x, y, m).correct.double(),
    "pixel_perturbation": lambda m, x, y: (
        metrics.pixel_perturbation(m, x, y, x.clone(), fractions=[0.0, 0.5], score="logit").per_sample
    ),
    "extremal_mask": lambda m, x, y: metrics.extremal_mask(m, x, y, steps=1, grid=2).log_density_ratio,
    "hyvarinen_objective": lambda m, x, y: metrics.hyvarinen_objective(m, x, y).per_sample,
    "activation_maximisation": lambda m, x, y: sampling.activation_maximisation(
        m, y, steps=2, step_size=0.1, start=x
    ),
    "mean_logit_shift": lambda m, x, y: fooling.mean_logit_shift(m)(x),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_model_that_works_in_place_gives_the_numbers_of_the_same_function_and_leaves_x(name):
    x, y = images()
    body = smooth().eval()
    good = Before(lambda z, _: z - 0.5, body).eval()
    bad = Before(lambda z, _: z.sub_(0.5), body).eval()
    mine = x.clone()
    assert torch.equal(CALLS[name](bad, mine, y), CALLS[name](good, x, y))
    assert torch.equal(mine, x)


def test_a_function_that_works_in_place_has_the_trace_of_the_same_function():
    x = torch.rand(2, 3)
    right = torch.full((2,), 6.0)
    assert torch.allclose(trace.exact(lambda z: z.mul_(2).square().sum(1) / 4, x.clone()), right)
    moved = x.clone()
    trace.taylor(lambda z: z.mul_(2).square().sum(1), moved, sigma=0.1)
    assert torch.equal(moved, x)


RANDOM = {
    "functional dropout": lambda z, training: F.dropout(z, 0.5, training),
    "noise": lambda z, training: z + 0.1 * torch.randn_like(z) if training else z,
    "stochastic depth": lambda z, training: z * torch.bernoulli(torch.tensor(0.5)) if training else z,
}
DIFFERENCES = ("exact", "hutchinson", "taylor", "control", "ScoreMatching", "pair")


@pytest.mark.parametrize("kind", RANDOM)
@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_model_that_draws_in_training_mode_is_refused_where_several_calls_must_agree(kind, name):
    model = Before(RANDOM[kind]).train()
    with pytest.raises(ValueError, match="draws random numbers") as said:
        CALLS[name](model, *images())
    assert "model.eval()" in str(said.value)
    assert CALLS[name](model.eval(), *images()).isfinite().all()  # the remedy


@pytest.mark.parametrize("name", [n for n in CALLS if n != "mean_logit_shift"])
def test_a_model_that_draws_in_evaluation_mode_is_refused_everywhere(name):
    with pytest.raises(ValueError, match="let forward ask self.training"):
        CALLS[name](Before(lambda z, _: z + 0.1 * torch.randn_like(z)).eval(), *images())


def test_attention_with_dropout_is_refused_and_a_training_step_without_differences_is_not():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)
            self.head = nn.Linear(16, 3)

        def forward(self, x):
            rows = x.flatten(1, 2)
            return self.head(self.mix(rows, rows, rows)[0].flatten(1))

    model, (x, y) = Attends().train(), images()
    with pytest.raises(ValueError, match="draws random numbers"):
        losses.ScoreMatching()(model, x, y)
    assert losses.GradientNorm()(model, x, y).isfinite().all()


@pytest.mark.parametrize("old", [True, False])
def test_a_penalty_on_a_spectral_norm_in_training_is_that_of_one_function(old):
    norm = nn.utils.spectral_norm if old else nn.utils.parametrizations.spectral_norm
    model, (x, y) = smooth(), images()
    torch.nn.init.normal_(model[1].weight)  # the power iteration is far from its end
    norm(model[1])
    frozen = copy.deepcopy(model)
    loss = losses.ScoreMatching(variant="central", sigma=0.01)
    for _ in range(3):
        found = loss.terms(model, x, y, generator=seeded()).trace
        frozen.load_state_dict(model.state_dict())
        right = loss.terms(frozen.eval(), x, y, generator=seeded()).trace
        assert torch.allclose(found, right, atol=0.2), (found, right)
    model.train()
    with pytest.raises(ValueError, match="changes its own weights"):
        trace.taylor(trace.logit(model, y), x, sigma=0.01)
    assert trace.taylor(trace.logit(model.eval(), y), x, sigma=0.01).isfinite().all()


def test_a_model_that_begins_to_draw_is_refused_then():
    x, y = images()
    model = Before(lambda z, _: F.dropout(z, model.share, training=True) if model.share else z).eval()
    model.share = 0.0
    f = trace.logit(model, y)
    assert trace.taylor(f, x, sigma=0.1).isfinite().all()
    model.share = 0.5
    with pytest.raises(ValueError, match="draws random numbers"):
        f(x)


@pytest.mark.parametrize("choice", ["of_x", "separate", "joint"])
def test_a_model_that_draws_beside_a_batch_norm_is_refused(choice):
    model = nn.Sequential(nn.BatchNorm2d(1), Before(lambda z, _: F.dropout(z, 0.5, training=True)))
    with pytest.raises(ValueError, match="draws random numbers"):
        losses.ScoreMatching(batch_norm=choice)(model, *images())


@pytest.mark.parametrize("choice", ["of_x", "separate", "joint"])
def test_a_spectral_norm_beside_a_batch_norm_needs_joint_statistics(choice):
    body = smooth()
    nn.utils.parametrizations.spectral_norm(body[1])
    model = nn.Sequential(nn.BatchNorm2d(1), *body)
    loss = losses.ScoreMatching(batch_norm=choice)
    if choice == "joint":  # what the others' message advises
        assert loss(model, *images()).isfinite().all()
    else:
        with pytest.raises(ValueError, match='batch_norm="joint"'):
            loss(model, *images())


@pytest.mark.parametrize("name", [n for n in CALLS if n not in ("pair", "GradientNorm", "ScoreMatching")])
def test_a_batch_norm_without_running_statistics_is_refused_wherever_modes_are_set(name):
    if name == "mean_logit_shift":
        pytest.skip("sets no modes")
    model = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), *smooth()).eval()
    with pytest.raises(ValueError, match="track_running_stats=True"):
        CALLS[name](model, *images())


def test_refused_modes_are_left_as_they_were():
    model = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), *smooth()).train()
    with pytest.raises(ValueError, match="track_running_stats"):
        gradients.logit_gradient(model, *images())
    assert all(module.training for module in model.modules())
