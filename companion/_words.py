"""Words in sentences, for messages and pages alike."""

from __future__ import annotations

from collections.abc import Iterable


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: `a`, `a and b`, `a, b and c`; `none` for none.

    Example:
        >>> listed(["one", "two", "three"])
        'one, two and three'
    """
    items = list(words)
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0] if items else "none"
