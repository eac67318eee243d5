"""Small classifiers whose maps are known by hand, and what all tests of audits share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn


def linear(side: int = 8, classes: int = 3) -> nn.Module:
    """Return f = W x + b, whose gradients are the rows of W."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(side * side, classes)).double()


def smooth(side: int = 8, classes: int = 4) -> nn.Module:
    """Return a network with a softplus, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(side * side, 16), nn.Softplus(), nn.Linear(16, classes)
        ).double()


@pytest.fixture
def x() -> Tensor:
    return torch.rand(7, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)
