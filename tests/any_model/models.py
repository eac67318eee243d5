"""Small models of the kinds that readers bring."""

import torch
from torch import nn


def smooth() -> nn.Sequential:
    """Return a smooth classifier of (B, 1, 4, 4) images, in training mode."""
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Softplus(), nn.Linear(8, 3))


def images(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images in [0, 1] and their classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, 4, 4, generator=generator), torch.arange(count) % 3


class Before(nn.Module):
    """A classifier with something done to x first."""

    def __init__(self, function, body=None):
        super().__init__()
        self.function, self.body = function, body or smooth()

    def forward(self, x):
        return self.body(self.function(x, self.training))
