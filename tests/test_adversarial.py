"""The attack and the training against it: corners of a box by hand, Captum's attack, shifts of all logits."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from captum.robust import FGSM, PGD
from torch import Tensor, nn

from companion import models
from companion.attacks import projected_gradient
from companion.fooling import shift_logits
from companion.gradients import loss_gradient
from companion.losses import AdversarialTraining

X = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 1, 0])


@pytest.fixture
def network() -> nn.Module:
    """Return a residual network with batch norms and softplus, float64, in training mode."""
    return models.resnet9(3, in_channels=1, width=8, generator=torch.Generator().manual_seed(1)).double()


@torch.no_grad()
def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y, reduction="none")


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require:UserWarning")
def test_one_step_without_a_random_start_is_captums_fast_gradient_sign_method(network: nn.Module) -> None:
    network.eval()
    ours = projected_gradient(network, X, Y, eps=0.05, steps=1, step_size=0.05, random_start=False)
    attack = FGSM(network, nn.CrossEntropyLoss(reduction="none"), lower_bound=0, upper_bound=1)
    attack.zero_thresh = 0.0  # Captum takes gradients below 1e-6 for zero.
    theirs = attack.perturb(X.clone().requires_grad_(), 0.05, Y)
    assert torch.equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require:UserWarning")
def test_several_steps_are_captums_projected_gradient_descent(network: nn.Module) -> None:
    network.eval()
    ours = projected_gradient(network, X, Y, eps=0.05, steps=7, step_size=0.02, random_start=False)
    attack = PGD(network, nn.CrossEntropyLoss(reduction="none"), lower_bound=0, upper_bound=1)
    attack.fgsm.zero_thresh = 0.0
    images = X.clone().requires_grad_()
    theirs = attack.perturb(images, radius=0.05, step_size=0.02, step_num=7, target=Y)
    assert float((ours - theirs).abs().max()) < 1e-12


def test_a_linear_classifiers_worst_corner_is_reached_from_every_start() -> None:
    w = torch.tensor([[1.0, -2.0, 3.0], [0.0, 1.0, 5.0]])
    model = nn.Linear(3, 2, bias=False)
    model.load_state_dict({"weight": w})
    x = torch.tensor([[0.5, 0.95, 0.1]])
    corner = (x + 0.2 * (w[1] - w[0]).sign()).clamp(0, 1)  # Away from class 0, and no pixel beyond [0, 1].
    for seed in range(5):
        found = projected_gradient(model, x, 0, eps=0.2, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(found, corner)


def test_more_steps_find_larger_losses_and_none_leaves_the_box(network: nn.Module) -> None:
    network.eval()
    clean = loss_of(network, X, Y)
    weak, strong = (
        projected_gradient(network, X, Y, eps=0.03, steps=n, generator=torch.Generator().manual_seed(0))
        for n in (1, 30)
    )
    assert bool((loss_of(network, strong, Y) > clean).all())
    assert float(loss_of(network, strong, Y).mean()) > float(loss_of(network, weak, Y).mean())
    for found in (weak, strong):
        assert float((found - X).abs().max()) <= 0.03 + 1e-12
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
        assert not found.requires_grad


def test_an_attack_leaves_modes_and_statistics_as_they_were_and_repeats_itself(network: nn.Module) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    first, again = (
        projected_gradient(network, X, None, eps=0.1, steps=3, generator=torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"eps": 0.0}, "eps"),
        ({"eps": math.inf}, "eps"),
        ({"steps": 0}, "steps"),
        ({"step_size": -1.0}, "step_size"),
        ({"pixels": (0.0, 0.5)}, "pixels="),
        ({"x": torch.full((5, 1, 28, 28), math.nan, dtype=torch.float64)}, "NaN"),
        ({"x": (255 * X).byte()}, "floating-point"),
        ({"y": torch.tensor([0, 1, 2, 1, 7])}, "classes"),
    ],
)
def test_an_attack_refuses_what_it_cannot_use(network: nn.Module, changed: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        projected_gradient(network, **{"x": X, "y": Y, "eps": 0.1, **changed})


def test_with_a_weight_of_one_the_loss_is_that_of_the_attacked_images_alone(network: nn.Module) -> None:
    network.eval()
    loss = AdversarialTraining(eps=0.05, steps=4)
    terms = loss.terms(network, X, Y, generator=torch.Generator().manual_seed(0))
    attacked = projected_gradient(
        network, X, Y, eps=0.05, steps=4, generator=torch.Generator().manual_seed(0)
    )
    objective = F.cross_entropy(terms.logits, Y) + terms.penalty.mean()
    expected = F.cross_entropy(network(attacked), Y)
    torch.testing.assert_close(objective, expected)
    weights = list(network.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(objective, weights), torch.autograd.grad(expected, weights), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_for_a_small_box_the_penalty_is_eps_times_the_l1_norm_of_the_loss_gradient(
    network: nn.Module,
) -> None:
    network.eval()
    inside = X.clamp(0.1, 0.9)  # So that the range of pixels cuts nothing.
    norm = loss_gradient(network, inside, Y).abs().flatten(1).sum(dim=1)
    errors = []
    for eps in (1e-3, 1e-4):
        penalty = AdversarialTraining(weight=2.0, eps=eps, steps=10)(network, inside, Y).detach()
        errors.append(float((penalty / (2.0 * eps) / norm - 1).abs().max()))
    assert errors[1] < errors[0] < 0.1
    assert errors[1] < 0.01


def test_a_function_added_to_all_logits_changes_neither_attack_nor_penalty(network: nn.Module) -> None:
    network.eval()
    shifted = shift_logits(network, lambda x: 30 * (7 * x).sin().flatten(1).sum(dim=1))
    with torch.no_grad():
        assert float((shifted(X) - network(X)).abs().max()) > 1
    values = [
        AdversarialTraining(eps=0.05)(model, X, Y, generator=torch.Generator().manual_seed(0))
        for model in (network, shifted)
    ]
    torch.testing.assert_close(*(value.detach() for value in values), rtol=1e-9, atol=1e-9)


def test_the_running_statistics_are_those_of_the_clean_images(network: nn.Module) -> None:
    network.train()
    AdversarialTraining(eps=0.1)(network, X, Y)
    ours = {name: value.clone() for name, value in network.named_buffers()}
    again = models.resnet9(3, in_channels=1, width=8, generator=torch.Generator().manual_seed(1)).double()
    again.train()(X)
    first = next(name for name in ours if name.endswith("running_mean"))
    torch.testing.assert_close(ours[first], dict(again.named_buffers())[first])
    assert {int(value) for name, value in ours.items() if name.endswith("num_batches_tracked")} == {1}


@pytest.mark.parametrize(
    "changed", [{"weight": 0.0}, {"eps": -0.1}, {"steps": 1.5}, {"lowest": 1.0}, {"highest": math.nan}]
)
def test_a_setting_outside_its_range_is_refused_by_name(changed: dict) -> None:
    (name,) = changed
    with pytest.raises(ValueError, match=name):
        AdversarialTraining(**changed)


def test_labels_are_needed(network: nn.Module) -> None:
    with pytest.raises(TypeError, match="y must be the labels"):
        AdversarialTraining()(network, X, None)
