"""The paper's 31 claims, each measured and judged by a stated rule: `table`, `by_tier` and `verdict`."""

from companion.claims.check import Report, check, default_page, html_page
from companion.claims.choice import ADVICE, advice, support, wide
from companion.claims.missing import Missing, markdown, not_yet_run
from companion.claims.page import (
    answer,
    changes,
    counts,
    html_list,
    html_overview,
    html_verdicts,
    side,
    strongest,
)
from companion.claims.paper import claims, reported
from companion.claims.rule import Check, Comparison, Estimate, Finding, NotYetRun, verdict
from companion.claims.table import SIDE_BY_SIDE, at_tier, by_tier, chapters, table, with_own_runs

__all__ = [
    "ADVICE",
    "SIDE_BY_SIDE",
    "Check",
    "Comparison",
    "Estimate",
    "Finding",
    "Missing",
    "NotYetRun",
    "Report",
    "advice",
    "answer",
    "at_tier",
    "by_tier",
    "changes",
    "chapters",
    "check",
    "claims",
    "counts",
    "default_page",
    "html_list",
    "html_overview",
    "html_page",
    "html_verdicts",
    "markdown",
    "not_yet_run",
    "reported",
    "side",
    "strongest",
    "support",
    "table",
    "verdict",
    "wide",
    "with_own_runs",
]
