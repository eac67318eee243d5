"""Pixel perturbation on models whose curves are known by hand."""

import math
from typing import Any

import pytest
import torch
from captum.attr import Saliency
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from companion import metrics


class Linear(nn.Module):
    """Class 1 has the logit sum of weight times pixel, class 0 the logit 0; keeps what it was asked."""

    def __init__(self, weight: Tensor) -> None:
        """Set up."""
        super().__init__()
        self.weight = weight
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        self.seen.append(x.detach().clone())
        score = (x * self.weight).flatten(1).sum(dim=1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 2, 2)


def test_logit_curve_of_a_linear_model_is_the_sum_of_removed_contributions() -> None:
    weight, x = image([1.0, 2.0, 4.0, 8.0]), image([0.9, 0.1, 0.7, 0.3])  # mean 0.5
    curve = metrics.pixel_perturbation(
        Linear(weight), x, 1, weight, fractions=[0, 0.25, 0.5, 0.75, 1], score="logit"
    )
    # Replacing pixel d by 0.5 changes f by w_d (0.5 - x_d): -0.4, +0.8, -0.8, +1.6.
    assert curve.value.tolist() == pytest.approx([0.0, -0.4, 0.4, -0.4, 1.2])
    most = metrics.pixel_perturbation(
        Linear(weight), x, 1, weight, fractions=[0.25, 0.5], score="logit", order="most"
    )
    assert most.value.tolist() == pytest.approx([1.6, 0.8])


def test_probability_and_accuracy_follow_from_the_logit() -> None:
    weight, x = image([0.0, 0.0, 0.0, 10.0]), image([0.0, 0.0, 0.0, 1.0])  # f = 10, then 2.5 at the mean 0.25
    options: dict[str, Any] = {"fractions": [0.0, 0.75, 1.0]}
    probability = metrics.pixel_perturbation(Linear(weight), x, 1, weight, score="probability", **options)
    assert probability.value.tolist() == pytest.approx([1 / (1 + math.exp(-f)) for f in (10, 10, 2.5)])
    negative = metrics.pixel_perturbation(
        Linear(weight - 5), x, 1, weight, **options
    )  # f = 5, 5 - 3.75, -2.5
    assert negative.value.tolist() == [1.0, 1.0, 0.0]


def test_model_of_one_pixel_keeps_its_accuracy_until_that_pixel_goes() -> None:
    weight = torch.zeros(1, 1, 5, 5)
    weight[..., 2, 2] = 1.0
    x = torch.zeros(8, 1, 5, 5)
    x[..., 2, 2] = 1.0
    x[:4] *= -1  # the first four are of class 0
    y = torch.tensor([0] * 4 + [1] * 4)
    fractions = torch.linspace(0, 1, 26)  # k = 0 ... 25
    options: dict[str, Any] = {"fractions": fractions, "replacement": "grey"}  # grey has f = 0.5: class 1
    least = metrics.pixel_perturbation(Linear(weight), x, y, weight.expand_as(x), **options)
    assert least.value.tolist() == [1.0] * 25 + [0.5]
    most = metrics.pixel_perturbation(Linear(weight), x, y, weight.expand_as(x), order="most", **options)
    assert most.value.tolist() == [1.0] + [0.5] * 25
    assert least.standard_error[-1].item() == pytest.approx(math.sqrt(2 / 7 / 8))  # four ones of eight


def test_ties_go_by_index_in_both_orders() -> None:
    x = image([0.1, 0.2, 0.3, 0.4])
    for order in ("least", "most"):
        model = Linear(torch.ones_like(x))
        metrics.pixel_perturbation(model, x, 1, torch.ones_like(x), fractions=[0.5], order=order)
        assert model.seen[-1].flatten().tolist() == pytest.approx([0.25, 0.25, 0.3, 0.4])


@pytest.mark.parametrize("order", ["least", "most"])
def test_ties_go_by_index_in_large_images_too(order: str) -> None:
    x = 2 + torch.rand(2, 1, 64, 64, generator=generator())
    replaced = changed(x, torch.ones_like(x), 0.3, order=order)
    k = round(0.3 * 64 * 64)
    assert replaced[:, :k].all()
    assert not replaced[:, k:].any()


def test_half_pixels_are_rounded_to_even() -> None:
    x = torch.rand(1, 1, 2, 5)
    for fraction, expected in ((0.05, 0), (0.15, 2), (0.25, 2), (0.29, 3), (1.0, 10)):
        model = Linear(x)
        metrics.pixel_perturbation(model, x, 1, x, fractions=[fraction], replacement="grey")
        assert (model.seen[-1] != x).sum() == expected


def test_mean_replacement_is_of_each_original_image_and_channel() -> None:
    x = torch.rand(3, 2, 4, 4)
    model = Linear(torch.ones(1, 2, 4, 4))
    metrics.pixel_perturbation(model, x, 1, x, fractions=[0.5, 1.0])
    assert torch.equal(model.seen[-1], x.mean(dim=(2, 3), keepdim=True).expand_as(x))
    # At one half too: the mean of the original, not of what is left.
    replaced = model.seen[-2] != x
    assert torch.equal(model.seen[-2][replaced], x.mean(dim=(2, 3), keepdim=True).expand_as(x)[replaced])


def test_grey_is_one_half_and_the_curve_says_what_was_scored() -> None:
    x = torch.rand(2, 3, 4, 4)
    model = Linear(torch.ones(1, 3, 4, 4))
    options: dict[str, Any] = {"replacement": "grey", "score": "probability"}
    curve = metrics.pixel_perturbation(model, x, 1, x, fractions=[1.0], **options)
    assert torch.equal(model.seen[-1], torch.full_like(x, 0.5))
    assert curve.score == "probability"


def test_two_channels_have_a_spread_and_two_maps_for_three_channels_are_refused() -> None:
    x, two = torch.rand(1, 2, 4, 4), torch.rand(1, 2, 4, 4)
    model = Linear(torch.ones(1, 1, 4, 4))
    curve = metrics.pixel_perturbation(model, x, 1, two, fractions=[0.5], relevance="channel_std")
    assert curve.value.isfinite().all()
    with pytest.raises(ValueError, match="or one channel"):
        metrics.pixel_perturbation(model, torch.rand(1, 3, 4, 4), 1, two, fractions=[0.5])


def test_random_replacement_and_order_are_reproducible_and_differ_by_seed() -> None:
    x = torch.rand(6, 1, 4, 4)
    weight = torch.rand(1, 1, 4, 4)

    def values(seed: int) -> list[float]:
        options: dict[str, Any] = {"order": "random", "replacement": "random", "score": "logit"}
        return metrics.pixel_perturbation(
            Linear(weight), x, 1, None, fractions=[0.3], generator=generator(seed), **options
        ).value.tolist()

    assert values(1) == values(1)
    assert values(1) != values(2)


def test_channel_std_calls_equal_gradients_irrelevant_and_absolute_sum_does_not() -> None:
    x = torch.rand(1, 3, 1, 2, dtype=torch.float64)
    saliency = torch.tensor([[5.0, 0.0], [5.0, 1.0], [5.0, -1.0]]).view(1, 3, 1, 2)
    kept = {}
    for relevance in ("absolute_sum", "channel_std"):
        model = Linear(torch.ones_like(x))
        metrics.pixel_perturbation(
            model, x, 1, saliency, fractions=[0.5], relevance=relevance, replacement="grey"
        )
        kept[relevance] = (model.seen[-1] == x).all(dim=1).flatten().tolist()
    assert kept == {"absolute_sum": [True, False], "channel_std": [False, True]}
    with pytest.raises(ValueError, match="one channel"):
        metrics.pixel_perturbation(Linear(x), x, 1, saliency[:, :1], fractions=[0.5], relevance="channel_std")


@pytest.mark.parametrize("score", ["accuracy", "probability", "logit"])
def test_captum_callable_equals_its_tensor_in_any_batch_size(score: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Flatten(), nn.Linear(64, 5)).double()
    x, y = torch.rand(7, 3, 6, 6, dtype=torch.float64), torch.arange(7) % 5
    maps = Saliency(model).attribute(x.clone().requires_grad_(), target=y, abs=False)
    options: dict[str, Any] = {"fractions": [0, 0.2, 0.9, 1], "score": score}
    expected = metrics.pixel_perturbation(model, x, y, maps, **options)
    for size in (1, 3, 7):
        got = metrics.pixel_perturbation(model, x, y, Saliency(model).attribute, batch_size=size, **options)
        torch.testing.assert_close(got.per_sample, expected.per_sample)


def test_inputs_saliency_modes_and_gradients_are_left_alone_also_after_an_error() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    model[1].eval()
    modes = [module.training for module in model.modules()]
    x, maps = torch.rand(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    copies = x.clone(), maps.clone()
    metrics.pixel_perturbation(model, x, 0, maps, fractions=[0, 0.5], replacement="random")
    metrics.pixel_perturbation(model, x, 0, Saliency(model).attribute, fractions=[0, 0.5])

    def broken(inputs: Tensor, target: Tensor) -> Tensor:
        inputs.data.zero_()
        raise RuntimeError("no map today")

    with pytest.raises(RuntimeError, match="no map today"):
        metrics.pixel_perturbation(model, x, 0, broken, fractions=[0.5])
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(x, copies[0])
    assert torch.equal(maps, copies[1])
    assert not x.requires_grad


def test_target_none_scores_the_clean_prediction() -> None:
    model = Linear(torch.ones(1, 1, 2, 2))
    x = torch.stack([torch.full((1, 2, 2), -0.5), torch.full((1, 2, 2), 0.5)])
    curve = metrics.pixel_perturbation(model, x, None, x, fractions=[0.0])
    assert curve.value.item() == 1.0


def test_relative_curve_has_the_delta_method_error_of_a_paired_ratio() -> None:
    fractions = torch.tensor([0.0, 1.0], dtype=torch.float64)
    clean = torch.tensor([1.0, 1, 1, 1, 1, 1, 0, 0], dtype=torch.float64)
    after = torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0], dtype=torch.float64)
    curve = metrics.Curve.from_samples(fractions, torch.stack([clean, after]), "accuracy").relative()
    assert curve.value.tolist() == pytest.approx([1.0, 0.5])
    assert curve.standard_error[0] == 0
    # (var a + r^2 var c - 2 r cov) / (n cbar^2), with r = 1/2, cbar = 3/4 and unbiased moments.
    cov = torch.cov(torch.stack([after, clean]))
    variance = (cov[0, 0] + 0.25 * cov[1, 1] - 2 * 0.5 * cov[0, 1]) / (8 * 0.75**2)
    assert curve.standard_error[1].item() == pytest.approx(math.sqrt(variance))


def test_relative_curve_needs_clean_images_some_accuracy_and_no_logits() -> None:
    def curve(fractions: list[float], value: float, score: str) -> metrics.Curve:
        levels = torch.tensor(fractions, dtype=torch.float64)
        return metrics.Curve.from_samples(levels, torch.full((len(levels), 3), value), score)

    with pytest.raises(ValueError, match="0.0 among the fractions"):
        curve([0.5], 1.0, "accuracy").relative()
    with pytest.raises(ValueError, match="is 0"):
        curve([0.0], 0.0, "accuracy").relative()
    with pytest.raises(ValueError, match="accuracy"):
        curve([0.0], 1.0, "logit").relative()


def test_difference_of_curves_is_paired() -> None:
    fractions = torch.tensor([0.5], dtype=torch.float64)
    noisy = torch.randn(1, 100, generator=generator(), dtype=torch.float64)
    first = metrics.Curve.from_samples(fractions, noisy + 1, "probability")
    second = metrics.Curve.from_samples(fractions, noisy, "probability")
    difference = first.minus(second)
    assert difference.value.item() == pytest.approx(1)
    assert difference.standard_error.item() < 1e-12
    with pytest.raises(ValueError, match="same fractions"):
        first.minus(metrics.Curve.from_samples(fractions + 0.1, noisy, "probability"))


def test_area_of_a_straight_line_is_its_middle() -> None:
    fractions = torch.tensor([0.0, 0.1, 1.0], dtype=torch.float64)
    curve = metrics.Curve.from_samples(fractions, (1 - fractions)[:, None].expand(3, 4), "accuracy")
    assert curve.area().tolist() == pytest.approx([0.5] * 4)
    with pytest.raises(ValueError, match="increasing"):
        metrics.Curve.from_samples(fractions.flip(0), curve.per_sample, "accuracy").area()


def test_frame_has_a_row_a_fraction_with_an_interval() -> None:
    x = torch.rand(5, 1, 4, 4)
    frame = metrics.pixel_perturbation(
        Linear(x[:1]), x, 1, x, fractions=[0, 1], score="probability"
    ).to_frame()
    assert frame["fraction"].tolist() == [0.0, 1.0]
    low, value, high = (frame[name].to_numpy() for name in ("low", "value", "high"))
    assert (low <= value).all()
    assert (value <= high).all()
    assert frame["n"].tolist() == [5, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "worst"}, "'least', 'most', 'random'"),
        ({"replacement": "blur"}, "'mean', 'grey', 'random'"),
        ({"score": "loss"}, "'accuracy', 'probability', 'logit'"),
        ({"relevance": "sum"}, "'absolute_sum', 'channel_std'"),
        ({"fractions": [1.1]}, "between 0 and 1"),
        ({"fractions": [-0.1]}, "between 0 and 1"),
        ({"fractions": [math.nan]}, "between 0 and 1"),
        ({"fractions": []}, "non-empty"),
        ({"batch_size": 0}, "at least 1"),
        ({"saliency": torch.rand(3, 1, 4, 5)}, "shape"),
        ({"saliency": torch.full((3, 1, 4, 4), math.nan)}, "diverged"),
        ({"saliency": lambda inputs, target: inputs[:1]}, "shape"),
        ({"y": torch.tensor([0, 1])}, r"shape \(3,\)"),
        ({"y": 2}, "classes are 0 to 1"),
        ({"x": torch.rand(3, 16)}, r"\(B, C, H, W\)"),
        ({"x": torch.rand(0, 1, 4, 4), "saliency": torch.rand(0, 1, 4, 4)}, "at least one"),
    ],
)
def test_bad_input_is_refused_with_what_is_allowed(options: dict, message: str) -> None:
    given_x = torch.rand(3, 1, 4, 4)
    call: dict[str, Any] = {"x": given_x, "y": 1, "saliency": given_x, "fractions": [0.5], **options}
    with pytest.raises(ValueError, match=message):
        metrics.pixel_perturbation(Linear(torch.ones(1, 1, 4, 4)), **call)


@pytest.mark.parametrize("saliency", [None, "gradient", lambda inputs, target: (inputs,)])
def test_saliency_that_is_no_map_is_a_type_error(saliency: object) -> None:
    x = torch.rand(3, 1, 4, 4)
    with pytest.raises(TypeError, match="saliency"):
        metrics.pixel_perturbation(Linear(x), x, 1, saliency, fractions=[0.5])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("order", ["least", "random"])
def test_images_of_whole_numbers_are_refused_with_the_remedy(order):
    x = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    with pytest.raises(ValueError, match=r"floating-point batch .* x.float\(\) / 255"):
        metrics.pixel_perturbation(model, x, 1, torch.rand(1, 1, 4, 4), fractions=[0.5], order=order)


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))


def changed(x: Tensor, saliency: Tensor | None, fraction: float, **options) -> Tensor:  # noqa: ANN003
    """Return which pixels were replaced, (B, H W): x lies in (2, 3), outside what replaces it."""
    model = Linear(torch.ones(1, *x.shape[1:]))
    metrics.pixel_perturbation(model, x, 1, saliency, fractions=[fraction], replacement="grey", **options)
    different = model.seen[-1] != x
    assert torch.equal(different.any(dim=1), different.all(dim=1))  # a pixel is all its channels
    return different[:, 0].flatten(1)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.floats(0, 1), st.sampled_from(["least", "most", "random"]), st.integers(0, 10**6))
def test_exactly_k_pixels_are_replaced_in_every_image(
    shape: tuple, fraction: float, order: str, seed: int
) -> None:
    x = 2 + torch.rand(shape, generator=generator(seed))
    coarse = torch.randint(0, 3, shape, generator=generator(seed)).float()  # with many ties
    k = round(fraction * shape[2] * shape[3])
    assert changed(x, coarse, fraction, order=order).sum(dim=1).tolist() == [k] * shape[0]


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.data(), st.integers(0, 10**6))
def test_least_k_and_most_of_the_rest_partition_the_pixels(
    shape: tuple, data: st.DataObject, seed: int
) -> None:
    pixels = shape[2] * shape[3]
    k = data.draw(st.integers(0, pixels))
    x = 2 + torch.rand(shape, generator=generator(seed))
    distinct = torch.rand(shape, generator=generator(seed + 1), dtype=torch.float64)
    least = changed(x, distinct, k / pixels, order="least")
    most = changed(x, distinct, (pixels - k) / pixels, order="most")
    assert torch.equal(least, ~most)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.floats(0, 1), st.integers(-20, 20), st.booleans(), st.integers(0, 10**6))
def test_scale_sign_and_channel_order_of_the_saliency_do_not_matter(
    shape: tuple, fraction: float, exponent: int, negate: bool, seed: int
) -> None:
    x = 2 + torch.rand(shape, generator=generator(seed))
    saliency = torch.randint(-8, 9, shape, generator=generator(seed)).double()  # sums are exact
    scaled = saliency.flip(1) * (-1 if negate else 1) * 2.0**exponent
    assert torch.equal(changed(x, saliency, fraction), changed(x, scaled, fraction))


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.floats(0, 1), st.integers(0, 10**6))
def test_permuting_images_permutes_the_result(shape: tuple, fraction: float, seed: int) -> None:
    x = 2 + torch.rand(shape, generator=generator(seed))
    saliency = torch.randn(shape, generator=generator(seed + 1))
    order = torch.randperm(shape[0], generator=generator(seed))
    assert torch.equal(changed(x, saliency, fraction)[order], changed(x[order], saliency[order], fraction))
