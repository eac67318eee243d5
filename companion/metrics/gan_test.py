"""GAN-test: does an independently trained network see in a sample the class it was made for?"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn

from companion._support import evaluation_mode, predictions
from companion.metrics._batches import targets_in_batches
from companion.metrics.intervals import wilson


@dataclass(frozen=True, kw_only=True)
class GanTest:
    """A GAN-test score.

    Attributes:
        accuracy: share of the samples that the judge assigns to their target class, in [0, 1].
        low: lower end of the 95 % Wilson interval.
        high: its upper end.
        n: number of samples.
        correct: (n,) bool, sample by sample, for paired comparisons.
    """

    accuracy: float
    low: float
    high: float
    n: int
    correct: Tensor = field(repr=False, compare=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row: accuracy, low, high, n."""
        return pd.DataFrame([{"accuracy": self.accuracy, "low": self.low, "high": self.high, "n": self.n}])


def gan_test(samples: Tensor, targets: int | Tensor, judge: nn.Module, *, batch_size: int = 500) -> GanTest:
    r"""Score class-conditional samples by an independent classifier (section 5.1.2; Shmelkov et al., 2018).

    .. math:: \frac1n \sum_{k=1}^n \mathbb 1\{\arg\max_j \, \mathrm{judge}_j(x_k) = i_k\}

    Each sample counts once, whatever the batch size. The score measures quality, not diversity: one good
    picture a class, repeated, scores 1. The interval takes samples as independent and the judge as fixed.

    Args:
        samples: (n, ...), such as images (n, channels, H, W) in [0, 1], on the judge's device.
        targets: the class that each sample was made for: (n,), or an int for all.
        judge: a classifier that had no part in making the samples; put in evaluation mode and given its
            modes back.
        batch_size: samples a forward pass; changes memory, not the result.

    Returns:
        A `GanTest`.

    Raises:
        ValueError: no samples, a judge that returns NaN, targets that do not fit them or the judge's classes,
            or batch_size < 1.
        TypeError: targets is None, or the judge returns something else than a tensor.

    Example:
        >>> judge = nn.Identity()  # sees class k where the k-th number is largest
        >>> result = gan_test(torch.eye(4), torch.tensor([0, 1, 2, 0]), judge)
        >>> result.accuracy, result.n
        (0.75, 4)
    """
    if targets is None:
        raise TypeError("targets must be the classes that the samples were made for: an int or (n,)")
    with evaluation_mode(judge):
        classes, logits = targets_in_batches(judge, samples, targets, batch_size)
    correct = (predictions(logits) == classes).cpu()
    interval = wilson(int(torch.count_nonzero(correct)), len(samples))
    return GanTest(
        accuracy=interval.value, low=interval.low, high=interval.high, n=interval.n, correct=correct
    )
