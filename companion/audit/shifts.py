"""The functions that an audit adds to every logit: two in closed form, and one that is learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from companion.fooling import Shift, learned_shift, linear_shift, sine_shift
from companion.gradients import logit_gradient

AMPLITUDE = 0.01
"""The sine never exceeds this: no logit moves by more, and yet its gradient does."""
LOUDER = 2.0
"""How much brighter a painted picture is than the brightest pixel of a typical map."""


class _Scaled(nn.Module):
    """A module's outputs times a number."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        super().__init__()
        self.module, self.factor = module, factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.module(x)


def checkerboard(height: int, width: int, squares: int = 4) -> Tensor:
    """Return the picture that is painted if none is given, (1, H, W): a checkerboard of zeros and ones.

    Example:
        >>> checkerboard(2, 4)
        tensor([[[1., 0., 1., 0.],
                 [1., 0., 1., 0.]]])
    """
    rows, columns = torch.arange(height) * squares // height, torch.arange(width) * squares // width
    return ((rows[:, None] + columns) % 2 == 0).float()[None]


def loudness(model: nn.Module, x: Tensor, y: Tensor, batch_size: int) -> float:
    """Return `LOUDER` times the largest pixel of the median image's gradient map; 1 if that is 0.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> _ = nn.init.constant_(model[1].weight, 0.25)
        >>> loudness(model, torch.rand(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64), 2)
        0.5
    """
    largest = [
        logit_gradient(model, part, classes).abs().flatten(1).amax(dim=1)
        for part, classes in zip(x.split(batch_size), y.split(batch_size), strict=True)
    ]
    return LOUDER * float(torch.cat(largest).median()) or 1.0


def painter(
    model: nn.Module,
    x: Tensor,
    picture: Tensor,
    strength: float,
    *,
    steps: int = 150,
    batch_size: int = 8,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Learn a g whose gradient and the model's add up to one picture, on every image.

    `fooling.learned_shift`, in units of the strength: the optimiser's steps then have the right size for maps
    of any length.

    Args:
        model: the classifier; neither trained nor changed.
        x: (N, C, H, W) images to learn from.
        picture: (C, H, W) or (1, H, W), of ones where there is paint.
        strength: of the picture, above 0.
        steps: of the optimiser.
        batch_size: images a step.
        generator: of the network's weights and the batches.

    Returns:
        g, (B, C, H, W) -> (B,).

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        >>> g = painter(model, torch.rand(8, 1, 4, 4), checkerboard(4, 4), 1.0, steps=2)
        >>> g(torch.rand(5, 1, 4, 4)).shape
        torch.Size([5])
    """
    unit = learned_shift(
        _Scaled(model, 1 / strength), x, picture, steps=steps, batch_size=batch_size, generator=generator
    )
    return _Scaled(unit, strength).requires_grad_(False)


def default_shifts(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    picture: Tensor | None,
    *,
    batch_size: int,
    generator: torch.Generator,
) -> Mapping[str, Shift]:
    """Return the three shifts of an audit, by name: linear, sine, learned.

    Args:
        model: the classifier.
        x: its images.
        y: their classes.
        picture: what is painted, (C, H, W) or (1, H, W); None for a checkerboard.
        batch_size: images at a time.
        generator: of the learned shift.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        >>> x, y, source = torch.rand(2, 1, 4, 4), torch.tensor([0, 1]), torch.Generator().manual_seed(0)
        >>> shifts = default_shifts(model, x, y, None, batch_size=2, generator=source)
        >>> list(shifts), bool((shifts["sine"](x).abs() <= AMPLITUDE).all())
        (['linear', 'sine', 'learned'], True)
    """
    picture = checkerboard(*x.shape[2:]) if picture is None else picture
    picture = picture.to(x)
    strength = loudness(model, x, y, batch_size)
    return {
        "linear": linear_shift(picture, strength),
        "sine": sine_shift(AMPLITUDE, strength / AMPLITUDE),
        "learned": painter(model, x, picture, strength, batch_size=batch_size, generator=generator),
    }
