"""The shift and the ripple: what they leave alone, what they change, and bounds that are attained."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion import fooling, models
from companion.book import stencils
from companion.gradients import logit_gradient, loss_gradient

D = 3 * 4 * 4


def classifier(seed: int = 0, *, scale: float = 1.0) -> nn.Module:
    """A smooth classifier in float64 of (B, 3, 4, 4) images, five classes."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(D, 16), nn.Softplus(10), nn.Linear(16, 5)).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator) / 4)
    return model


def images(count: int = 8) -> Tensor:
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def shifts(model: nn.Module) -> dict[str, fooling.Shift]:
    picture = stencils.checkerboard(4, 2)
    return {
        "linear": fooling.linear_shift(picture, 30.0),
        "sine": fooling.sine_shift(0.3, 40.0),
        "mean logit": fooling.mean_logit_shift(model),
        "learned": fooling.learned_shift(
            model, images(), picture, steps=3, generator=torch.Generator().manual_seed(2)
        ),
        "any function": lambda x: 7 * x.flatten(1).square().sum(dim=1).sin(),
    }


NAMES = ("linear", "sine", "mean logit", "learned", "any function")


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_leaves_softmax_and_loss_gradient_alone_and_adds_grad_g_to_every_logit_gradient(
    name: str,
) -> None:
    model, x = classifier(), images()
    g = shifts(model)[name]
    fooled = fooling.shift_logits(model, g)
    with torch.no_grad():
        torch.testing.assert_close(fooled(x).softmax(1), model(x).softmax(1), rtol=0, atol=1e-12)
    leaf = x.clone().requires_grad_(True)
    (grad_g,) = torch.autograd.grad(g(leaf).sum(), leaf)
    assert grad_g.abs().max() > 1e-3
    for target in range(5):
        torch.testing.assert_close(
            loss_gradient(fooled, x, target), loss_gradient(model, x, target), rtol=0, atol=1e-12
        )
        added = logit_gradient(fooled, x, target) - logit_gradient(model, x, target)
        torch.testing.assert_close(added, grad_g, rtol=0, atol=1e-12)


def test_a_linear_shift_adds_strength_times_the_picture_to_each_channel_of_the_logit_gradient() -> None:
    model, x, picture = classifier(), images(), stencils.smiley(8)[:, :4, :4].double()
    fooled = fooling.shift_logits(model, fooling.linear_shift(picture, 1e3))
    added = logit_gradient(fooled, x, 2) - logit_gradient(model, x, 2)
    torch.testing.assert_close(added, (1e3 * picture).expand(8, 3, 4, 4), rtol=0, atol=1e-11)


def test_with_the_mean_logit_shift_the_logit_gradients_sum_to_zero_over_the_classes() -> None:
    model, x = classifier(), images()
    centred = fooling.shift_logits(model, fooling.mean_logit_shift(model))
    total = torch.stack([logit_gradient(centred, x, target) for target in range(5)]).sum(dim=0)
    assert total.abs().max() < 1e-12


def test_a_learned_shift_brings_the_logit_gradient_to_the_picture_over_the_data() -> None:
    model, x, picture = classifier(), images(64), stencils.checkerboard(4, 2).double() - 0.5
    losses: list[float] = []
    g = fooling.learned_shift(
        model, x, picture, strength=2.0, steps=300, generator=torch.Generator().manual_seed(0),
        callback=lambda step, loss: losses.append(loss),
    )  # fmt: skip
    gradient = logit_gradient(fooling.shift_logits(model, g), x)
    wanted = (2 * picture).expand_as(gradient).flatten(1)
    before = F.cosine_similarity(logit_gradient(model, x).flatten(1), wanted).mean()
    after = F.cosine_similarity(gradient.flatten(1), wanted).mean()
    assert before < 0.5
    assert after > 0.98
    assert len(losses) == 300
    assert losses[-1] < 0.05 * losses[0]


def test_a_learned_shift_repeats_with_its_generator_and_trains_nothing_else() -> None:
    model, x, picture = classifier(), images(), stencils.checkerboard(4, 2)
    before = [parameter.clone() for parameter in model.parameters()]
    state, inputs = torch.get_rng_state(), x.clone()
    first, again = (
        fooling.learned_shift(model, x, picture, steps=4, generator=torch.Generator().manual_seed(1))
        for _ in range(2)
    )
    assert torch.equal(first(x), again(x))
    assert not any(parameter.requires_grad for parameter in first.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, inputs)


def test_a_module_given_to_learned_shift_is_the_one_that_is_trained() -> None:
    class Quadratic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(torch.zeros(D, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.a

    model = nn.Sequential(nn.Flatten(), nn.Linear(D, 1, bias=False)).double()
    g = Quadratic()
    trained = fooling.learned_shift(model, images(), torch.ones(1, 4, 4), g=g, steps=800, learning_rate=0.02)
    assert trained is g
    linear = model[1]
    assert isinstance(linear, nn.Linear)
    torch.testing.assert_close(g.a.data, 1 - linear.weight[0].data, atol=1e-3, rtol=0)  # its only minimum


@pytest.mark.parametrize(("epsilon", "frequency"), [(0.01, 500.0), (0.5, 3.0)])
def test_the_printed_ripple_keeps_to_both_bounds_and_attains_them(epsilon: float, frequency: float) -> None:
    model = classifier()
    loss = fooling.ripple_loss(model, epsilon, frequency)
    x, y = images(500), torch.arange(500) % 5

    def changes(points: Tensor) -> tuple[Tensor, Tensor]:
        leaf = points.clone().requires_grad_(True)
        difference = loss(leaf, y[: len(points)]) - F.cross_entropy(
            model(leaf), y[: len(points)], reduction="none"
        )
        (gradient,) = torch.autograd.grad(difference.sum(), leaf)
        return difference.detach().abs(), gradient.flatten(1).abs().sum(1)

    by, gradient_by = changes(x)
    bound = fooling.ripple_gradient_bound(epsilon, frequency, D)
    assert bound == pytest.approx(frequency * epsilon * D)
    assert by.max() <= fooling.ripple_loss_bound(epsilon) + 1e-12
    assert gradient_by.max() <= bound * (1 + 1e-12)
    top = changes(torch.full((1, 3, 4, 4), math.pi / 2 / frequency / D, dtype=torch.float64))
    assert float(top[0]) == pytest.approx(epsilon, rel=1e-9)  # sin = 1
    level = changes(torch.zeros(1, 3, 4, 4, dtype=torch.float64))
    assert float(level[1]) == pytest.approx(bound, rel=1e-9)  # cos = 1


def test_the_printed_ripples_losses_are_no_softmax_classifiers() -> None:
    x = torch.full((1, 3, 4, 4), math.pi / 2 / 10 / D, dtype=torch.float64)  # the crest: g = epsilon
    loss = fooling.ripple_loss(classifier(), 0.5, 10.0)
    probabilities = torch.stack([loss(x, i).detach() for i in range(5)]).neg().exp()
    assert float(probabilities.sum()) == pytest.approx(math.exp(-0.5), rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_the_real_ripple_keeps_to_both_bounds(scale: float) -> None:
    model, x, y = classifier(scale=scale), images(300), torch.arange(300) % 5
    epsilon, frequency, k = 0.4, 200.0, 3
    rippled = fooling.ripple_logit(model, epsilon, frequency, k)
    moved = F.cross_entropy(rippled(x), y, reduction="none") - F.cross_entropy(model(x), y, reduction="none")
    assert moved.abs().max() <= fooling.ripple_loss_bound(epsilon) + 1e-12
    change = (loss_gradient(rippled, x, y) - loss_gradient(model, x, y)).flatten(1).abs().sum(1)
    own = logit_gradient(model, x, k)
    gaps = [(own - logit_gradient(model, x, j)).flatten(1).abs().sum(1).max() for j in range(5)]
    bound = fooling.ripple_logit_gradient_bound(epsilon, frequency, D, gradient_gap=float(max(gaps)))
    assert change.max() <= bound
    assert change.max() > 0.5 * bound


def test_the_real_ripple_changes_one_logit_only_and_attains_the_gradient_bound_where_it_is_improbable() -> (
    None
):
    model = nn.Sequential(nn.Flatten(), nn.Linear(D, 2)).double()
    for parameter in model.parameters():
        parameter.data.zero_()
    model[1].bias.data = torch.tensor([40.0, 0.0], dtype=torch.float64)  # type: ignore[union-attr]
    rippled = fooling.ripple_logit(model, 0.1, 30.0, 1)
    x = torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        assert ((rippled(x + 0.01) - model(x + 0.01))[0] != 0).tolist() == [False, True]
    change = (loss_gradient(rippled, x, 1) - loss_gradient(model, x, 1)).abs().sum()
    assert float(change) == pytest.approx(fooling.ripple_gradient_bound(0.1, 30.0, D), rel=1e-12)


def test_tanh_of_a_quarter_epsilon_is_how_far_a_logistic_function_can_move() -> None:
    a = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    for epsilon in (0.1, 1.0, 4.0):
        most = float(((a + epsilon).sigmoid() - a.sigmoid()).max())
        second_term = fooling.ripple_logit_gradient_bound(epsilon, 1.0, 1, gradient_gap=1.0) - epsilon
        assert second_term == pytest.approx(most, rel=1e-8)


def test_a_high_frequency_is_exact_in_float32_too() -> None:
    x = torch.rand(50, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = 0.01 * (1e4 * x.double().flatten(1).sum(1)).sin()
    torch.testing.assert_close(fooling.sine_shift(0.01, 1e4)(x).double(), expected, rtol=0, atol=1e-8)


def test_shifted_models_train_save_and_move_as_modules(tmp_path: Path) -> None:
    fooled = fooling.shift_logits(
        models.resnet9(10, width=2), fooling.linear_shift(stencils.word("NO", 32), 3.0)
    )
    models.save_weights(fooled, tmp_path / "w.safetensors", dtype=torch.float32)
    assert "g.target" in fooled.state_dict()
    fooled.double().eval()
    assert fooled(torch.rand(1, 3, 32, 32, dtype=torch.float64)).dtype == torch.float64
    assert not fooled.model.training


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fooling.sine_shift(0.0, 1.0), "epsilon must be a positive"),
        (lambda: fooling.sine_shift(1.0, -1.0), "frequency must be a positive"),
        (lambda: fooling.ripple_loss(classifier(), -1.0, 1.0), "epsilon"),
        (lambda: fooling.ripple_logit(classifier(), 1.0, 1.0, -1), "target_class"),
        (lambda: fooling.ripple_logit(classifier(), 1.0, 1.0, 5)(images()), "classes are 0 to 4"),
        (lambda: fooling.ripple_gradient_bound(1.0, 1.0, 0), "dimension"),
        (lambda: fooling.ripple_logit_gradient_bound(1.0, 1.0, 1, gradient_gap=-1.0), "gradient_gap"),
        (lambda: fooling.linear_shift(torch.ones(2), math.inf), "must be finite"),
        (
            lambda: fooling.linear_shift(torch.ones(1, 5, 5), 1.0)(images()),
            r"\(1, 5, 5\), one input \(3, 4, 4\)",
        ),
        (
            lambda: fooling.shift_logits(classifier(), lambda x: x)(images()),
            r"to \(8,\) numbers; got \(8, 3, 4, 4\)",
        ),
        (lambda: fooling.learned_shift(classifier(), images(), torch.ones(4, 4), steps=0), "steps"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_model_that_returns_a_tuple_is_refused() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    with pytest.raises(TypeError, match="tuple"):
        fooling.shift_logits(Pair(), fooling.sine_shift(1.0, 1.0))(torch.rand(2, 3))


def test_pictures_are_centred_zeros_and_ones_of_the_size_asked_for() -> None:
    for picture in (stencils.smiley(28), stencils.checkerboard(28, 4), stencils.word("Hi!", 28)):
        assert picture.shape == (1, 28, 28)
        assert set(picture.unique().tolist()) == {0.0, 1.0}
    smiley = stencils.smiley(32)[0]
    assert torch.equal(smiley, smiley.fliplr())
    assert not torch.equal(smiley, smiley.flipud())
    board = stencils.checkerboard(8, 4)[0]
    assert torch.equal(board[:, 2:], 1 - board[:, :-2])
    letter = stencils.word("T", 7)[0, :, 1:6]
    assert letter[0].tolist() == [1] * 5
    assert letter[1:].sum(dim=0).tolist() == [0, 0, 6, 0, 0]


def test_pictures_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(ValueError, match="'Ä'"):
        stencils.word("Ä")
    with pytest.raises(ValueError, match="size, for 'FOOLED'"):
        stencils.word("fooled", 28)
    with pytest.raises(ValueError, match="squares"):
        stencils.checkerboard(28, 0)
