"""A curve over fractions of replaced pixels, with what comparisons between models need."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from companion.metrics.intervals import normal_quantile, standard_error


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A score as a function of the fraction of replaced pixels, over B images; float64, on the CPU.

    Attributes:
        fractions: (F,) fractions of the pixels that were replaced.
        value: (F,) means over images.
        standard_error: (F,) of the means; nan for a single image.
        per_sample: (F, B) image by image; its mean over B is `value`. Kept for paired differences.
        score: what the values are: `accuracy`, `probability`, `logit`; `relative ...`, `difference in ...`.

    Example:
        Of two images at three fractions:

        >>> right = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
        >>> curve = Curve.from_samples(torch.tensor([0.0, 0.5, 1.0]), right, "accuracy")
        >>> curve.value.tolist(), curve.area().tolist()
        ([1.0, 0.5, 0.0], [0.75, 0.25])
    """

    fractions: Tensor
    value: Tensor
    standard_error: Tensor
    per_sample: Tensor
    score: str

    @classmethod
    def from_samples(cls, fractions: Tensor, per_sample: Tensor, score: str) -> Curve:
        """Make a curve of (F,) fractions and (F, B) values."""
        return cls(
            fractions=fractions,
            value=per_sample.mean(dim=1),
            standard_error=standard_error(per_sample),
            per_sample=per_sample,
            score=score,
        )

    def relative(self) -> Curve:
        r"""Divide by the value of the clean images, so that models of different accuracy compare.

        The ratio of means :math:`r = \bar a / \bar c` gets the standard error of the delta method for paired
        samples: that of its linearisation :math:`r + (a_b - r c_b) / \bar c`, which is the new `per_sample`.

        Returns:
            The curve of ratios: 1, with a standard error of 0, at fraction 0.

        Raises:
            ValueError: fraction 0 is missing, its value is 0, or the score is a difference already (`logit`).
        """
        if self.score not in ("accuracy", "probability"):
            raise ValueError(
                f"a {self.score} curve has no clean value to divide by; use score='accuracy' or 'probability'"
            )
        at_zero = (self.fractions == 0).nonzero()
        if not len(at_zero):
            raise ValueError("a relative curve needs the clean images: put 0.0 among the fractions")
        clean = self.per_sample[int(at_zero[0])]
        clean_mean = clean.mean()
        if clean_mean == 0:
            raise ValueError(f"the {self.score} of the clean images is 0: nothing can be divided by it")
        ratio = (self.value / clean_mean)[:, None]
        return Curve.from_samples(
            self.fractions, ratio + (self.per_sample - ratio * clean) / clean_mean, f"relative {self.score}"
        )

    def minus(self, other: Curve) -> Curve:
        """Subtract another model's curve, image by image: the standard error is that of paired differences.

        Raises:
            ValueError: the two differ in fractions, in score or in the number of images.
        """
        same = self.score == other.score and self.per_sample.shape == other.per_sample.shape
        if not same or not torch.equal(self.fractions, other.fractions):
            raise ValueError(
                "a paired difference needs two curves of one score, with the same fractions and images; got "
                f"{self.score} {tuple(self.per_sample.shape)}, {other.score} {tuple(other.per_sample.shape)}"
            )
        return Curve.from_samples(
            self.fractions, self.per_sample - other.per_sample, f"difference in {self.score}"
        )

    def area(self) -> Tensor:
        """Return each image's mean height, (B,): trapezoids over the fractions, divided by their range.

        Its mean over images is the area under the curve: one number a curve, for `mean_interval` and
        `paired_difference_interval`.

        Raises:
            ValueError: the fractions do not increase, or there is only one.
        """
        if len(self.fractions) < 2 or not bool((self.fractions.diff() > 0).all()):
            raise ValueError(f"an area needs two or more increasing fractions; got {self.fractions.tolist()}")
        span = self.fractions[-1] - self.fractions[0]
        return torch.trapezoid(self.per_sample, self.fractions, dim=0) / span

    def to_frame(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Return one row a fraction: fraction, value, standard_error, low, high, score, n.

        Args:
            confidence: of the normal interval from low to high, strictly between 0 and 1.
        """
        half_width = normal_quantile(confidence) * self.standard_error
        columns = {
            "fraction": self.fractions,
            "value": self.value,
            "standard_error": self.standard_error,
            "low": self.value - half_width,
            "high": self.value + half_width,
        }
        frame = pd.DataFrame({name: values.numpy() for name, values in columns.items()})
        return frame.assign(score=self.score, n=self.per_sample.shape[1])
