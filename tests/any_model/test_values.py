"""NaN, half precision behind float32, noise that is lost, counts that are none, lists of classes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from companion import data, gradients, losses, metrics, sampling, trace
from tests.any_model.models import images, smooth
from tests.any_model.test_fixed_function import CALLS


def diverged():
    model = smooth()
    model[3].bias.data[0] = math.nan
    return model


def test_a_judge_that_returns_nan_recognises_nothing():
    x, _ = images()
    with pytest.raises(ValueError, match="NaN for 3 of 3"):
        metrics.gan_test(x, 0, diverged())
    with pytest.raises(ValueError, match="NaN for 1 of 3"):
        metrics.gan_test(torch.cat([x[:2], x[:1] * math.nan]), 0, smooth())


def test_an_accuracy_over_nan_is_nan_and_a_prediction_is_refused():
    x, _ = images()
    assert metrics.pixel_perturbation(diverged(), x, 0, x, fractions=[0.5]).value.isnan().all()
    with pytest.raises(ValueError, match="predicts no class"):
        gradients.logit_gradient(diverged(), x)


class Autocasts(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = smooth()

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(x).float()


class Casts(nn.Module):
    def __init__(self, *, back):
        super().__init__()
        self.body, self.back = smooth().bfloat16(), back

    def forward(self, x):
        logits = self.body(x.bfloat16())
        return logits.float() if self.back else logits


def test_a_function_knows_half_precision_of_weights_at_once_and_of_arithmetic_when_called():
    x, y = images()
    assert trace.logit(Casts(back=True).eval(), y).uses_half()
    for model, found in ((Autocasts().eval(), True), (smooth().eval(), False)):
        f = trace.logit(model, y)
        assert not f.uses_half()
        f(x)
        assert f.uses_half() == found


@pytest.mark.parametrize("make", [Autocasts, lambda: Casts(back=True), lambda: Casts(back=False)])
def test_half_precision_behind_a_float32_x_is_refused_each_time(make):
    model, (x, y) = make().eval(), images()
    f = trace.logit(model, y)
    for _ in range(2):
        with pytest.raises(ValueError, match="allow_low_precision=True"):
            trace.taylor(f, x, sigma=0.01)
        with pytest.raises(ValueError, match="allow_low_precision=True"):
            losses.ScoreMatching()(model, x, y)
    assert trace.taylor(f, x, sigma=0.01, allow_low_precision=True).isfinite().all()
    assert losses.ScoreMatching(allow_low_precision=True)(model, x, y).isfinite().all()
    with pytest.raises(ValueError, match="allow_low_precision=True"):
        losses.ScoreMatching()(model, x, y)  # not forgotten


def test_density_ratios_of_a_network_with_half_precision_are_refused_unless_allowed():
    model, (x, y) = Casts(back=True).eval(), images()
    with pytest.raises(
        ValueError, match=r"half precision, which the model's weights have.*allow_low_precision"
    ):
        metrics.density_ratio(model, x, y, sigmas=[0.1])
    allowed = metrics.density_ratio(model, x, y, sigmas=[0.1], allow_low_precision=True)
    assert allowed.log_ratio.isfinite().all()


@pytest.mark.parametrize("sigma", [1e-170, 1e160])
def test_a_sigma_whose_square_is_no_number_is_refused(sigma):
    x, y = images()
    for call in (
        lambda: trace.taylor(trace.logit(smooth().eval(), y), x, sigma=sigma),
        lambda: losses.ScoreMatching(sigma=sigma),
        lambda: losses.AntiScoreMatching(sigma=sigma),
        lambda: losses.GradientNorm(norm="pair", sigma=sigma),
    ):
        with pytest.raises(ValueError, match=r"sigma must be between .* 0\.01"):
            call()


def test_a_sigma_that_is_lost_in_x_is_refused_and_the_remedies_work():
    x = 0.5 + torch.rand(2, 3) / 2
    f = lambda z: z.square().sum(dim=1)  # noqa: E731
    with pytest.raises(ValueError, match="^sigma=1e-12 is lost"):
        losses.ScoreMatching(sigma=1e-12)(smooth(), *images())
    with pytest.raises(ValueError, match="rounds to x") as said:
        trace.taylor(f, x, sigma=1e-12)
    assert "larger sigma" in str(said.value)
    assert "float64" in str(said.value)
    wide = trace.taylor(f, x, sigma=0.01, variant="central", num_probes=4000).mean(dim=0)
    assert torch.allclose(wide, torch.full((2,), 6.0), atol=0.5)
    assert trace.taylor(f, x.double(), sigma=1e-12).any()
    model = nn.Sequential(nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 3))
    with pytest.raises(ValueError, match="rounds to x"):
        losses.ScoreMatching(sigma=1e-12)(model, x, torch.tensor([0, 1]))


@pytest.mark.parametrize("count", [math.inf, math.nan, 0, 1.5, True])
def test_counts_that_are_no_whole_numbers_are_refused_in_a_sentence(count):
    x, y = images()
    for call in (
        lambda: losses.ScoreMatching(num_probes=count),
        lambda: sampling.langevin(smooth(), y, steps=count, step_size=0.1, start=x),
        lambda: metrics.wilson(1, count),
        lambda: metrics.density_ratio(smooth(), x, y, sigmas=[0.1], num_draws=count),
        lambda: metrics.pixel_perturbation(smooth(), x, y, x, fractions=[0.1], batch_size=count),
        lambda: data.gaussian_mixture(torch.zeros(1, 2)).sample(count),
    ):
        with pytest.raises(ValueError, match="must be a whole number of at least 1"):
            call()


def test_a_whole_number_may_be_written_as_a_fraction_of_one():
    x, y = images()
    assert sampling.langevin(smooth(), y, steps=2.0, step_size=0.1, start=x).shape == x.shape
    assert trace.hutchinson(trace.logit(smooth().eval(), y), x, num_probes=2.0).shape == (2, 3)


@pytest.mark.parametrize("loss", [losses.ScoreMatching, losses.AntiScoreMatching, losses.GradientNorm])
def test_a_penalty_of_no_samples_has_no_values_and_one_without_labels_is_refused(loss):
    x, y = images()
    assert loss()(smooth(), x[:0], y[:0]).shape == (0,)
    with pytest.raises(TypeError, match="y must be the labels"):
        loss()(smooth(), x, None)


AS = {"list": list, "tuple": tuple, "array": np.array, "bytes": lambda y: np.array(y, dtype=np.uint8),
      "unsigned": lambda y: np.array(y, dtype=np.uint16)}  # fmt: skip


@pytest.mark.parametrize("kind", AS)
@pytest.mark.parametrize("name", [n for n in CALLS if n != "mean_logit_shift"])
def test_classes_may_be_a_list_a_tuple_or_an_array_everywhere(kind, name):
    model, (x, y) = smooth().eval(), images()
    assert torch.equal(CALLS[name](model, x, AS[kind](y.tolist())), CALLS[name](model, x, y))


@pytest.mark.parametrize("kind", AS)
def test_three_classes_ask_for_three_images(kind):
    classes = AS[kind]([0, 1, 2])
    made = sampling.activation_maximisation(smooth(), classes, steps=1, step_size=0.1, shape=(1, 4, 4))
    assert made.shape == (3, 1, 4, 4)


class Wrapped(nn.Module):
    """Returns what large models return."""

    def __init__(self, pack):
        super().__init__()
        self.body, self.pack = nn.Sequential(nn.BatchNorm2d(1), *smooth()), pack

    def forward(self, x):
        return self.pack(self.body(x))


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (lambda z: {"logits": z}, lambda m: lambda x: m(x)["logits"]),
        (lambda z: (z, None), lambda m: lambda x: m(x)[0]),
        (lambda z: type("Output", (), {"logits": z}), lambda m: lambda x: m(x).logits),
    ],
)
@pytest.mark.parametrize("name", [n for n in CALLS if n != "mean_logit_shift"])
def test_a_function_that_takes_the_logits_out_works_everywhere_as_the_message_advises(pack, unpack, name):
    model, (x, y) = Wrapped(pack), images()
    model.train()
    with pytest.raises(TypeError, match=r"lambda x: model\(x\)\[0\].*logits"):
        gradients.logit_gradient(model, x, y)
    sets_modes = name not in ("exact", "hutchinson", "taylor", "control")
    if not sets_modes:
        with pytest.raises(ValueError, match="Call model.eval"):
            CALLS[name](unpack(model), x, y)
        model.eval()
    before = model.training
    found = CALLS[name](unpack(model), x, y).detach()
    assert model.training == before
    right = CALLS[name](model.body, x, y).detach()
    if name in ("ScoreMatching", "pair", "GradientNorm"):
        assert torch.allclose(found, right)
    else:
        assert torch.equal(found, right)
