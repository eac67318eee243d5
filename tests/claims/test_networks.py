"""What is computed from networks: the attack, confidence, time; on models whose answer is known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import nn

from companion.claims.evidence import networks
from companion.claims.evidence.records import Shelf
from companion.experiments import presets, shelf, training
from companion.metrics import median_interval
from tests.claims.conftest import Maker


def two_pixels() -> nn.Module:
    """Logits that differ by the difference of two pixels."""
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear)


def test_the_attack_moves_every_pixel_by_epsilon_against_the_class_within_the_box() -> None:
    x = torch.tensor([[[[0.5, 0.4]]], [[[0.05, 0.95]]]])
    moved = networks.attack(two_pixels(), x, torch.tensor([0, 0]), 0.1)
    torch.testing.assert_close(moved, torch.tensor([[[[0.4, 0.5]]], [[[0.0, 1.0]]]]))


def test_the_medians_interval_is_free_of_assumptions_and_covers_as_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(2000):
        interval = median_interval(torch.rand(15, generator=generator).pow(3))
        covered += interval.low <= 0.125 <= interval.high
    exact = 1 - 2 * stats.binom.cdf(3, 15, 0.5)  # 0.9648
    assert covered / 2000 == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2000))
    assert math.isnan(median_interval(torch.rand(5)).low)
    assert not math.isnan(median_interval(torch.rand(6)).low)


def test_a_slower_estimate_has_a_ratio_above_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        networks, "_seconds", lambda action: torch.tensor(2.0 if "hutchinson" in str(action) else 1.0)
    )
    model, x = two_pixels(), torch.rand(3, 1, 1, 2)
    ratios = networks.cost_ratios(model, x, torch.tensor([0, 1, 0]), 4)
    assert ratios["estimate"].tolist() == pytest.approx([math.log(2)] * 4)


def test_without_a_trained_network_the_untrained_one_is_the_subject(make_run: Maker) -> None:
    model, x, y, run = networks.subject(Shelf(tier="tiny", dataset="mnist5k"))
    assert run is None
    assert next(model.parameters()).dtype == x.dtype == torch.float64
    assert len(x) == len(y) == 8


def test_a_trained_run_is_attacked_and_its_loss_gradients_are_measured(make_run: Maker) -> None:
    settings = presets.preset("tiny", "mnist5k", "baseline", train_size=64)
    run = training.train(settings, progress=False)
    interval = networks.attacked_accuracy(run)
    assert interval.n == networks.IMAGES["tiny"]
    assert networks.attacked_accuracy(shelf.load(run.directory)) is interval
    row = networks.loss_gradients_by_confidence(run)
    assert row["confident"] == 0.0
    assert math.isnan(row["gradient_confident"])
    assert row["loss_others"] == pytest.approx(math.log(10), rel=0.5)
