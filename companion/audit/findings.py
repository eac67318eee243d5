"""What an audit found: a row for each attribution, output and shift, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd
from torch import Tensor

from companion._words import listed
from companion.metrics.intervals import Interval

MOVED = 0.01
"""A map has moved where the median image's changes by more than this share of its own length."""
SURE = 0.999
"""From this probability on an image counts as one that the classifier is sure of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Movement:
    """How far one attribution of one output moves under one shift.

    Attributes:
        attribution, output, shift: the names.
        change: median over images of the length of the difference of the two maps, over that of the map.
        correlation: median of Spearman's rank correlation of the pixels of the two maps, channels added up;
            1 where the order stayed.
        area: mean difference of the areas under the pixel-perturbation curves (least relevant first, mean
            replacement, probability), shifted less unshifted, image by image; None if not asked for.
        per_image: (B,) the changes, image by image.
    """

    attribution: str
    output: str
    shift: str
    change: Interval
    correlation: Interval
    area: Interval | None
    per_image: Tensor

    @property
    def moved(self) -> bool:
        """Whether the median change is above `MOVED`."""
        return self.change.value > MOVED


@dataclass(frozen=True, kw_only=True)
class Unchanged:
    """What a shift leaves: the largest change of a probability, and how many predictions changed."""

    shift: str
    probability: float
    predictions: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What an audit measured.

    Attributes:
        movements: a row for each attribution, output and shift.
        unchanged: what each shift leaves.
        free: median over images of |grad mean_j f_j| / |grad f_y|: how much of the logit's gradient is free
            before anybody tampers with it.
        lengths: by output, the median length of its gradient, relative to that of the logit's.
        labels: (B,) the classes asked about.
        label_probability: (B,) their probabilities.
        cure: `centred`, `shift_invariant`, or nothing: what the model came with.
        notes: sentences about methods that do nothing on this model, and the like.
        images: (K, C, H, W) the first few images.
        maps: (K, H, W) their maps, channels added up, by attribution, output and shift (`as given`).

    Example:
        >>> import torch
        >>> from companion.audit import audit
        >>> from companion.gradients import logit_gradient
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        >>> mine = {"gradient": lambda f: lambda inputs, target: logit_gradient(f, inputs, target)}
        >>> added = {"sum": lambda x: 10 * x.sum(dim=(1, 2, 3))}
        >>> audit(model, torch.rand(6, 1, 8, 8), attributions=mine, shifts=added).verdict()
        'Maps of the logit can be redrawn at will, ... centred logit stayed.'
    """

    movements: tuple[Movement, ...]
    unchanged: tuple[Unchanged, ...]
    free: Interval
    lengths: Mapping[str, Interval]
    labels: Tensor
    label_probability: Tensor
    cure: str
    notes: tuple[str, ...]
    images: Tensor
    maps: Mapping[tuple[str, str, str], Tensor]

    @property
    def moved(self) -> tuple[Movement, ...]:
        """The rows in which the map has moved."""
        return tuple(row for row in self.movements if row.moved)

    @property
    def sure(self) -> int:
        """How many images have a probability above `SURE`: log-probabilities have short gradients there."""
        return int((self.label_probability > SURE).sum())

    def names(self, part: str) -> tuple[str, ...]:
        """Return the attributions, outputs or shifts, in the order in which they were asked for.

        Args:
            part: `attribution`, `output` or `shift`.
        """
        return tuple(dict.fromkeys(getattr(row, part) for row in self.movements))

    def strongest(self, attribution: str, output: str) -> Movement:
        """Return the row of the shift that moves an attribution of an output furthest."""
        rows = [row for row in self.movements if (row.attribution, row.output) == (attribution, output)]
        return max(rows, key=lambda row: row.change.value)

    def verdict(self) -> str:
        """Say in one or two sentences who can be fooled."""
        asked = self.names("output")
        moving = [output for output in asked if any(row.output == output for row in self.moved)]
        still = [_words(output) for output in asked if output not in moving]
        under = "while " + self.left_alone()
        if not moving:
            return f"No map moved, {under}: maps of the {listed(still)} stay what they are."
        said = f"Maps of the {listed([_words(output) for output in moving])} can be redrawn at will, {under}."
        return said + (f" Maps of the {listed(still)} stayed." if still else "")

    def left_alone(self) -> str:
        """Say how far the shifts moved the probabilities, for the middle of a sentence."""
        largest = max(row.probability for row in self.unchanged)
        changed = max(row.predictions for row in self.unchanged)
        moved = f"by more than {largest:.0e}" if largest else "at all"
        return f"no probability moved {moved}" + (f", and {changed} predictions did" if changed else "")

    def to_frame(self) -> pd.DataFrame:
        """Return one row a movement: names, moved, and value, low and high of each interval."""
        rows = []
        for row in self.movements:
            cells: dict[str, object] = {
                "attribution": row.attribution,
                "output": row.output,
                "shift": row.shift,
                "moved": row.moved,
                "n": row.change.n,
            }
            for name in ("change", "correlation", "area"):
                interval: Interval | None = getattr(row, name)
                ends = {} if interval is None else asdict(interval)
                cells |= {name: ends.get("value")} | {
                    f"{name}_{end}": ends.get(end) for end in ("low", "high")
                }
            rows.append(cells)
        return pd.DataFrame(rows)


def _words(name: str) -> str:
    return name.replace("_", " ")
