"""Every mistake gets one sentence that says what to do."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from companion.audit import audit
from tests.audit.conftest import smooth


class _Of(nn.Module):
    def __init__(self, forward) -> None:
        super().__init__()
        self.inner, self.do = smooth(), forward

    def forward(self, x: Tensor) -> Tensor:
        return self.do(self.inner, x)


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        (lambda f, x: f(F.dropout(x, 0.5, training=True)), "draws random numbers"),
        (lambda f, x: f(x) + 0 * torch.rand(1, dtype=x.dtype), "draws random numbers"),
        (lambda f, x: f(x) * random.random(), "two calls on the same images gave different logits"),
        (lambda f, x: f(x - x.mean(dim=0)), "depend on the other images of the batch"),
        (lambda f, x: f(x) * torch.nan, "nan or inf"),
        (lambda f, x: f(x)[:, :1], "one output"),
        (lambda f, x: f(torch.cat([x, x], dim=1)), "images of the size and number of channels"),
        (lambda f, x: f(x)[None], "num_classes"),
    ],
)
def test_a_model_that_is_no_fixed_function_of_an_image_is_refused(do, sentence: str, x: Tensor) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(_Of(do), x, attributions=["saliency"])


def test_a_model_that_returns_no_tensor_is_refused(x: Tensor) -> None:
    with pytest.raises(TypeError, match="not one tensor of logits"):
        audit(_Of(lambda f, x: (f(x),)), x)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: 255 * x, r"must lie in \[0, 1\]; these go from"),
        (lambda x: x - 0.5, "put it inside the model"),
        (lambda x: x * torch.nan, r"must lie in \[0, 1\]"),
        (lambda x: (255 * x).byte(), "must be floating point"),
        (lambda x: x[0], "must be a batch"),
        (lambda x: x[:0], "at least one image"),
    ],
)
def test_images_out_of_range_or_shape_are_refused(change, sentence: str, x: Tensor) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(smooth(), change(x))


def _failing(inputs: Tensor, target: Tensor) -> Tensor:
    raise KeyError("no such layer")


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        (lambda inputs, target: inputs[:, :, :4], "'mine' returned shape"),
        (lambda inputs, target: inputs * torch.nan, "'mine' holds nan or inf"),
        (lambda inputs, target: None, "'mine' returned a NoneType"),
        (_failing, "'mine' failed on this model with a KeyError"),
        (lambda inputs, target: inputs.mean(dim=(2, 3), keepdim=True), "LayerAttribution.interpolate"),
    ],
)
def test_an_attribution_of_another_shape_or_with_nan_is_refused(attribute, sentence: str, x: Tensor) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(smooth(), x, attributions={"mine": lambda forward: attribute})


def test_an_attribution_with_noise_of_its_own_is_refused(x: Tensor) -> None:
    own = torch.Generator().manual_seed(0)

    def noisy(inputs: Tensor, target: Tensor) -> Tensor:
        return torch.rand(inputs.shape, generator=own, dtype=inputs.dtype)

    with pytest.raises(ValueError, match="another map each time"):
        audit(smooth(), x, attributions={"mine": lambda forward: noisy})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"attributions": ["salience"]}, "choose one of 'saliency'"),
        ({"attributions": []}, "at least one attribution"),
        ({"outputs": ["logits"]}, "choose one of 'logit'"),
        ({"outputs": []}, "at least one output"),
        ({"shifts": {}}, "at least one shift"),
        ({"shifts": {"g": lambda x: x}, "attributions": ["saliency"]}, "^a shift maps a batch"),
        ({"y": torch.zeros(3, dtype=torch.int64)}, "a class for each of the 7 images"),
        ({"y": 9}, "this model's classes are 0 to 3"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
    ],
)
def test_options_that_do_not_exist_are_refused(options: dict, sentence: str, x: Tensor) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(smooth(), x, **options)
