"""The ways to train that the book compares, one row each.

A row is all that the package knows of a method by name: a new penalty is a file in `companion.losses` and a
row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from companion.losses import AdversarialTraining, AntiScoreMatching, GradientNorm, Penalty, ScoreMatching


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to train.

    Attributes:
        loss: the penalty that joins the cross-entropy; None for the baseline.
        label: how it is written within a sentence.
        colour, marker, dashes: how it is drawn, throughout the book.
        paper: the constants that section 5 prints.
        sought: what the search compares among its candidates, and which end of it is taken (chapter 17).
    """

    loss: type[Penalty] | None
    label: str
    colour: str
    marker: str
    dashes: str
    paper: Mapping[str, Any] = field(default_factory=dict)
    sought: tuple[str, str]

    @property
    def title(self) -> str:
        """How it is written in a figure or a table."""
        return self.label.capitalize()


def known() -> Mapping[str, Method]:
    """Return every method that can be trained with: `METHODS`, and `KIN`.

    Example:
        >>> list(known())[-1]
        'adversarial'
    """
    return {**METHODS, **KIN}


# Colours are Okabe and Ito's, told apart by colour-blind readers; markers and dashes repeat what colour says.
KIN: Mapping[str, Method] = {
    "adversarial": Method(
        loss=AdversarialTraining,
        label="adversarial training",
        colour="#CC79A7",
        marker="P",
        dashes=":",
        sought=("right", "highest"),
    ),
}
"""What stands beside the paper's methods in one chapter alone: section 4.3's conjecture is about it."""
METHODS: Mapping[str, Method] = {
    "baseline": Method(
        loss=None,
        label="baseline",
        colour="#000000",
        marker="o",
        dashes="-",
        sought=("right", "highest"),
    ),
    "score_matching": Method(
        loss=ScoreMatching,
        label="score-matching",
        colour="#0072B2",
        marker="s",
        dashes="-",
        paper={"weight": 1e-3, "mu": 1e-4},
        sought=("objective", "lowest"),
    ),
    "anti_score_matching": Method(
        loss=AntiScoreMatching,
        label="anti-score-matching",
        colour="#D55E00",
        marker="v",
        dashes="--",
        paper={"weight": 1e-4, "tau": 1000.0},
        sought=("objective", "highest"),
    ),
    "gradient_norm": Method(
        loss=GradientNorm,
        label="gradient norm",
        colour="#009E73",
        marker="^",
        dashes="-.",
        paper={"weight": 1e-3},
        sought=("squared norm", "lowest"),
    ),
}
