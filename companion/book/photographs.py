"""Four photographs that anyone may show, of things that are classes of CIFAR-100.

CIFAR's own photographs belong to their owners, and are not part of the book. Sources and licences of these
stand in `book/images/photographs.txt`.
"""

from __future__ import annotations

import torch
from matplotlib import image
from torch import Tensor

from companion.experiments import provenance

CLASSES = {"raccoon": 66, "rocket": 69, "cup": 28, "woman": 98}
"""What the photographs show, from left to right: CIFAR-100's name and number of the class."""
STRIP = provenance.PROJECT / "book" / "images" / "photographs.png"


def photographs() -> tuple[Tensor, Tensor]:
    """Return the photographs, (4, 3, 32, 32) float32 in [0, 1], and their classes, (4,) int64.

    Example:
        >>> x, y = photographs()
        >>> tuple(x.shape), y.tolist()
        ((4, 3, 32, 32), [66, 69, 28, 98])
    """
    strip = torch.from_numpy(image.imread(STRIP)[:, :, :3].copy()).float()
    pictures = strip.permute(2, 0, 1).unflatten(2, (len(CLASSES), -1)).permute(2, 0, 1, 3)
    return pictures.contiguous(), torch.tensor(list(CLASSES.values()))
