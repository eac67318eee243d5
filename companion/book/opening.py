"""A chapter's opening, and the computed words that its prose quotes."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from matplotlib_inline.backend_inline import set_matplotlib_formats
from myst_nb import glue

from companion._support import choose
from companion.book import style
from companion.experiments.settings import TIERS

INJECTED = "# Parameters"
"""The first line of the cell that papermill puts after a chapter's own parameters."""
PARAMETERS = ("tier", "seed", "device")
"""The parameters that every chapter has."""


def begin(
    namespace: Mapping[str, object],
    *,
    known: Collection[str] = PARAMETERS,
    figures: str = "png",
    dpi: int | None = None,
) -> None:
    """Open a chapter: refuse parameters that it does not have, and draw in the book's style from here on.

    Args:
        namespace: the chapter's variables, `globals()`.
        known: the parameters that the chapter has.
        figures: the figures' format, `svg` for lines and `png` for pictures.
        dpi: the resolution of a `png`; None for that of the style.

    Raises:
        ValueError: a parameter that the chapter does not have, or a tier that does not exist; the message
            lists those there are.

    Example:
        In a chapter's first cell:

        >>> begin(globals(), figures="svg")  # doctest: +SKIP
        >>> begin({"tier": "huge"})
        Traceback (most recent call last):
        ...
        ValueError: tier='huge' ...
    """
    refuse_unknown(namespace, known)
    choose("tier", str(namespace["tier"]), TIERS)
    style.use_style()
    set_matplotlib_formats(figures, **({} if dpi is None else {"dpi": dpi}))


def tell(*words: Mapping[str, object], **more: object) -> None:
    """Keep computed words for the prose, which quotes them by name; nothing is displayed.

    Args:
        words: values by name, for names that are computed, too.
        more: values by name: `tell(images=len(x), error=f"{error:.1e}")`.

    Example:
        >>> tell(images=1000, accuracy=f"{0.973:.1%}")  # doctest: +SKIP

        The prose then quotes them: {glue:text}`accuracy` of {glue:text}`images` images.
    """
    for named in (*words, more):
        for name, value in named.items():
            glue(name, value, display=False)


def refuse_unknown(namespace: Mapping[str, object], known: Collection[str]) -> None:
    r"""Stop a chapter that was given a parameter it does not have: papermill takes any, and only warns.

    The given names are read from the cell that papermill injects, in IPython's list `In` of executed cells:
    the namespace itself also holds IPython's own names and, when cells are executed again, the chapter's.

    Args:
        namespace: the chapter's variables. Without a list `In` nothing was injected.
        known: the parameters that the chapter has.

    Raises:
        ValueError: a parameter that the chapter does not have; the message lists those it has.

    Example:
        >>> refuse_unknown({"In": ["", "seed = 0", "# Parameters\nseed = 1"]}, ("tier", "seed"))
        >>> refuse_unknown({"In": ["", "seed = 0", "# Parameters\nsed = 1"]}, ("tier", "seed"))
        Traceback (most recent call last):
        ...
        ValueError: this chapter has no parameter 'sed'; it has tier, seed. Give one of these, ...
    """
    cells = namespace.get("In")
    for cell in cells if isinstance(cells, list) else []:
        if str(cell).splitlines()[:1] == [INJECTED]:
            for name in _assigned(str(cell)):
                if name not in known:
                    raise ValueError(
                        f"this chapter has no parameter {name!r}; it has {', '.join(known)}. "
                        "Give one of these, for example -p seed 1"
                    )


def _assigned(cell: str) -> list[str]:
    return [
        target.id
        for node in ast.parse(cell).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
