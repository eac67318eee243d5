"""The style of the page of claims: its own sheet, and the rules by which the filters work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

SIDES: Mapping[str, str] = {
    "for": "as the paper says",
    "against": "against the paper",
    "undecided": "undecided",
}
"""The filters by verdict, and what their buttons say."""


@cache
def sheet() -> str:
    """Return the style sheet, in which every rule is of the class `claims` or below it."""
    return Path(__file__).with_name("claims.css").read_text(encoding="utf-8")


def rules(tiers: Sequence[str]) -> str:
    """Return the filters' rules: for each tier or the strongest evidence, and each side that can be chosen.

    A claim to which a link leads is shown whatever was chosen.

    Args:
        tiers: those of the page.
    """
    written = []
    for at in ("best", *tiers):
        judged = f".claims-list:has(#claims-at-{at}:checked)"
        for side in SIDES:
            chosen = f"{judged}:has(#claims-side-{side}:checked)"
            hidden = f":not(.{at}-{side}):not(:target)"
            written.append(f"{chosen} .claims-claim{hidden}{{display:none}}")
            written.append(f"{chosen} .claims-part:not(:has(.{at}-{side},:target)){{display:none}}")
            written.append(f"{chosen} .claims-exact:not(:has(.{at}-{side},:target)){{display:none}}")
        if at != "best":
            written.append(f"{judged} .claims-line:not(.tier-{at},.tier-none){{display:none}}")
            written.append(f"{judged} .claims-line.tier-{at}{{display:grid}}")
            written.append(f"{judged} .claims-n.at-{at}{{display:inline}}")
            written.append(f"{judged} .claims-n.at-best{{display:none}}")
    return "".join(written)
