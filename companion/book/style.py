"""The book's style: the same colour for the same model, white at zero for signed maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

from companion._support import choose
from companion.experiments.methods import known

STYLE_FILE = Path(__file__).with_name("companion.mplstyle")
_RANDOM = {"color": "#8C8C8C", "label": "Random", "marker": "x", "linestyle": ":"}
MODEL_LABELS: dict[str, str] = {name: method.title for name, method in known().items()} | {
    "random": _RANDOM["label"]
}
"""How the methods, and a random order beside them, are written in figures and tables."""
MODEL_COLOURS: dict[str, str] = {name: method.colour for name, method in known().items()} | {
    "random": _RANDOM["color"]
}
# An odd number of colours, so that the middle one is white exactly.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#00304D", "#0072B2", "#9CCBE6", "#FFFFFF", "#F2B48C", "#D55E00", "#592700"], N=257
)


def use_style() -> None:
    """Apply the book's matplotlib style, for all figures that follow.

    Example:
        >>> import matplotlib as mpl
        >>> with mpl.rc_context():
        ...     use_style()
        ...     mpl.rcParams["svg.fonttype"]
        'none'
    """
    plt.style.use(STYLE_FILE)


def model_style(name: str) -> dict[str, Any]:
    """Return a model's line style: the keywords color, label, marker and linestyle.

    Args:
        name: `baseline`, `score_matching`, `anti_score_matching`, `gradient_norm`, `adversarial` or `random`.

    Raises:
        ValueError: another name.

    Example:
        >>> model_style("score_matching")["label"]
        'Score-matching'
    """
    choose("model", name, MODEL_LABELS)
    if name == "random":
        return dict(_RANDOM)
    method = known()[name]
    return {
        "color": method.colour,
        "label": method.title,
        "marker": method.marker,
        "linestyle": method.dashes,
    }
