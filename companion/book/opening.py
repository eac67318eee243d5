"""The parameters of a chapter: papermill takes any name, and only warns of one that the chapter lacks."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

INJECTED = "# Parameters"
"""The first line of the cell that papermill puts after a chapter's own parameters."""


def refuse_unknown(namespace: Mapping[str, object], known: Collection[str]) -> None:
    r"""Stop a chapter that was given a parameter it does not have. It is called first, with `globals()`.

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
