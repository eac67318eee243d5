"""The search on validation data: what became of each candidate, and the rule that chooses (chapter 17)."""

from __future__ import annotations

import math

import pandas as pd

from companion.experiments import series, shelf
from companion.experiments.methods import METHODS
from companion.experiments.settings import Settings

SLACK = 0.01
"""A candidate is admitted if it loses at most this share of the validation pictures to the baseline."""


def candidates(tier: str) -> pd.DataFrame:
    """Return a tier's candidates with what the validation pictures say of them, one row each.

    Args:
        tier: one of `series.SEARCH`.

    Returns:
        Columns method and number of the candidate; its settings λ, μ, σ, h, norm, batch norm and learning
        rate, where they apply; literal: whether it has the paper's constants and its estimate of h; right and
        of (validation pictures); trace, squared norm and objective (of the true logit, on
        `training.PROBED_IMAGES` validation pictures); outcome: `not run`, `finished` or `diverged ...`.

    Raises:
        ValueError: a tier without a search.

    Example:
        >>> candidates("quick")["method"].nunique()
        4
    """
    rows = [_candidate(settings) for settings in series.search(tier)]
    columns = ["method", "number", "λ", "μ", "σ", "h", "norm", "batch norm", "learning rate", "literal"]
    measured = ["right", "of", "trace", "squared norm", "objective"]
    table = pd.DataFrame(rows, columns=[*columns, *measured, "outcome"])
    return table.astype(dict.fromkeys(measured, float))


def fewest_right(table: pd.DataFrame) -> float:
    """Return how many validation pictures a candidate must get right.

    The first candidate of the baseline is the reference, since all penalties
    are tried with its schedule; nan where it was not run.

    Example:
        >>> baseline = {"method": ["baseline"], "right": [480.0], "of": [500.0]}
        >>> fewest_right(pd.DataFrame(baseline))
        475.0
    """
    reference = table.loc[table["method"] == "baseline"].iloc[0]
    return float(reference["right"] - SLACK * reference["of"])


def by_rule(table: pd.DataFrame) -> pd.DataFrame:
    """Add the rule's two answers to a table: who is admitted, and chosen.

    Example:
        The last candidate has the lowest objective, but loses too much:

        >>> columns = ["method", "right", "of", "objective", "squared norm"]
        >>> rows = [["baseline", 480, 500, 9.0, 9.0]]
        >>> for right, objective in ((479, -1.0), (478, -2.0), (470, -3.0)):
        ...     rows.append(["score_matching", right, 500, objective, 9.0])
        >>> judged = by_rule(pd.DataFrame(rows, columns=columns))
        >>> judged[["right", "admitted", "chosen"]]
           right  admitted  chosen
        0    480      True    True
        1    479      True   False
        2    478      True    True
        3    470     False   False
    """
    enough = table["right"] >= fewest_right(table)
    admitted = table["objective"].notna() & enough
    chosen = []
    for name, method in METHODS.items():
        quantity, end = method.sought
        rivals = table.loc[admitted & (table["method"] == name), quantity]
        if len(rivals):
            best = rivals.idxmin() if end == "lowest" else rivals.idxmax()
            chosen.append(best)
    return table.assign(admitted=admitted, chosen=table.index.isin(chosen))


def _is_literal(settings: Settings) -> bool:
    """Say whether a candidate has the paper's constants and its estimate of h."""
    if settings.method == "baseline":
        return False
    ours, method = settings.loss(), METHODS[settings.method]
    assert method.loss is not None
    paper = method.loss(**method.paper)
    constants = ("weight", "mu", "tau", "variant")
    return all(getattr(ours, name, None) == getattr(paper, name, None) for name in constants)


def _candidate(settings: Settings) -> dict[str, object]:
    loss = settings.loss()
    estimates = hasattr(loss, "variant")
    row: dict[str, object] = {
        "method": settings.method,
        "number": settings.name[-2:],
        "λ": getattr(loss, "weight", math.nan),
        "μ": getattr(loss, "mu", math.nan),
        "σ": getattr(loss, "sigma", math.nan) if estimates else math.nan,
        "h": getattr(loss, "variant", "") if estimates else "",
        "norm": getattr(loss, "norm", ""),
        "batch norm": getattr(loss, "batch_norm", "") if estimates else "",
        "learning rate": settings.learning_rate,
        "literal": _is_literal(settings),
        "outcome": "not run",
    }
    for run in shelf.find_all(settings.tier, settings.dataset, settings.name)[:1]:
        accuracy = run.metric("validation_accuracy")
        row |= {"right": round(accuracy["value"] * accuracy["n"]), "of": accuracy["n"]}
        row["outcome"] = run.record.status
        if run.record.status == "finished":
            last = run.history().iloc[-1]
            row |= {"trace": last["trace_validation"], "squared norm": last["squared_norm_validation"]}
            row["objective"] = last["trace_validation"] + last["squared_norm_validation"] / 2
    return row
