"""The page of claims: verdicts as signs, the first screen, the list, and the sentences beside them."""

from companion.claims.page.listing import html_list
from companion.claims.page.marks import (
    AGAINST,
    EMPTY,
    FOR,
    MARKS,
    OPEN,
    counts,
    mark,
    side,
)
from companion.claims.page.maths import set_maths
from companion.claims.page.overview import answer, html_overview
from companion.claims.page.records import paths_of
from companion.claims.page.sentences import changes, html_verdicts
from companion.claims.page.strength import strongest, tiers_of

__all__ = [
    "AGAINST",
    "EMPTY",
    "FOR",
    "MARKS",
    "OPEN",
    "answer",
    "changes",
    "counts",
    "html_list",
    "html_overview",
    "html_verdicts",
    "mark",
    "paths_of",
    "set_maths",
    "side",
    "strongest",
    "tiers_of",
]
