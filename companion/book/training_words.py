"""What the records say of training, in sentences: what presets cost in whole runs, and single networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from companion.book.tables import model_table, paired_differences
from companion.book.words import counted, direction, interval_text, listed
from companion.experiments.methods import METHODS
from companion.experiments.search import SLACK


def beyond_the_rule(tier: str, dataset: str) -> str:
    """Say what the presets do in whole runs to what the search judged them by in brief ones.

    That is the share of validation pictures right, of which the rule lets a penalty lose `search.SLACK`, and
    score-matching's objective of eq. 2, which its constants were chosen to lower. Paired by seed.

    Example:
        >>> beyond_the_rule("tiny", "no_such_data")
        'Whole runs are not there to compare.'
    """
    moved = _moved(tier, dataset)
    over = _over(moved)
    if not moved:
        return over
    each = [f"{METHODS[row['model']].label} {interval_text(row, '{:+.1f}', 100)}" for row in moved]
    seeds = counted(max(row["n"] for row in moved), "seed")
    said = (
        "Trained to the end, the share of validation pictures that are right differs from the baseline's, in "
        f"percentage points ({seeds}), by: {listed(each)}. "
    )
    return f"{said}{over} {_objective(tier, dataset)}".strip()


def over_the_rule(tier: str, dataset: str) -> str:
    """Say which presets lose more in whole runs, on average over seeds, than the rule allowed in brief ones.

    Example:
        >>> over_the_rule("tiny", "no_such_data")
        'Whole runs are not there to compare.'
    """
    return _over(_moved(tier, dataset))


def _moved(tier: str, dataset: str) -> list[dict[str, Any]]:
    """Return how each penalty moves the share of validation pictures right, a row a method."""
    return paired_differences(tier, dataset, "validation_accuracy").dropna(subset="value").to_dict("records")


def _over(moved: Sequence[Mapping[str, Any]]) -> str:
    if not moved:
        return "Whole runs are not there to compare."
    over = [METHODS[row["model"]].label for row in moved if row["value"] < -SLACK]
    allowed = counted(round(100 * SLACK), "percentage point")
    if not over:
        return f"No penalty loses more in whole runs, on average, than the {allowed} that the rule allows."
    return (
        f"{listed(over).capitalize()} {'loses' if len(over) == 1 else 'lose'} more in whole runs than the "
        f"{allowed} that the rule allowed in brief ones."
    )


def single_networks(tier: str, dataset: str) -> str:
    """Say how each single network's accuracy stands to the baseline's, by intervals over the test images.

    Example:
        >>> single_networks("tiny", "no_such_data")
        'There is no network of each kind to compare.'
    """
    rows = model_table(tier, dataset, "test_accuracy").dropna(subset="value").set_index("model")
    if "baseline" not in rows.index or len(rows) < 2:
        return "There is no network of each kind to compare."
    base = rows.loc["baseline"]
    said = [f"The baseline's network gets {interval_text(base, '{:.1f}', 100)} % of the test images right."]
    apart: dict[str, list[str]] = {"below": [], "above": [], "not apart": []}
    for name, row in rows.drop(index="baseline").iterrows():
        side = "below" if row["high"] < base["low"] else "above" if row["low"] > base["high"] else "not apart"
        apart[side].append(f"{METHODS[str(name)].label} ({100 * (row['value'] - base['value']):+.1f} points)")
    said += [
        f"The intervals of {listed(names)} lie {side} its own."
        for side, names in apart.items()
        if names and side != "not apart"
    ]
    if apart["not apart"]:
        said.append(f"The images do not tell it from {listed(apart['not apart'])}.")
    return " ".join(said)


def _objective(tier: str, dataset: str) -> str:
    moved = paired_differences(tier, dataset, "test_objective").set_index("model")
    if "score_matching" not in moved.index:
        return ""
    row = moved.loc["score_matching"]
    if math.isnan(row["value"]):
        return ""
    verdict = direction(
        row, "is higher than the baseline's, the opposite of what its constants were chosen for",
        "is lower than the baseline's, as its constants were chosen for",
        "is not told from the baseline's",
    )  # fmt: skip
    return (
        f"Score-matching's objective of eq. 2, on test pictures, {verdict}: the difference is "
        f"{interval_text(row, '{:+,.0f}')}."
    )
