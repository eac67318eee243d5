"""Random changes of training images that leave their class as it is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_and_flip(x: Tensor, generator: torch.Generator, *, padding: int = 4) -> Tensor:
    """Shift each image by up to `padding` pixels, zeros coming in, and mirror every other one at random.

    Args:
        x: (B, channels, H, W) images.
        generator: on x's device.
        padding: the largest shift, in pixels.
    """
    batch, channels, height, width = x.shape
    padded = F.pad(x, [padding] * 4)
    offset = torch.randint(0, 2 * padding + 1, (2, batch, 1, 1, 1), generator=generator, device=x.device)
    flip = torch.randint(0, 2, (batch, 1, 1, 1), generator=generator, device=x.device).bool()
    rows = (torch.arange(height, device=x.device).view(1, 1, -1, 1) + offset[0]).expand(
        batch, channels, -1, width
    )
    columns = torch.arange(width, device=x.device).view(1, 1, 1, -1)
    columns = torch.where(flip, width - 1 - columns, columns) + offset[1]
    image = torch.arange(batch, device=x.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=x.device).view(1, -1, 1, 1)
    return padded[image, channel, rows, columns]
