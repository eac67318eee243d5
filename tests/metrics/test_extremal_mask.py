"""The minimal mask on models whose best mask is known."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from companion import metrics
from companion.metrics.extremal_mask import _mask_of_area


class Corner(nn.Module):
    """Class 1 is the brightness of the upper left corner, class 0 the constant 0."""

    def __init__(self) -> None:
        """Set up."""
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        score = self.gain * x[:, :, :4, :4].sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(score), score], dim=1)


def picture() -> Tensor:
    x = torch.full((2, 1, 16, 16), 0.2)
    x[:, :, :4, :4] = 1.0
    return x


def test_mask_finds_the_corner_that_the_logit_reads() -> None:
    result = metrics.extremal_mask(Corner(), picture(), 1, area=0.15, steps=60)
    corner = result.mask[:, :, :4, :4].mean()
    elsewhere = result.mask[:, :, 8:, 8:].mean()
    assert corner > 0.9
    assert elsewhere < 0.05


def test_grey_replaces_by_one_half() -> None:
    result = metrics.extremal_mask(Corner(), picture(), 1, replacement="grey", steps=5)
    torch.testing.assert_close(result.perturbed, result.mask * picture() + (1 - result.mask) * 0.5)


@pytest.mark.parametrize("area", [0.05, 0.3, 0.9])
def test_area_holds_and_masks_lie_between_0_and_1(area: float) -> None:
    result = metrics.extremal_mask(Corner(), picture(), 1, area=area, steps=10)
    torch.testing.assert_close(result.mask.mean(dim=(1, 2, 3)), torch.full((2,), area), atol=1e-4, rtol=0)
    assert result.mask.min() >= 0
    assert result.mask.max() <= 1


def test_reported_log_density_ratio_is_the_logit_difference_of_the_perturbed_image() -> None:
    model, x = Corner(), picture()
    result = metrics.extremal_mask(model, x, 1, steps=10)
    blended = result.mask * x + (1 - result.mask) * x.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(result.perturbed, blended)
    with torch.no_grad():
        before, after = model(x), model(blended)
    torch.testing.assert_close(result.log_density_ratio, (after - before)[:, 1].double())
    torch.testing.assert_close(result.probability, after.double().softmax(dim=1)[:, 1])
    torch.testing.assert_close(result.clean_probability, before.double().softmax(dim=1)[:, 1])


def test_optimising_the_logit_gives_at_least_the_even_mask_and_the_larger_density_ratio() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.Softplus(), nn.Linear(16, 3))
    draws = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=draws)
    x = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    by_logit = metrics.extremal_mask(model, x, 0, area=0.3, steps=80)
    by_probability = metrics.extremal_mask(model, x, 0, area=0.3, steps=80, objective="probability")
    even = 0.3 * x + 0.7 * x.mean(dim=(2, 3), keepdim=True)
    with torch.no_grad():
        start = (model(even) - model(x))[:, 0].double()
    assert (by_logit.log_density_ratio >= start - 1e-5).all()
    assert by_logit.log_density_ratio.mean() > by_probability.log_density_ratio.mean()
    assert by_probability.probability.mean() > by_logit.probability.mean()


def test_adding_one_function_to_all_logits_moves_the_logit_mask_and_not_the_probability_mask() -> None:
    class Shifted(Corner):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 100 * x[:, :, 12:, 12:].sum(dim=(1, 2, 3))[:, None]

    x = picture().double()
    x[:, :, 12:, 12:] = 1.0
    options: dict[str, Any] = {"area": 0.15, "steps": 60}
    by_logit = metrics.extremal_mask(Shifted(), x, 1, **options).mask
    assert by_logit[:, :, 12:, 12:].mean() > 0.9  # g's corner, which no class uses
    kept = [
        metrics.extremal_mask(model, x, 1, objective="probability", **options).mask
        for model in (Corner(), Shifted())
    ]
    torch.testing.assert_close(kept[0], kept[1], atol=1e-4, rtol=0)


def test_gradient_through_the_area_constraint_equals_finite_differences() -> None:
    table = torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def value(t: Tensor) -> Tensor:
        return (weight * _mask_of_area(t, torch.Size((6, 6)), 0.3, 0.5)).sum()

    assert torch.autograd.gradcheck(value, table.requires_grad_(), eps=1e-6, atol=1e-5)


def test_batch_size_does_not_matter_and_nothing_is_changed() -> None:
    model, x = Corner(), picture()
    x[1] = x[1].flip(2)
    before = x.clone()
    whole = metrics.extremal_mask(model, x, 1, steps=15)
    single = metrics.extremal_mask(model, x, 1, steps=15, batch_size=1)
    torch.testing.assert_close(whole.mask, single.mask)
    assert torch.equal(x, before)
    assert model.training
    assert model.gain.grad is None
    frame = whole.to_frame()
    assert list(frame.columns) == ["measure", "value", "standard_error", "n", "objective"]
    assert frame["n"].tolist() == [2, 2, 2]
    assert frame.loc[0, "value"] == pytest.approx(whole.log_density_ratio.mean().item())
    assert frame.loc[1, "standard_error"] == pytest.approx(whole.probability.std().item() / 2**0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"area": 0.0}, "between 0 and 1"),
        ({"area": 1.0}, "between 0 and 1"),
        ({"objective": "loss"}, "'logit', 'probability'"),
        ({"replacement": "blur"}, "'mean', 'grey'"),
        ({"grid": 1}, "at least 2"),
        ({"steps": 0}, "at least 1"),
        ({"temperature": 0.0}, "positive"),
        ({"step_size": -1.0}, "positive"),
    ],
)
def test_bad_input_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.extremal_mask(Corner(), picture(), 1, **options)
