"""What the records say of the density under noise (chapter 10)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from companion.book.seeds import by_seed, mean_over_seeds, over_seeds
from companion.book.tables import run_table
from companion.book.words import direction, listed
from companion.experiments.methods import METHODS
from companion.metrics.intervals import Interval


def noise_levels(rows: pd.DataFrame, column: str, model: str) -> dict[str, list[float]]:
    """Return at which noise levels a summary lies above 0, below it, and where that is undecided.

    Args:
        rows: as from `tables.run_rows(..., "density_ratio")`.
        column: `log_mean_ratio` or `log_ratio`.
        model: the method's name.

    Returns:
        Noise levels by `above`, `below` and `undecided`; over seeds where there are several, else by the
        interval over images.

    Example:
        >>> rows = pd.DataFrame({"seed": 0, "sigma": [0.1, 0.2], "log_ratio": [1.0, -1.0]})
        >>> noise_levels(rows.assign(model="baseline", log_ratio_standard_error=0.1), "log_ratio", "baseline")
        {'above': [0.1], 'below': [0.2], 'undecided': []}
    """
    at: dict[str, list[float]] = {"above": [], "below": [], "undecided": []}
    mine = rows.loc[rows["model"] == model] if len(rows) else rows
    if len(mine):
        for row in over_seeds(mine, ["sigma"], column, f"{column}_standard_error").to_dict("records"):
            at[direction(row, *at)].append(float(row["sigma"]))
    return at


def at_levels(sigmas: Sequence[float], of: int) -> str:
    """Write noise levels: `no level`, `every level`, `σ = 0.1 and 0.2`.

    Example:
        >>> at_levels([0.1, 0.2], 3), at_levels([], 3), at_levels([0.1], 1)
        ('σ = 0.1 and 0.2', 'no level', 'every level')
    """
    if not sigmas:
        return "no level"
    return "every level" if len(sigmas) == of else f"σ = {listed(f'{s:g}' for s in sigmas)}"


def likelier_where(rows: pd.DataFrame, model: str, column: str) -> str:
    """Say at which noise levels noisy images are likelier for a method, and where less so, by one summary.

    Args:
        rows: as from `tables.run_rows(..., "density_ratio")`.
        model: the method's name.
        column: `log_mean_ratio`, the paper's measure, or `log_ratio`.

    Example:
        >>> likelier_where(pd.DataFrame(columns=["model"]), "baseline", "log_ratio")
        'not measured yet'
    """
    found = noise_levels(rows, column, model)
    count = sum(map(len, found.values()))
    words = {"above": "likelier", "below": "less likely", "undecided": "undecided"}
    said = [f"{words[side]} at {at_levels(sigmas, count)}" for side, sigmas in found.items() if sigmas]
    return ", ".join(said) or "not measured yet"


def grouped(pairs: Iterable[tuple[str, str]], places: Collection[str]) -> str:
    """Write which of several are where, for a sentence: `a (everywhere) and b (here)`.

    Args:
        pairs: who and where.
        places: all the places that there are.

    Example:
        >>> grouped([("a", "here"), ("b", "here"), ("a", "there")], ["here", "there"])
        'a (everywhere) and b (here)'
    """
    where: dict[str, list[str]] = {}
    for who, place in pairs:
        where.setdefault(who, []).append(place)
    return listed(
        f"{who} ({'everywhere' if len(found) == len(places) else listed(found)})"
        for who, found in where.items()
    )


def balance(tier: str, dataset: str, split: str = "test") -> dict[str, Interval]:
    r"""Return how far each method is from what holds for every density: E tr + E |grad|^2 = 0.

    The identity is that of integration by parts (Hyvarinen, 2005), for samples of the model's own density.
    With one network the interval is over images; it follows from those of the record, since
    :math:`V(t + g) = 2 V(t + g / 2) - V(t) + V(g) / 2` for variances :math:`V`.

    Args:
        tier: one of `settings.TIERS`.
        dataset: the data set's name.
        split: `test` or `validation`.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> sorted(balance("quick", "mnist5k"))[:2]
        ['anti_score_matching', 'baseline']
    """
    parts = {
        name: run_table(tier, dataset, f"{split}_{name}") for name in ("trace", "squared_norm", "objective")
    }
    found = {}
    for model in METHODS:
        values = {name: by_seed(table, model) for name, table in parts.items()}
        seeds = [seed for seed in values["trace"] if seed in values["squared_norm"]]
        sums = [values["trace"][seed] + values["squared_norm"][seed] for seed in seeds]
        interval = mean_over_seeds(sums)
        if len(sums) == 1:
            rows = {
                name: table.loc[table["model"] == model].to_dict("records")[0]
                for name, table in parts.items()
            }
            interval = _over_images(sums[0], rows)
        if sums:
            found[model] = interval
    return found


def steadiness(rows: pd.DataFrame, norms: pd.DataFrame, sigmas: Sequence[float]) -> pd.DataFrame:
    """Compare |log-ratio| with what the baseline has once its logits are scaled to the method's gradients.

    A factor c on all logits changes no answer, multiplies every log-ratio by c and every gradient, too.

    Args:
        rows: as from `tables.run_rows(..., "density_ratio")`.
        norms: as from `tables.run_table(..., "squared_norm")`.
        sigmas: the noise levels to average over.

    Returns:
        One row a method but the baseline, as the index, with the mean |log-ratio| of the method (`own`), of
        the baseline (`baseline`), of the baseline's scaled logits (`scaled`) and the factor,
        means over seeds.
    """
    kept = rows.loc[rows["sigma"].isin(list(sigmas))]
    sizes = kept.assign(value=kept["log_ratio"].abs()).groupby(["model", "seed"])["value"].mean()
    lengths = norms.set_index(["model", "seed"])["value"].pow(0.5)
    found = {}
    for model in (name for name in METHODS if name != "baseline" and name in set(kept["model"])):
        own, base = sizes.loc[model], sizes.loc["baseline"]
        factor = (lengths.loc[model] / lengths.loc["baseline"]).dropna()
        found[model] = {
            "own": own.mean(),
            "baseline": base.mean(),
            "scaled": (factor * base).mean(),
            "factor": factor.mean(),
        }
    return pd.DataFrame(found).T


def _over_images(value: float, rows: Mapping[str, Mapping[str, float]]) -> Interval:
    reach = {name: float(row["high"] - row["low"]) / 2 for name, row in rows.items()}
    square = 2 * reach["objective"] ** 2 - reach["trace"] ** 2 + reach["squared_norm"] ** 2 / 2
    half = math.sqrt(square) if square >= 0 else math.nan
    return Interval(value=value, low=value - half, high=value + half, n=int(rows["trace"]["n"]))
