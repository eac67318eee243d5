"""Functions whose Hessian is known, and a small network whose Hessian PyTorch's own tools give."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Quadratic:
    """f_b(x) = x^T A_b x / 2 + <slope_b, x>: the Hessian is A_b, another for every row."""

    a: Tensor
    slope: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return (B,) values."""
        return 0.5 * torch.einsum("bi,bij,bj->b", x, self.a, x) + (self.slope * x).sum(dim=1)

    @property
    def trace(self) -> Tensor:
        """(B,) exact traces."""
        return self.a.diagonal(dim1=1, dim2=2).sum(dim=1)

    def repeated(self, rows: int) -> "Quadratic":
        """The first row's function for every one of many rows."""
        return Quadratic(self.a[:1].expand(rows, -1, -1), self.slope[:1].expand(rows, -1))

    def gradient(self, x: Tensor) -> Tensor:
        """Return (B, D) gradients at x."""
        return torch.einsum("bij,bj->bi", self.a, x) + self.slope


def make_quadratic(seed: int, batch: int, dimensions: int) -> tuple[Quadratic, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(batch, dimensions, dimensions, generator=generator, dtype=torch.float64)
    slope = torch.randn(batch, dimensions, generator=generator, dtype=torch.float64)
    x = torch.randn(batch, dimensions, generator=generator, dtype=torch.float64)
    return Quadratic(root + root.transpose(1, 2), slope), x


@pytest.fixture
def quadratic() -> Callable[[int, int, int], tuple[Quadratic, Tensor]]:
    """Return a maker of random quadratics: (seed, batch, dimensions) -> (f, x), in float64."""
    return make_quadratic


@pytest.fixture
def network() -> nn.Module:
    """A convolutional network in evaluation mode, float64, (B, 1, 4, 4) -> (B, 3), with batch norms."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1),
            nn.BatchNorm2d(3),
            nn.Softplus(beta=10),
            nn.Conv2d(3, 4, 3, stride=2, padding=1),
            nn.BatchNorm2d(4),
            nn.Softplus(beta=10),
            nn.Flatten(),
            nn.Linear(16, 3),
        ).double()
        for _ in range(3):
            model(torch.rand(8, 1, 4, 4, dtype=torch.float64))
    return model.eval()


@pytest.fixture
def images() -> Tensor:
    """Two images for the network."""
    return torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def hessian_trace() -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Return a reference: the traces, (B,), of the full Hessians that torch.autograd.functional computes."""

    def reference(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        traces = []
        for image, label in zip(x, target, strict=True):
            hessian = torch.autograd.functional.hessian(lambda z, i=label: model(z[None])[0, i], image)
            assert isinstance(hessian, Tensor)
            traces.append(hessian.reshape(image.numel(), image.numel()).trace())
        return torch.stack(traces)

    return reference
