"""Input-gradients against Captum, closed forms and the paper's equations 5 and 6."""

import pytest
import torch
from captum.attr import Saliency
from torch import nn

from companion import gradients

ALL = [gradients.logit_gradient, gradients.loss_gradient, gradients.log_probability_gradient]


class Tuple(nn.Linear):
    def forward(self, x):
        return super().forward(x), None


class Broken(nn.Linear):
    def forward(self, x):
        raise ArithmeticError("broken")


def make_model(dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.BatchNorm2d(4),
            nn.Softplus(10),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(36, 3),
        )
        model(torch.rand(8, 2, 5, 5))
    return model.to(dtype)


def make_images(batch=4):
    return torch.rand(batch, 2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("target", [1, torch.tensor([2, 0, 1, 1])])
def test_logit_gradient_is_captums_signed_saliency(target):
    model, x = make_model().eval(), make_images()
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=target, abs=False)
    assert (expected < 0).any()
    torch.testing.assert_close(gradients.logit_gradient(model, x, target), expected)


def test_logit_gradient_of_a_linear_model_is_its_row_of_weights():
    model = nn.Linear(4, 3)
    result = gradients.logit_gradient(model, torch.rand(2, 4), torch.tensor([2, 0]))
    torch.testing.assert_close(result, model.weight[[2, 0]].detach())


def test_without_a_target_the_prediction_is_meant():
    model, x = make_model().eval(), make_images()
    prediction = model(x).argmax(dim=1)
    for gradient in ALL:
        assert torch.equal(gradient(model, x), gradient(model, x, prediction))


def test_loss_gradient_is_equation_6():
    model, x, target = make_model().eval(), make_images(), torch.tensor([2, 0, 1, 1])
    p = model(x).softmax(dim=1).detach()
    each = torch.stack([gradients.logit_gradient(model, x, i) for i in range(3)], dim=1)
    expected = -each[range(4), target] + torch.einsum("bi,bi...->b...", p, each)
    torch.testing.assert_close(gradients.loss_gradient(model, x, target), expected)


def test_loss_gradient_is_that_of_pytorchs_cross_entropy_summed_over_the_batch():
    model, x, target = make_model().eval(), make_images().requires_grad_(), torch.tensor([2, 0, 1, 1])
    nn.functional.cross_entropy(model(x), target, reduction="sum").backward()
    assert x.grad is not None
    torch.testing.assert_close(gradients.loss_gradient(model, x.detach(), target), x.grad)


def test_logit_gradient_is_log_probability_gradient_plus_gradient_of_logsumexp():
    model, x, target = make_model().eval(), make_images(), torch.tensor([2, 0, 1, 1])
    leaf = x.clone().requires_grad_()
    (common,) = torch.autograd.grad(model(leaf).logsumexp(dim=1).sum(), leaf)
    result = gradients.log_probability_gradient(model, x, target) + common
    torch.testing.assert_close(result, gradients.logit_gradient(model, x, target))


@pytest.mark.parametrize("gradient", ALL)
def test_every_submodule_keeps_its_mode_and_running_statistics(gradient):
    model = make_model().train()
    model[3].eval()
    modes = [module.training for module in model.modules()]
    before = model[1].running_mean.clone()
    result = gradient(model, make_images(), 0)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model[1].running_mean, before)
    assert torch.equal(result, gradient(model.eval(), make_images(), 0))


def test_modes_are_restored_when_the_model_fails():
    model = nn.Sequential(nn.BatchNorm1d(4), Broken(4, 2)).train()
    with pytest.raises(ArithmeticError):
        gradients.logit_gradient(model, torch.rand(3, 4), 0)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("gradient", ALL)
def test_nothing_is_left_behind(gradient):
    model, x = make_model(), make_images()
    before, state = x.clone(), torch.get_rng_state()
    with torch.no_grad():
        result = gradient(model, x, 0)
    assert torch.equal(x, before)
    assert x.grad is None
    assert not x.requires_grad
    assert not result.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_create_graph_gives_the_parameter_gradient_of_the_squared_norm():
    # The logit is <w, x>, so half the squared gradient norm is |w|^2 / 2, with the parameter gradient w.
    model = nn.Linear(4, 1, bias=False).double()
    gradient = gradients.logit_gradient(model, torch.rand(1, 4, dtype=torch.float64), 0, create_graph=True)
    (gradient.square().sum() / 2).backward()
    torch.testing.assert_close(model.weight.grad, model.weight.detach())


def test_create_graph_leaves_a_training_step_in_training_mode():
    model = nn.Sequential(nn.BatchNorm1d(2, affine=False), nn.Linear(2, 2)).double()
    x = torch.rand(5, 2, dtype=torch.float64)
    gradients.logit_gradient(model, x, 0, create_graph=True)
    torch.testing.assert_close(model[0].running_mean, 0.1 * x.mean(dim=0))


@pytest.mark.parametrize("gradient", ALL)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "from 3 to 3; this model's classes are 0 to 2"),
        (torch.tensor([-1, 0, 0, 0]), "from -1 to 0"),
        (torch.tensor([0, 1]), r"shape \(4,\); got shape \(2,\)"),
        (0.5, "integer class indices"),
    ],
)
def test_targets_that_are_no_classes_are_refused(gradient, target, message):
    with pytest.raises(ValueError, match=message):
        gradient(make_model(), make_images(), target)


@pytest.mark.parametrize("gradient", ALL)
def test_bad_models_and_inputs_are_refused_with_the_remedy(gradient):
    with pytest.raises(TypeError, match="returned a tuple, not one tensor"):
        gradient(Tuple(4, 3), torch.rand(2, 4), 0)
    with pytest.raises(ValueError, match=r"x\.float\(\) / 255"):
        gradient(nn.Linear(4, 3), torch.zeros(2, 4, dtype=torch.uint8), 0)
    with pytest.raises(ValueError, match=r"it returned shape \(2, 3, 3\)"):
        gradient(nn.Linear(4, 3), torch.rand(2, 3, 4), 0)
