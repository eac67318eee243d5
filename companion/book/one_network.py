"""One network each: differences from the baseline whose intervals are over samples or images, not seeds.

Such an interval says which of two networks is the higher, and nothing of another training. Samples are
paired: every network starts from the same noise for the same classes. Curves and areas are kept without
their images; there the two networks' errors are taken as independent.
"""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from companion.book.sentences import differences_in_words
from companion.book.strongest import Evidence
from companion.book.tables import run_table
from companion.book.words import interval_text, listed
from companion.claims import NotYetRun
from companion.claims.evidence.records import Shelf, compare
from companion.claims.evidence.records import metric as metric_of
from companion.experiments.methods import METHODS


def compared(tier: str, dataset: str, metric: str) -> pd.DataFrame:
    """Return each method's network less the baseline's of the lowest seed that both have.

    Args:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        metric: a metric of the records; those of `IN_SAMPLES` are paired sample by sample.

    Returns:
        Columns model, value, low, high, n (samples or images) and sign: 1 or -1 where the 95 % interval
        excludes 0, else 0. A method without a network has no row.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> found = compared("quick", "mnist5k", "gan_test")
        >>> found["model"].tolist(), found["n"].unique().tolist()
        (['score_matching', 'anti_score_matching', 'gradient_norm'], [200])
    """
    shelf, read, found = Shelf(tier=tier, dataset=dataset), metric_of(metric), []
    for name in (other for other in METHODS if other != "baseline"):
        try:
            mine, base = (shelf.values(one, read) for one in (name, "baseline"))
        except NotYetRun:
            continue
        if both := sorted(mine.keys() & base.keys()):
            lowest = both[0]
            apart = compare(name, {lowest: mine[lowest]}, {lowest: base[lowest]}).interval
            found.append({"model": name, **asdict(apart), "sign": apart.sign()})
    return pd.DataFrame(found, columns=["model", "value", "low", "high", "n", "sign"])


def told(evidence: Evidence, metric: str, form: str = "{:+.2f}", scale: float = 1.0) -> str:
    """Say which methods differ from the baseline: over seeds if there are several, else by network.

    One network's interval is over images, or over samples, pair by pair.

    Args:
        evidence: whose records.
        metric: a metric of the records.
        form: the format of each number.
        scale: what the numbers are multiplied by: 100 for percent.

    Example:
        >>> told(Evidence(tier="small", dataset="no_such_data", runs={}), "gan_test")
        'Not measured yet.'
    """
    if not evidence.seeds:
        return "Not measured yet."
    if evidence.seeds > 1:
        return differences_in_words(run_table(*evidence.shelf, metric), form, scale)
    said: dict[int, list[str]] = {1: [], -1: [], 0: []}  # in the order of the sentences
    for row in compared(*evidence.shelf, metric).to_dict("records"):
        said[row["sign"]].append(f"{METHODS[row['model']].label} {interval_text(row, form, scale)}")
    ways = {1: "Above the baseline", -1: "Below the baseline", 0: "Undecided"}
    parts = [f"{ways[sign]}: {listed(names)}." for sign, names in said.items() if names]
    return " ".join(parts) or "There is no other network to compare."
