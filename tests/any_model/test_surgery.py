"""What is changed in a model's copy, what is refused, and that the caller's model stays as it is."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from companion import models, trace
from companion.live import packing


class Kinked(nn.Module):
    def __init__(self, kink):
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)
        self.kink = kink

    def forward(self, x):
        return self.last(self.relu(self.kink(self.first(x))))


KINKS = {
    "clamp": lambda h: h.clamp(min=0),
    "clip": lambda h: torch.clip(h, -1, 1),
    "clamp_min": lambda h: torch.clamp_min(h, 0),
    "clamp_max": lambda h: (h + 0).clamp_max_(1),
    "maximum": lambda h: torch.maximum(h, torch.zeros_like(h)),
    "max": lambda h: torch.max(h, -h),
    "minimum": lambda h: torch.minimum(h, h * 2),
    "abs": abs,
    "absolute": torch.absolute,
    "where": lambda h: torch.where(h > 0, h, 0.1 * h),
    "mul": lambda h: h * (h > 0),
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh": lambda h: F.hardtanh_(h + 0),
    "leaky_relu": lambda h: F.leaky_relu_(h + 0),
    "threshold": lambda h: F.threshold(h, 0.1, 0.0),
    "relu": torch.relu,
    "round": torch.round,
    "sign": torch.sign,
}


@pytest.mark.parametrize("name", KINKS)
def test_a_function_with_a_kink_is_refused_by_the_surgery_and_seen_by_the_watch(name):
    model = Kinked(KINKS[name]).eval()
    with pytest.raises(ValueError, match=name):
        models.to_softplus(model)
    model.relu = nn.Softplus()
    with pytest.warns(trace.piecewise_linear.PiecewiseLinearWarning, match=name):
        trace.logit(model, 0)(torch.rand(2, 8))


SMOOTH = {
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "the largest of a row": lambda h: h - h.amax(dim=1, keepdim=True),
    "normalise": lambda h: F.normalize(h),
    "times": lambda h: h * h.sigmoid(),
    "mask": lambda h: torch.where(torch.ones(16, dtype=torch.bool), h, h),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_function_without_a_kink_is_left_alone(name):
    smooth = models.to_softplus(Kinked(SMOOTH[name]).eval())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace.logit(smooth, 0)(torch.rand(2, 8))


@pytest.mark.parametrize("layer", [nn.PReLU, nn.RReLU, nn.Hardshrink, nn.Softshrink, nn.Hardswish])
def test_a_layer_with_a_kink_and_no_smooth_version_is_refused(layer):
    with pytest.raises(ValueError, match=layer.__name__):
        models.to_softplus(nn.Sequential(nn.Linear(8, 3), nn.ReLU(), layer()))


def transformer(activation):
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True, activation=activation)
    return nn.Sequential(nn.Unflatten(1, (2, 4)), layer, nn.Flatten(), nn.Linear(8, 3), nn.ReLU())


@pytest.mark.parametrize("activation", ["relu", F.leaky_relu])
def test_an_activation_inside_a_transformers_layer_is_refused_and_the_advice_works(activation):
    with pytest.raises(ValueError, match=r"activation=nn\.ReLU\(\)"):
        models.to_softplus(transformer(activation))
    x = torch.rand(2, 8)
    smooth = models.to_softplus(transformer(nn.ReLU()), beta=1.0).eval()
    slow = smooth(x)
    with torch.no_grad():  # the fast path knows the ReLU by a number of its own
        assert torch.allclose(smooth(x), slow, atol=1e-6)
    assert trace.exact(trace.logit(smooth, 0), x).any()


def test_the_relu_of_a_recurrent_layer_is_refused():
    model = nn.Sequential(nn.RNN(4, 4, nonlinearity="relu"), nn.ReLU())
    with pytest.raises(ValueError, match="relu"):
        models.to_softplus(model)


def test_pooling_by_the_maximum_is_no_activation():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    assert isinstance(models.to_softplus(model)[1], nn.Softplus)


def pair():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    with torch.no_grad():
        model[1].running_mean.normal_()
        model[1].running_var.uniform_(0.5, 2)
    return model.eval()


ADDITIONS = {
    "parametrised": (
        lambda m: parametrizations.weight_norm(m[0]),
        lambda m: parametrize.remove_parametrizations(m[0], "weight"),
    ),
    "pruned": (
        lambda m: prune.l1_unstructured(m[0], "weight", 0.5),
        lambda m: prune.remove(m[0], "weight"),
    ),
    "hooked": (
        lambda m: m[0].register_forward_hook(lambda _, __, out: out * 2),
        lambda m: m[0]._forward_hooks.popitem()[1] and m[0]._forward_hooks_with_kwargs.clear(),
    ),
    "hooked before": (
        lambda m: m[1].register_forward_pre_hook(lambda _, given: (given[0] * 2,)),
        lambda m: m[1]._forward_pre_hooks.popitem(),
    ),
    "normed as it used to be": (
        lambda m: nn.utils.weight_norm(m[0]),
        lambda m: nn.utils.remove_weight_norm(m[0]),
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ADDITIONS)
def test_a_layer_that_does_more_than_its_weights_say_is_not_folded_until_it_is_plain(kind):
    model, x = pair(), torch.rand(2, 1, 6, 6)
    add, remove = ADDITIONS[kind]
    add(model)
    with pytest.raises(ValueError, match="a fold would lose"):
        models.fold_batch_norm(model)
    remove(model)
    assert torch.allclose(models.fold_batch_norm(model)(x), model(x), atol=1e-5)


def test_a_batch_norm_without_statistics_is_not_folded():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))
    with pytest.raises(ValueError, match="track_running_stats=True"):
        models.fold_batch_norm(model)


class Keeps(nn.Module):
    """Keeps its activations, as Grad-CAM does."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.head, self.kept = nn.Linear(256, 3), {}

    def forward(self, x):
        self.features = self.relu(self.norm(self.conv(x)))
        self.kept["list"] = [self.features]
        return self.head(self.features.flatten(1))


COPIES = {
    "fold_batch_norm": models.fold_batch_norm,
    "round_to_half": models.round_to_half,
    "to_softplus": models.to_softplus,
    "pack": lambda model: packing.pack(model, (1, 8, 8)),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_model_that_keeps_activations_is_copied_and_keeps_its_own(name):
    model, x = Keeps().eval(), torch.rand(2, 1, 8, 8)
    model(x)
    features, kept = model.features, model.kept["list"]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    copied = COPIES[name](model)
    assert model.features is features
    assert model.kept["list"] is kept
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    if name == "fold_batch_norm":
        assert torch.allclose(copied(x), model(x), atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_used_weight_norm_is_copied_and_computes_its_weights_anew():
    layer = nn.utils.weight_norm(nn.Linear(8, 3))
    model, x = nn.Sequential(layer, nn.ReLU()), torch.rand(2, 8)
    model(x)
    smooth = models.to_softplus(model, beta=1e4)
    with torch.no_grad():
        smooth[0].weight_g.mul_(2)
        smooth[0].bias.zero_()
        layer.bias.zero_()
    assert torch.allclose(smooth(x), 2 * model(x), atol=1e-3)


class Steps(nn.Module):
    def __init__(self, step):
        super().__init__()
        self.conv, self.head, self.step = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 3), step

    def forward(self, x):
        return self.head(self.step(self.conv(x)))


UNKNOWN = {
    "alpha": lambda h: torch.flatten(torch.add(h, h, alpha=0.1), 1),
    "a positional end": lambda h: torch.flatten(h, 1, 2).flatten(1),
    "end_dim": lambda h: h.flatten(start_dim=1, end_dim=2),
    "keepdim": lambda h: h.mean((2, 3), True),
    "dtype": lambda h: h.mean((2, 3), dtype=torch.float64),
    "overwritten": lambda h: torch.flatten(F.relu(h, inplace=True) + h, 1),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_step_with_an_argument_that_the_page_does_not_know_is_refused(name):
    with pytest.raises(packing.UnsupportedNetwork, match="page's engine"):
        packing.pack(Steps(UNKNOWN[name]), (1, 8, 8))


def test_a_layer_with_a_hook_is_refused_for_the_page():
    model = Steps(lambda h: h.flatten(1))
    model.conv.register_forward_hook(lambda _, __, out: out * 2)
    with pytest.raises(packing.UnsupportedNetwork, match="hooks"):
        packing.pack(model, (1, 8, 8))


KNOWN = {
    "alpha of 1": (lambda h: torch.flatten(torch.add(h, h, alpha=1), 1), "add"),
    "end_dim of -1": (lambda h: torch.flatten(h, 1, -1), "flatten"),
    "keepdim, then flat": (lambda h: h.mean((2, 3), keepdim=True).flatten(1), "spatial_mean"),
    "in place": (lambda h: F.relu(h, inplace=True).flatten(1), "relu"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_an_argument_that_changes_nothing_is_known(name):
    step, op = KNOWN[name]
    assert op in [s["op"] for s in packing.pack(Steps(step), (1, 8, 8))["steps"]]
