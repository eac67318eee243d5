"""What an audit measures, on classifiers whose maps move by amounts known by hand."""

from __future__ import annotations

import captum.attr
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from companion import fooling
from companion.audit import OUTPUTS, Explained, audit, centred, painter, shift_invariant
from companion.audit.attributions import GRADIENTS, ON_REQUEST, attribute_with, named
from companion.audit.shifts import checkerboard, loudness
from companion.gradients import log_probability_gradient, logit_gradient
from companion.metrics import pixel_perturbation
from tests.audit.conftest import linear, smooth

IMMUNE = ("log_probability", "probability", "centred_logit")


def test_a_linear_shift_moves_a_linear_models_map_by_the_ratio_of_their_lengths(x: Tensor) -> None:
    model, picture = linear(), checkerboard(8, 8).double()
    g = fooling.linear_shift(picture, 3.0)
    report = audit(model, x, 1, attributions=["saliency"], outputs=["logit"], shifts={"mine": g})
    (row,) = report.movements
    wanted = 3 * float(picture.norm()) / float(model[1].weight[1].detach().norm())
    assert row.per_image.tolist() == pytest.approx([wanted] * 7, rel=1e-10)
    assert row.change.value == pytest.approx(wanted, rel=1e-10)
    assert row.moved
    ranks = stats.spearmanr(
        model[1].weight[1].detach().numpy(), (model[1].weight[1] + 3 * picture.flatten()).detach().numpy()
    )
    assert row.correlation.value == pytest.approx(ranks.statistic, rel=1e-10)


def test_the_area_is_that_of_the_curves_of_the_two_maps(x: Tensor) -> None:
    model, g = smooth(), fooling.linear_shift(checkerboard(8, 8).double(), 30.0)
    report = audit(model, x, 1, attributions=["saliency"], outputs=["logit"], shifts={"mine": g})
    curves = [
        pixel_perturbation(
            model, x, 1, logit_gradient(f, x, 1), fractions=[0, 0.25, 0.5, 0.75], score="probability"
        ).area()
        for f in (fooling.shift_logits(model, g), model)
    ]
    area = report.movements[0].area
    assert area is not None
    assert area.value == pytest.approx(float((curves[0] - curves[1]).mean()), rel=1e-9)
    assert area.low < area.value < area.high


@pytest.mark.parametrize("name", GRADIENTS + ON_REQUEST)
def test_every_named_method_is_fooled_through_the_logit_and_through_nothing_else(
    name: str, x: Tensor, generator: torch.Generator
) -> None:
    model = smooth()
    g = fooling.linear_shift(checkerboard(8, 8).double(), 20.0)
    report = audit(
        model, x[:2], 0, attributions=[name], shifts={"mine": g}, generator=generator, perturbation=False
    )
    changes = {row.output: row.change.value for row in report.movements}
    assert changes.pop("logit") > 0.5
    assert list(changes) == list(IMMUNE)
    assert max(changes.values()) < 1e-6
    assert report.movements[0].area is None
    assert report.names("attribution") == (name,)


def test_a_sine_of_a_hundredth_moves_gradients_and_no_occlusion_by_more_than_twice_that(x: Tensor) -> None:
    model, y = smooth(), torch.zeros(7, dtype=torch.int64)
    strength = loudness(model, x, y, 7)
    g = fooling.sine_shift(0.01, strength / 0.01)
    change = {
        name: (
            attribute_with(name, factory, Explained(model, "logit", g), x, y, seed=0)
            - attribute_with(name, factory, Explained(model), x, y, seed=0)
        )
        .abs()
        .max()
        for name, factory in named(["saliency", "occlusion"]).items()
    }
    assert 0.5 * strength < change["saliency"] <= strength
    assert 0 < change["occlusion"] <= 0.02


def test_the_three_shifts_move_the_logit_and_leave_every_answer(
    x: Tensor, generator: torch.Generator
) -> None:
    report = audit(smooth(), x, attributions=["saliency"], generator=generator)
    assert report.names("shift") == ("linear", "sine", "learned")
    assert {row.output for row in report.moved} == {"logit"}
    assert [row.shift for row in report.moved] == ["linear", "sine", "learned"]
    assert max(row.probability for row in report.unchanged) < 1e-12
    assert [row.predictions for row in report.unchanged] == [0, 0, 0]
    assert "logit can be redrawn at will" in report.verdict()


@pytest.mark.parametrize("cure", [centred, shift_invariant])
def test_a_cured_model_is_shifted_below_the_cure_and_nothing_moves(
    cure, x: Tensor, generator: torch.Generator
) -> None:
    report = audit(cure(smooth()), x, attributions=["saliency"], generator=generator)
    assert report.moved == ()
    assert report.cure == cure.__name__
    assert report.verdict().startswith("No map moved")
    if cure is centred:
        assert report.free.value < 1e-14


def test_the_free_share_and_the_lengths_are_those_of_the_gradients(
    x: Tensor, generator: torch.Generator
) -> None:
    model = smooth()
    report = audit(model, x, 2, attributions=["saliency"], generator=generator, perturbation=False)
    whole = logit_gradient(model, x, 2).flatten(1).norm(dim=1)
    mean = torch.stack([logit_gradient(model, x, k) for k in range(4)]).mean(dim=0).flatten(1).norm(dim=1)
    own = log_probability_gradient(model, x, 2).flatten(1).norm(dim=1)
    p = model(x).softmax(dim=1)[:, 2].detach()
    assert report.free.value == pytest.approx(float((mean / whole).median()), rel=1e-10)
    assert report.lengths["log_probability"].value == pytest.approx(float((own / whole).median()), rel=1e-10)
    assert report.lengths["probability"].value == pytest.approx(float((p * own / whole).median()), rel=1e-10)
    torch.testing.assert_close(report.label_probability, p)


def test_the_named_gradients_are_captums(x: Tensor) -> None:
    forward, y = Explained(smooth(), "logit"), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    maps = {
        name: attribute_with(name, factory, forward, x, y, seed=0)
        for name, factory in named(GRADIENTS).items()
    }
    gradient = logit_gradient(smooth(), x, y)
    torch.testing.assert_close(maps["saliency"], gradient)
    torch.testing.assert_close(maps["input_x_gradient"], x * gradient)
    path = captum.attr.IntegratedGradients(smooth()).attribute(x, target=y, n_steps=8)
    torch.testing.assert_close(maps["integrated_gradients"], path)
    assert 0 < (maps["smoothgrad"] - gradient).abs().max() < gradient.abs().max()


def test_captums_classes_are_factories_as_they_are(x: Tensor, generator: torch.Generator) -> None:
    mine = {
        "class": captum.attr.InputXGradient,
        "lambda": lambda forward: captum.attr.InputXGradient(forward),
        "function": lambda forward: lambda inputs, target: inputs * logit_gradient(forward, inputs, target),
    }
    report = audit(smooth(), x, 1, attributions=mine, outputs=["logit"], generator=generator)
    changes = [[row.change.value for row in report.movements if row.attribution == name] for name in mine]
    assert changes[1] == pytest.approx(changes[0])
    assert changes[2] == pytest.approx(changes[0])


def test_outputs_are_what_their_names_say(x: Tensor) -> None:
    model = smooth()
    logits = model(x)
    wanted = {
        "logit": logits,
        "log_probability": logits.log_softmax(dim=1),
        "probability": logits.softmax(dim=1),
        "centred_logit": logits - logits.mean(dim=1, keepdim=True),
    }
    assert wanted.keys() == OUTPUTS.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(Explained(model, name)(x), values)


def test_the_painter_paints_its_picture_on_images_that_it_has_not_seen() -> None:
    model = smooth()
    source = torch.Generator().manual_seed(0)
    seen, fresh = (torch.rand(64, 1, 8, 8, dtype=torch.float64, generator=source) for _ in range(2))
    picture, strength = checkerboard(8, 8).double(), 0.02
    g = painter(model, seen, picture, strength, steps=400, batch_size=32, generator=source)
    maps = logit_gradient(fooling.shift_logits(model, g), fresh)
    before = logit_gradient(model, fresh)
    likeness = torch.nn.functional.cosine_similarity(maps.flatten(1), picture.flatten()[None])
    assert likeness.min() > 0.9
    assert torch.nn.functional.cosine_similarity(before.flatten(1), picture.flatten()[None]).max() < 0.5


def test_the_same_generator_gives_the_same_report_and_the_global_state_is_left_alone(x: Tensor) -> None:
    model = smooth()
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    frames = [
        audit(
            model,
            x[:1],
            1,
            attributions=["smoothgrad", "lime"],
            perturbation=False,
            outputs=["logit"],
            generator=torch.Generator().manual_seed(5),
        ).to_frame()
        for _ in range(2)
    ]
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert frames[0].equals(frames[1])


def test_modes_and_images_are_as_they_were(x: Tensor, generator: torch.Generator) -> None:
    model, before = smooth().train(), x.clone()
    model[2].eval()
    audit(model, x, 1, attributions=["saliency"], outputs=["logit"], generator=generator)
    assert [module.training for module in model] == [True, True, False, True]
    assert torch.equal(x, before)
    assert not x.requires_grad


def test_a_map_of_zeros_that_stays_one_to_rounding_has_not_moved(
    x: Tensor, generator: torch.Generator
) -> None:
    model = linear()
    with torch.no_grad():
        model[1].weight.zero_()
    report = audit(model, x, 0, attributions=["saliency"], generator=generator)
    assert {row.output for row in report.moved} == {"logit"}
    assert report.free.value == 0


def test_a_classifier_as_sure_as_float64_can_say_is_not_said_to_be_fooled(
    x: Tensor, generator: torch.Generator
) -> None:
    model = smooth()
    with torch.no_grad():
        model[3].bias[2] += 60
    report = audit(model, x, 2, attributions=["saliency"], generator=generator)
    assert report.sure == len(x)
    assert {row.output for row in report.moved} == {"logit"}


def test_rules_for_relu_modules_are_said_to_do_nothing_on_a_softplus(
    x: Tensor, generator: torch.Generator
) -> None:
    soft = audit(smooth(), x, 0, attributions=["guided_backprop"], outputs=["logit"], generator=generator)
    assert any("guided_backprop changes what nn.ReLU modules hand back" in note for note in soft.notes)


def test_rules_for_relu_modules_are_not_said_to_do_nothing_where_there_are_some(
    x: Tensor, generator: torch.Generator
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4)).double()
    report = audit(model, x, 0, attributions=["guided_backprop"], outputs=["logit"], generator=generator)
    assert not any("guided_backprop" in note for note in report.notes)


def test_the_frame_has_a_row_for_each_attribution_output_and_shift(
    x: Tensor, generator: torch.Generator
) -> None:
    frame = audit(smooth(), x, attributions=["saliency", "input_x_gradient"], generator=generator).to_frame()
    assert len(frame) == 2 * 4 * 3
    assert bool((frame["change_low"] <= frame["change"]).all())
    assert frame.groupby("output")["moved"].sum().to_dict() == dict.fromkeys(IMMUNE, 0) | {"logit": 6}
