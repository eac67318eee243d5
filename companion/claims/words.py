"""A finding in words and numbers, as the table of claims has it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from companion.claims.rule import Finding, deciding
from companion.experiments.records import Run


def numbers_of(finding: Finding) -> dict[str, float]:
    """Return the number that decides the verdict, with its interval and how many units are behind it."""
    if finding.estimates:
        interval = finding.estimates[0].interval
    elif finding.checks:
        worst = max(finding.checks, key=lambda check: check.deviation / check.allowed)
        return {"value": worst.deviation / worst.allowed, "low": 0.0, "high": 1.0, "n": worst.n}
    else:
        weakest = deciding(finding)
        interval = weakest.written if weakest else None
    if interval is None:
        return {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    return {"value": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}


def decides(finding: Finding) -> str:
    """Write what decides the verdict: the printed numbers' own, or the weakest comparison."""
    if finding.estimates:
        return "; ".join(str(estimate) for estimate in finding.estimates)
    weakest = deciding(finding)
    return str(weakest) if weakest else ""


def counted(finding: Finding) -> str:
    """Write how many units are behind a finding; where they are not seeds, how many seeds too.

    Example:
        >>> from companion.claims.rule import Check
        >>> counted(Finding(checks=[Check(label="a", deviation=0.0, allowed=1.0, n=8)]))
        'n = 8 points or samples'
    """
    counts = {e.interval.n for e in finding.estimates} or {c.interval.n for c in finding.comparisons}
    unit = "images or samples" if finding.one_network and finding.unit == "seeds" else finding.unit
    if not counts:
        counts, unit = {check.n for check in finding.checks}, "points or samples"
    if not counts:
        return ""
    text = f"n = {' or '.join(map(str, sorted(counts)))} {unit}"
    if unit not in ("seeds", "repetitions", "points or samples"):
        seeds = len({run.record.seed for run in finding.runs})
        text += f", {seeds} seed{'s' if seeds > 1 else ''}"
    return "n = 1 seed" if text == "n = 1 seeds" else text


def sentence(finding: Finding) -> str:
    """Write what was measured: every check, estimate and comparison with its interval, and the note."""
    if finding.missing:
        return f"Not measured at this tier yet. Make it with: {finding.missing}"
    parts = [str(part) for part in (*finding.estimates, *finding.comparisons, *finding.checks)]
    text = "; ".join(part for part in (*parts, counted(finding)) if part)
    text += f". {missed(finding)}".rstrip(". ")
    return " ".join(part for part in (text and text + ".", finding.note) if part)


def missed(finding: Finding) -> str:
    """Say how large a difference each undecided comparison would have shown; nothing if all are decided.

    Example:
        >>> from companion.claims.rule import Comparison
        >>> from companion.metrics.intervals import Interval
        >>> wide = Interval(value=1.0, low=-1.0, high=3.0, n=12)
        >>> missed(Finding(comparisons=[Comparison(label="a - b", interval=wide)]))
        'Undecided: a difference of 2.8 (a - b) would have shown in four of five repetitions'
    """
    open_ = [c for c in finding.comparisons if c.interval.sign() == 0 and c.detectable]
    if not open_:
        return ""
    sizes = ", ".join(f"{c.detectable} ({c.label})" for c in open_)
    return f"Undecided: a difference of {sizes} would have shown in four of five repetitions"


def run_names(used: Sequence[Run]) -> str:
    """Name the runs briefly, `quick/mnist5k/baseline-seed0,1,2`, and say which were made by earlier code."""
    groups: dict[str, list[int]] = {}
    for run in used:
        groups.setdefault(run.settings.run_id.rpartition("-seed")[0], []).append(run.record.seed)
    names = [f"{name}-seed{','.join(map(str, sorted(set(seeds))))}" for name, seeds in groups.items()]
    if len(names) > 6:
        names = [*names[:2], f"and {len(names) - 2} more"]
    old = earlier(used)
    return "; ".join(names) + (f" ({old} from earlier code)" if old else "")


def earlier(used: Sequence[Run]) -> int:
    """Count the runs that were made by earlier code, which computes something else."""
    return sum(run.from_earlier_code for run in used)
