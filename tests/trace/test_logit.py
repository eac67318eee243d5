"""From a classifier to f: targets, refused states, noticed activations."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion import trace
from companion.trace.piecewise_linear import PiecewiseLinearWarning


class Functional(nn.Module):
    """A network whose activation is a function, not a module."""

    def __init__(self, activation):
        super().__init__()
        self.layer, self.activation = nn.Linear(4, 3), activation

    def forward(self, x):
        return self.activation(self.layer(x))


class Tuple(nn.Linear):
    def forward(self, x):
        return super().forward(x), None


@pytest.mark.parametrize("target", [1, torch.tensor(1), torch.tensor([1, 1])])
def test_f_is_the_targets_logit(target):
    model, x = nn.Linear(4, 3), torch.rand(2, 4)
    torch.testing.assert_close(trace.logit(model, target)(x), model(x)[:, 1])


def test_each_row_has_its_own_target():
    model, x = nn.Linear(4, 3), torch.rand(3, 4)
    torch.testing.assert_close(trace.logit(model, torch.tensor([2, 0, 1]))(x), model(x)[[0, 1, 2], [2, 0, 1]])


def test_batch_norm_in_training_mode_is_refused_at_once_and_later(network, images):
    f = trace.logit(network, 0)
    network.train()
    with pytest.raises(ValueError, match=r"batch norm '1'.*model\.eval\(\)"):
        trace.logit(network, 0)
    with pytest.raises(ValueError, match=r"batch norm '1'.*model\.eval\(\)"):
        f(images)
    network.eval()
    assert f(images).shape == (2,)


def test_batch_norm_without_running_statistics_is_refused_in_evaluation_mode_too():
    model = nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 2)).eval()
    with pytest.raises(ValueError, match="track_running_stats=True"):
        trace.logit(model, 0)


def test_active_dropout_is_refused():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"dropout '1' is active.*model\.eval\(\)"):
        trace.logit(model, 0)
    assert trace.logit(model.eval(), 0)(torch.rand(2, 4)).shape == (2,)


@pytest.mark.parametrize(
    "activation", [F.relu, torch.relu, torch.Tensor.relu, nn.ReLU(), F.leaky_relu, nn.PReLU(), nn.Hardtanh()]
)
def test_piecewise_linear_activations_are_noticed_once_as_modules_and_as_functions(activation):
    f = trace.logit(Functional(activation), 0)
    with pytest.warns(PiecewiseLinearWarning, match=r"models\.to_softplus"):
        f(torch.rand(2, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(torch.rand(2, 4))


@pytest.mark.parametrize("activation", [nn.Softplus(10), F.gelu, torch.tanh, F.silu])
def test_smooth_activations_raise_no_warning(activation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace.logit(Functional(activation), 0)(torch.rand(2, 4))


def test_a_tuple_of_outputs_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="returned a tuple, not one tensor"):
        trace.logit(Tuple(4, 3), 0)(torch.rand(2, 4))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "classes are 0 to 2"),
        (-1, "classes are 0 to 2"),
        (torch.tensor([0]), r"shape \(2,\)"),
        (0.5, "integer"),
    ],
)
def test_targets_that_are_no_classes_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        trace.logit(nn.Linear(4, 3), target)(torch.rand(2, 4))


def test_the_prediction_as_a_moving_target_is_refused():
    with pytest.raises(ValueError, match="argmax"):
        trace.logit(nn.Linear(4, 3), None)


def test_kinks_are_known_after_the_first_call():
    f = trace.logit(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 1)
    assert not f.has_kinks()
    with pytest.warns(PiecewiseLinearWarning):
        f(torch.rand(2, 4))
    assert f.has_kinks()
    smooth = trace.logit(nn.Linear(4, 3), 1)
    smooth(torch.rand(2, 4))
    assert not smooth.has_kinks()


@pytest.mark.parametrize("fast", [True, False])
def test_the_fast_path_of_transformers_is_as_it_was_after_a_call(fast):
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        trace.logit(nn.Linear(4, 3), 1)(torch.rand(2, 4))
        assert torch.backends.mha.get_fastpath_enabled() is fast
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
