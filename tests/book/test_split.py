"""A logit in three parts: what adds up, what the probabilities determine, what a shift reaches."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from companion import fooling
from companion.audit.split import split_gradient, split_logits
from companion.gradients import log_probability_gradient, logit_gradient
from companion.metrics import median_interval


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 16), nn.Softplus(), nn.Linear(16, 4)).double()


@pytest.fixture
def x() -> Tensor:
    return torch.rand(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def y() -> Tensor:
    return torch.tensor([0, 1, 2, 3, 0, 1, 2])


def wavy(x: Tensor) -> Tensor:
    return 3 * (4 * x).sin().sum(dim=1) + x.square().sum(dim=1)


def test_the_three_parts_add_up_to_the_logit_and_to_its_gradient(network, x, y):
    with torch.no_grad():
        parts = split_logits(network(x), y)
        torch.testing.assert_close(parts.whole, network(x).gather(1, y[:, None])[:, 0], rtol=0, atol=1e-13)
    torch.testing.assert_close(
        split_gradient(network, x, y).whole, logit_gradient(network, x, y), rtol=0, atol=1e-13
    )


def test_own_is_the_log_probability_and_common_the_gradient_of_logsumexp(network, x, y):
    parts = split_gradient(network, x, y)
    leaf = x.clone().requires_grad_()
    (common,) = torch.autograd.grad(network(leaf).logsumexp(dim=1).sum(), leaf)
    torch.testing.assert_close(parts.own, log_probability_gradient(network, x, y), rtol=0, atol=1e-13)
    torch.testing.assert_close(parts.common, common, rtol=0, atol=1e-13)


def test_the_free_part_of_centred_logits_vanishes_and_the_other_two_stay(network, x, y):
    before = split_gradient(network, x, y)
    centred = fooling.shift_logits(network, fooling.mean_logit_shift(network))
    after = split_gradient(centred, x, y)
    assert float(before.free.abs().max()) > 0.01
    assert float(after.free.abs().max()) < 1e-13
    torch.testing.assert_close(after.whole, before.centred, rtol=0, atol=1e-13)


def test_a_shift_of_all_logits_changes_the_free_part_by_its_gradient_and_nothing_else(network, x, y):
    before = split_gradient(network, x, y)
    after = split_gradient(fooling.shift_logits(network, wavy), x, y)
    leaf = x.clone().requires_grad_()
    (added,) = torch.autograd.grad(wavy(leaf).sum(), leaf)
    torch.testing.assert_close(after.free - before.free, added, rtol=0, atol=1e-12)
    torch.testing.assert_close(after.own, before.own, rtol=0, atol=1e-12)
    torch.testing.assert_close(after.others, before.others, rtol=0, atol=1e-12)


def test_the_centred_logit_is_the_mean_of_the_log_odds_against_every_class(network, x):
    log_p = network(x).log_softmax(dim=1)
    odds = (log_p[:, [2]] - log_p).mean(dim=1)
    torch.testing.assert_close(split_logits(network(x), 2).centred, odds, rtol=0, atol=1e-13)


def test_shares_are_lengths_relative_to_the_whole_map():
    linear = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, 0.0], [-3.0, 0.0]]))
    shares = split_gradient(linear, torch.zeros(1, 2, dtype=torch.float64), 0).shares()
    # At x = 0 both probabilities are 1/2: grad log p_0 = 3, grad log p_1 = -3, and the mean logit is 0.
    assert {name: float(share) for name, share in shares.items()} == {"own": 1.0, "others": 0.0, "free": 0.0}


def test_median_interval_covers_the_median_in_95_percent_of_samples():
    draws = torch.randn(2000, 15, generator=torch.Generator().manual_seed(0)).exp()
    found = [median_interval(sample) for sample in draws]
    covered = sum(one.low <= 1 <= one.high for one in found) / len(found)
    # Ranks 4 and 12 of 15: 1 - 2 P(Bin(15, 1/2) <= 3) = 0.9648.
    assert covered == pytest.approx(0.9648, abs=0.015)
    assert math.isnan(median_interval(torch.arange(5.0)).low)
    assert math.isnan(median_interval(torch.empty(0)).value)
