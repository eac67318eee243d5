"""The cures: the same probabilities, gradients in closed form, and no function g in them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from companion import fooling
from companion.audit import centred, shift_invariant, split_gradient
from companion.gradients import logit_gradient, loss_gradient
from tests.audit.conftest import linear, smooth

CURES = [centred, shift_invariant]
EXACT = {"rtol": 0, "atol": 1e-12}


def wavy(x: Tensor) -> Tensor:
    return 50 * (3 * x).sin().flatten(1).sum(dim=1)


@pytest.mark.parametrize("cure", CURES)
def test_a_cured_classifier_has_the_same_probabilities(cure, x: Tensor) -> None:
    model = smooth()
    torch.testing.assert_close(cure(model)(x).softmax(dim=1), model(x).softmax(dim=1), **EXACT)


@pytest.mark.parametrize("cure", CURES)
def test_the_gradient_of_a_cured_classifier_is_the_same_after_a_shift(cure, x: Tensor) -> None:
    model = smooth()
    tampered = fooling.shift_logits(model, wavy)
    before, after = (logit_gradient(cure(f), x, 2) for f in (model, tampered))
    torch.testing.assert_close(after, before, **EXACT)
    moved = logit_gradient(tampered, x, 2) - logit_gradient(model, x, 2)
    assert moved.abs().max() > 100 * before.abs().max()


def test_the_centred_gradient_is_the_row_of_the_weights_less_their_mean(x: Tensor) -> None:
    model = linear()
    weight = model[1].weight
    wanted = (weight[1] - weight.mean(dim=0)).view(1, 1, 8, 8).expand_as(x)
    torch.testing.assert_close(logit_gradient(centred(model), x, 1), wanted, **EXACT)


def test_the_log_probability_gradient_is_the_logit_gradient_less_its_mean_under_p(x: Tensor) -> None:
    model = smooth()
    p = model(x).softmax(dim=1)
    each = torch.stack([logit_gradient(model, x, k) for k in range(4)], dim=1)
    mean = (p[:, :, None, None, None] * each).sum(dim=1)
    found = logit_gradient(shift_invariant(model), x, 3)
    torch.testing.assert_close(found, each[:, 3] - mean, **EXACT)
    torch.testing.assert_close(found, -loss_gradient(model, x, 3), **EXACT)


def test_the_log_probability_gradient_obeys_its_bound_and_vanishes_where_the_classifier_is_sure(
    x: Tensor,
) -> None:
    model = smooth()
    with torch.no_grad():
        model[3].weight.mul_(60)
    y = model(x).argmax(dim=1)
    p = model(x).softmax(dim=1).gather(1, y[:, None])[:, 0]
    each = torch.stack([logit_gradient(model, x, k) for k in range(4)], dim=1).flatten(2)
    apart = (each[torch.arange(len(x)), y][:, None] - each).norm(dim=2).amax(dim=1)
    found = logit_gradient(shift_invariant(model), x, y).flatten(1).norm(dim=1)
    assert bool((found <= (1 - p) * apart * (1 + 1e-9)).all())
    surest = int(p.argmax())
    assert found[surest] < 1e-2 * apart[surest]
    kept = logit_gradient(centred(model), x, y).flatten(1).norm(dim=1)
    assert kept[surest] > 0.1 * apart[surest]


def test_centred_logits_have_no_free_part(x: Tensor) -> None:
    model = smooth()
    assert split_gradient(model, x, 0).shares()["free"].min() > 0.01
    assert split_gradient(centred(model), x, 0).shares()["free"].max() < 1e-14


@pytest.mark.parametrize("cure", CURES)
def test_a_cure_shares_the_weights_of_its_model(cure) -> None:
    model = smooth()
    cured = cure(model)
    assert isinstance(cured, nn.Module)
    assert [p.data_ptr() for p in cured.parameters()] == [p.data_ptr() for p in model.parameters()]
