"""The claims' short names and the paper's sections, as the page has them."""

from __future__ import annotations

import re
from collections.abc import Mapping

SHORT: Mapping[str, str] = {
    "shift-invariance": "a free shift",
    "ripple": "a ripple in the loss",
    "confident-loss-gradients": "confident samples",
    "bayes": "logits as densities",
    "hyvarinen": "eq. 1 and eq. 2",
    "taylor": "Taylor's trace",
    "cost": "Taylor's cost",
    "taylor-variance": "Taylor's variance",
    "hutchinson-variance": "Hutchinson's var.",
    "small-gradients-in-training": "small gradients",
    "collapse": "collapse",
    "noise-does-not-help": "noise is no cure",
    "square-stabilises": "the square is one",
    "activation-maximisation": "climbing a logit",
    "perturbation-is-density-ratio": "a density ratio",
    "adversarial": "adversarial kin",
    "accuracy-baseline": "accuracy: baseline",
    "accuracy-score-matching": "accuracy: matched",
    "accuracy-anti": "accuracy: anti",
    "accuracy-gradient-norm": "accuracy: norm",
    "density-baseline": "density: baseline",
    "density-anti": "density: anti",
    "density-regularised": "density: penalised",
    "samples": "samples",
    "gan-test": "GAN-test",
    "perturbation-own": "pixels: own",
    "perturbation-baseline": "pixels: baseline",
    "gradient-maps": "gradient maps",
    "cifar10": "CIFAR-10",
    "sweep": "two constants",
    "advice": "the advice",
}
"""What a claim is called where there is little room."""
SECTIONS: Mapping[str, tuple[str, str]] = {
    "2": ("Gradients", r"section 2|appendix A"),
    "3": ("Score-matching", r"section 3|eq\. |appendix B"),
    "4": ("The tools", r"section 4"),
    "5": ("Experiments", r"section 5|figure |table "),
    "C, D": ("Appendix", r"appendix [CD]"),
    "6": ("Advice", r"section 6"),
}
"""The paper's sections: a title of our own, and how the places in them begin."""


def short(name: str) -> str:
    """Return a claim's short name, or its own where it has none."""
    return SHORT.get(name, name)


def section(where: str) -> str:
    """Return the section in which a claim stands.

    Raises:
        ValueError: a place that no section has.

    Example:
        >>> section("section 2, appendix A"), section("eq. 1 and 2"), section("figure 3a")
        ('2', '3', '5')
    """
    for name, (_, begins) in SECTIONS.items():
        if re.match(begins, where):
            return name
    raise ValueError(f"{where!r} is in no section of the page: add it to SECTIONS")


def place(name: str) -> str:
    """Name a section of the paper in full.

    Example:
        >>> place("3"), place("C, D")
        ('section 3', 'appendices C and D')
    """
    return f"section {name}" if name.isdigit() else f"appendices {name.replace(', ', ' and ')}"
