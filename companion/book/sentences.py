"""What the records say, in sentences."""

from __future__ import annotations

import math

import pandas as pd

from companion.book.tables import by_seed, mean_over_seeds, model_table, paired, run_rows, seed_table
from companion.book.words import counted, interval_text, listed
from companion.experiments import presets, shelf
from companion.experiments.methods import METHODS


def ranking(tier: str, dataset: str, metric: str) -> str:
    """Name the models from the highest mean of a metric to the lowest, for a sentence.

    Example:
        >>> ranking("tiny", "no_such_data", "gan_test")
        'not measured yet'
    """
    means = seed_table(tier, dataset, metric).dropna(subset="value").set_index("model")["value"].to_dict()
    names = sorted(means, key=lambda name: means[name], reverse=True)
    return ", ".join(METHODS[str(name)].label for name in names) or "not measured yet"


def differences_in_words(found: pd.DataFrame, form: str = "{:+.2f}", scale: float = 1.0) -> str:
    """Say which methods differ from the baseline, paired by seed, for a sentence of its own.

    Args:
        found: rows with columns model, seed and value, as from `run_table`.
        form: the format of each number.
        scale: what the numbers are multiplied by: 100 for percent.

    Example:
        >>> models = ["baseline", "baseline", "gradient_norm", "gradient_norm"]
        >>> found = pd.DataFrame({"model": models, "seed": [0, 1, 0, 1], "value": [1, 2, 1.9, 3]})
        >>> differences_in_words(found).partition(";")[0]
        'Seed by seed, clearly above the baseline: gradient norm +0.95 (+0.31 to +1.59)'
        >>> differences_in_words(found[found["seed"] == 0])
        'With one seed this is an order of networks, not of methods.'
    """
    base = by_seed(found, "baseline")
    differences = {name: paired(by_seed(found, name), base) for name in METHODS if name != "baseline"}
    if all(difference.n < 2 for difference in differences.values()):
        return "With one seed this is an order of networks, not of methods."
    said: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for name, difference in differences.items():
        if difference.n:
            said[difference.sign()].append(f"{METHODS[name].label} {interval_text(difference, form, scale)}")
    return (
        f"Seed by seed, clearly above the baseline: {listed(said[1])}; "
        f"clearly below: {listed(said[-1])}; undecided: {listed(said[0])}."
    )


def runs_in_words(tier: str, dataset: str, table: str) -> str:
    """Say of which models, and of how many seeds, a table is there, for a sentence.

    Example:
        >>> runs_in_words("tiny", "no_such_data", "samples")
        'none has been evaluated yet'
    """
    rows = run_rows(tier, dataset, table)
    if rows.empty:
        return "none has been evaluated yet"
    by_count: dict[int, list[str]] = {}
    for name, count in rows.groupby("model", sort=False)["seed"].nunique().to_dict().items():
        by_count.setdefault(count, []).append(METHODS[str(name)].label)
    return "; ".join(
        f"{counted(count, 'seed')}{' each' * (len(names) > 1)} of {listed(names)}"
        for count, names in by_count.items()
    )


def trace_in_words(tier: str, dataset: str) -> str:
    """Say where score-matching's trace ends: beside what its stability term asks for, and the baseline's.

    With c = 1e-4 / mu, eq. 4 contains h + c h^2, which is lowest at h = -1 / (2c): the target.

    Args:
        tier: one of `settings.TIERS`.
        dataset: one of the tier's.

    Raises:
        ValueError: an unknown tier, or a data set that it does not have.

    Example:
        >>> trace_in_words("quick", "mnist5k").partition(".")[0]
        'the target is -500'
    """
    target = -presets.preset(tier, dataset, "score_matching").penalty["mu"] / 2e-4
    found = shelf.find_all(tier, dataset, "score_matching")
    reached = mean_over_seeds(
        run.history()["trace"].iloc[-1] for run in found if run.record.status == "finished"
    )
    tested = model_table(tier, dataset, "test_trace").set_index("model")
    plain, matched = tested.loc["baseline"], tested.loc["score_matching"]
    if math.isnan(reached.value + plain["value"] + matched["value"]):
        return "not measured"
    way = "down" if plain["low"] > target else "up" if plain["high"] < target else "neither way clearly"
    number = "{:,.0f}"
    return (
        f"the target is {number.format(target)}. Over the batches of the last epoch score-matching's mean "
        f"trace is {interval_text(reached, number)}; in evaluation mode, on test pictures, "
        f"{interval_text(matched, number)}, and the baseline's {interval_text(plain, number)}. "
        f"The term pulls {way}."
    )
