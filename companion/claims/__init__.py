"""The paper's 31 claims, each measured and judged by a stated rule: `table` and `verdict`."""

from companion.claims.assemble import by_tier, chapters, claims, reported, table
from companion.claims.choice import ADVICE, advice, support, wide
from companion.claims.page import counts, disagreements, html_table, html_verdicts
from companion.claims.rule import Check, Comparison, Estimate, Finding, NotYetRun, verdict

__all__ = [
    "ADVICE",
    "Check",
    "Comparison",
    "Estimate",
    "Finding",
    "NotYetRun",
    "advice",
    "by_tier",
    "chapters",
    "claims",
    "counts",
    "disagreements",
    "html_table",
    "html_verdicts",
    "reported",
    "support",
    "table",
    "verdict",
    "wide",
]
