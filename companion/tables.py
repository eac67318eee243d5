"""The runs' records as tables for the chapters: over seeds, paired differences, beside the paper's numbers.

The unit is a training run. A value is the mean over seeds, its interval Student's t over them; with one seed
there is no interval, and its ends are nan. Rows are in the order of the names, and `model` holds the names
that `companion.plots` knows, so that every table can be drawn as it is.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from companion import presets, runs
from companion._support import choose
from companion.metrics.intervals import Interval, normal_quantile, paired_difference_interval, seed_interval
from companion.plots import MODEL_LABELS
from companion.runs import METHODS, Run

REPORTED = Path(__file__).with_name("reported.toml")


def run_table(tier: str, dataset: str, metric: str, names: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return one metric of every run, one row a run, with the interval that its own record holds.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metric: a metric of the records, such as `gan_test`. A run that lacks it has no row.
        names: the runs' names, such as `baseline`.

    Returns:
        Columns model, seed, value, low, high, n (samples or images behind the value), and earlier: whether
        the record is from earlier code.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> run_table("tiny", "no_such_data", "gan_test").columns.tolist()
        ['model', 'seed', 'value', 'low', 'high', 'n', 'earlier']
    """
    rows = [
        {
            "model": name,
            "seed": run.record.seed,
            **{key: _number(run.record.metrics[metric], key) for key in ("value", "low", "high", "n")},
            "earlier": run.from_earlier_code,
        }
        for name, run in _all_runs(tier, dataset, names)
        if metric in run.record.metrics
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "value", "low", "high", "n", "earlier"])


def seed_table(tier: str, dataset: str, metric: str, names: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return one metric, one row a model: mean over seeds, its 95 % t-interval, and every seed's own value.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metric: a metric of the records.
        names: the runs' names; each has a row, of nan where there is no run.

    Returns:
        Columns model, value, low, high, n (seeds), and `seed 0`, `seed 1`, ... for the seeds that exist.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> seed_table("tiny", "no_such_data", "gan_test", ["baseline"])
              model  value  low  high  n
        0  baseline    NaN  NaN   NaN  0
    """
    found = run_table(tier, dataset, metric, names)
    rows = []
    for name in names:
        values = _by_seed(found, name)
        each = {f"seed {seed}": value for seed, value in values.items()}
        rows.append({"model": name, **asdict(_over_seeds(values.values())), **each})
    table = pd.DataFrame(rows)
    seeds = sorted((c for c in table if c.startswith("seed ")), key=lambda c: int(c.removeprefix("seed ")))
    return table.loc[:, ["model", "value", "low", "high", "n", *seeds]]


def model_table(tier: str, dataset: str, metric: str, names: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return one metric, one row a model: over seeds where there are several, else over the run's own images.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metric: a metric of the records.
        names: the runs' names; each has a row, of nan where there is no run.

    Returns:
        Columns model, value, low, high, n, and unit: what n counts, `seeds` or `images`.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> model_table("tiny", "no_such_data", "gan_test", ["baseline"])["unit"].tolist()
        ['seeds']
    """
    found = run_table(tier, dataset, metric, names).dropna(subset=["value"])
    rows = []
    for name in names:
        mine = found.loc[found["model"] == name]
        if len(mine) == 1:
            own = mine[["value", "low", "high", "n"]].to_dict("records")[0]
            rows.append({"model": name, **own, "unit": "images"})
        else:
            rows.append({"model": name, **asdict(_over_seeds(mine["value"])), "unit": "seeds"})
    return pd.DataFrame(rows, columns=["model", "value", "low", "high", "n", "unit"])


def paired_differences(
    tier: str,
    dataset: str,
    metric: str,
    names: Sequence[str] = METHODS,
    *,
    against: str = "baseline",
) -> pd.DataFrame:
    """Return each model's difference from one of them, paired by seed: what the seeds have in common cancels.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metric: a metric of the records.
        names: the runs' names; `against` itself gets no row.
        against: the model that is subtracted.

    Returns:
        Columns model, value (mean difference), low, high, n (seeds in common), and sign: 1 or -1 where the
        95 % t-interval excludes 0, else 0.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> paired_differences("tiny", "no_such_data", "gan_test")["model"].tolist()
        ['score_matching', 'anti_score_matching', 'gradient_norm']
    """
    others = [name for name in names if name != against]
    found = run_table(tier, dataset, metric, [*others, against])
    rows = []
    for name in others:
        interval = _paired(_by_seed(found, name), _by_seed(found, against))
        rows.append({"model": name, **asdict(interval), "sign": interval.sign()})
    return pd.DataFrame(rows, columns=["model", "value", "low", "high", "n", "sign"])


def run_rows(tier: str, dataset: str, table: str, names: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return one CSV table of every run, its rows below each other.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        table: the CSV's name, such as `density_ratio`. A run that was not evaluated has no rows.
        names: the runs' names.

    Returns:
        Columns model and seed, then the table's own; no rows and just these two where no run has it.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> run_rows("tiny", "no_such_data", "density_ratio").columns.tolist()
        ['model', 'seed']
    """
    frames = [
        run.table(table).assign(model=name, seed=run.record.seed)
        for name, run in _all_runs(tier, dataset, names)
        if (run.directory / f"{table}.csv").exists()
    ]
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["model", "seed"])
    return found.loc[:, ["model", "seed", *found.columns.drop(["model", "seed"])]]


def over_seeds(
    frame: pd.DataFrame, keys: Sequence[str], value: str, error: str | None = None
) -> pd.DataFrame:
    """Average rows over seeds: one row for each combination of the keys, with its interval.

    Args:
        frame: rows with a column `seed`, as from `run_rows`; each combination has one row a seed.
        keys: the columns that stay, such as model and sigma.
        value: the column that is averaged.
        error: a column of standard errors, over images: the interval where there is one seed alone.

    Returns:
        The keys, value, low, high (Student's 95 % interval over seeds) and n (seeds); it fits
        `plots.curve_with_band` after a choice of the model.

    Raises:
        ValueError: a column that the frame lacks.

    Example:
        >>> rows = pd.DataFrame({"model": "baseline", "seed": [0, 1], "sigma": 0.1, "ratio": [1.0, 3.0]})
        >>> over_seeds(rows, ["model", "sigma"], "ratio")[["value", "n"]].values.tolist()
        [[2.0, 2.0]]
    """
    for column in (*keys, value, *([error] if error else [])):
        choose("column", column, tuple(frame.columns))
    found = []
    for _, rows in frame.groupby(list(keys), sort=False):
        interval = _over_seeds(rows[value])
        if error and len(rows) == 1:
            reach = normal_quantile(0.95) * rows[error].item()
            interval = replace(interval, low=interval.value - reach, high=interval.value + reach)
        found.append({**rows.iloc[0][list(keys)], **asdict(interval)})
    return pd.DataFrame(found, columns=[*keys, "value", "low", "high", "n"])


def run_metrics(
    tier: str, dataset: str, metrics: Sequence[str], names: Sequence[str] = METHODS
) -> pd.DataFrame:
    """Return several metrics of every run that has them all, one row a run.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metrics: metrics of the records.
        names: the runs' names.

    Returns:
        Columns model and seed, then a column for each metric.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> run_metrics("tiny", "no_such_data", ["gan_test"]).columns.tolist()
        ['model', 'seed', 'gan_test']
    """
    columns = {
        metric: run_table(tier, dataset, metric, names).set_index(["model", "seed"])["value"]
        for metric in metrics
    }
    return pd.DataFrame(columns).dropna().reset_index()


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, draws: int = 2000, seed: int = 0
) -> Interval:
    """Return Spearman's rank correlation, with a 95 % interval from drawing the pairs anew (bootstrap).

    Args:
        first: numbers, one a network, say.
        second: as many.
        draws: bootstrap samples; those in which all numbers are equal do not count.
        seed: of the draws.

    Returns:
        The correlation, -1 to 1; nan where there are fewer than three pairs or all numbers are equal.

    Raises:
        ValueError: the two do not have the same length, or a number is not finite.

    Example:
        >>> rank_correlation([1, 2, 3, 4], [2, 4, 8, 16]).value
        1.0
    """
    if len(first) != len(second):
        raise ValueError(f"the two must have the same length; got {len(first)} and {len(second)}")
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a rank correlation needs finite numbers; leave out the pairs that lack one")
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return replace(_over_seeds([]), n=len(x))
    drawn = np.random.default_rng(seed).integers(len(x), size=(draws, len(x)))
    found = _spearman(x[drawn], y[drawn])
    low, high = np.quantile(found[np.isfinite(found)], [0.025, 0.975])
    return Interval(value=float(_spearman(x, y)), low=float(low), high=float(high), n=len(x))


def ranking(tier: str, dataset: str, metric: str) -> str:
    """Name the models from the highest mean of a metric to the lowest, for a sentence.

    Example:
        >>> ranking("tiny", "no_such_data", "gan_test")
        'not measured yet'
    """
    means = seed_table(tier, dataset, metric).dropna(subset="value").set_index("model")["value"].to_dict()
    names = sorted(means, key=lambda name: means[name], reverse=True)
    return ", ".join(MODEL_LABELS[str(name)].lower() for name in names) or "not measured yet"


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
    base = _by_seed(found, "baseline")
    paired = {name: _paired(_by_seed(found, name), base) for name in METHODS if name != "baseline"}
    if all(difference.n < 2 for difference in paired.values()):
        return "With one seed this is an order of networks, not of methods."
    said: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for name, difference in paired.items():
        if difference.n:
            said[difference.sign()].append(
                f"{MODEL_LABELS[name].lower()} {interval_text(difference, form, scale)}"
            )
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
        by_count.setdefault(count, []).append(MODEL_LABELS[str(name)].lower())
    return "; ".join(
        f"{counted(count, 'seed')}{' each' * (len(names) > 1)} of {listed(names)}"
        for count, names in by_count.items()
    )


def trace_in_words(tier: str, dataset: str) -> str:
    """Say where score-matching's trace ends: beside what its stability term asks for, and the baseline's.

    With c = 1e-4 / mu, eq. 4 contains h + c h^2, which is lowest at h = -1 / (2c): the target.

    Args:
        tier: one of `runs.TIERS`.
        dataset: one of the tier's.

    Raises:
        ValueError: an unknown tier, or a data set that it does not have.

    Example:
        >>> trace_in_words("quick", "mnist5k").partition(".")[0]
        'the target is -500'
    """
    target = -presets.preset(tier, dataset, "score_matching").penalty["mu"] / 2e-4
    found = runs.find_all(tier, dataset, "score_matching")
    reached = _over_seeds(run.history()["trace"].iloc[-1] for run in found if run.record.status == "finished")
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


def reported(section: str) -> dict[str, Any]:
    """Return one section of `reported.toml`: numbers that the paper prints, in percent unless said otherwise.

    Args:
        section: dotted, such as `cifar100.gan_test`.

    Raises:
        ValueError: there is no such section; the known ones are listed.

    Example:
        >>> reported("cifar100.gan_test")["baseline"]
        59.47
    """
    sections: dict[str, dict[str, Any]] = {}
    for name, value in tomllib.loads(REPORTED.read_text()).items():
        inner = {key: entry for key, entry in value.items() if isinstance(entry, dict) and name != "setup"}
        sections |= {f"{name}.{key}": entry for key, entry in inner.items()} or {name: value}
    return sections[choose("section", section, tuple(sections))]


def beside_reported(frame: pd.DataFrame, section: str) -> pd.DataFrame:
    """Add the paper's numbers to a table with a column `model`: `paper`, as fractions; nan where it has none.

    Example:
        >>> ours = pd.DataFrame({"model": ["baseline"]})
        >>> beside_reported(ours, "cifar100.gan_test")["paper"].round(4).tolist()
        [0.5947]
    """
    numbers = reported(section)
    return frame.assign(paper=[numbers.get(name, math.nan) / 100 for name in frame["model"]])


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table for display: the column `model` becomes the index, written as in the figures.

    Example:
        >>> labelled(pd.DataFrame({"model": ["gradient_norm"], "value": [0.5]})).index.tolist()
        ['Gradient norm']
    """
    return frame.assign(model=[MODEL_LABELS.get(name, name) for name in frame["model"]]).set_index("model")


def interval_text(
    row: Mapping[str, Any] | pd.Series | Interval, form: str = "{:.2f}", scale: float = 1.0
) -> str:
    """Write a value with its interval, for a sentence or a cell: `0.60 (0.50 to 0.70)`.

    Args:
        row: value, low and high.
        form: the format of each number.
        scale: what the numbers are multiplied by: 100 for percent.

    Example:
        >>> interval_text({"value": 0.6, "low": 0.5, "high": 0.7})
        '0.60 (0.50 to 0.70)'
        >>> interval_text(seed_interval([0.6]))
        '0.60 (one seed, no interval)'
        >>> interval_text({"value": 0.0, "low": -0.001, "high": 0.01})  # what rounds to 0 has no sign
        '0.00 (0.00 to 0.01)'
    """
    values = _entries(row)
    value, low, high = (_written(form, scale * values[key]) for key in ("value", "low", "high"))
    if math.isnan(values["value"]):
        return "not measured"
    return f"{value} (one seed, no interval)" if math.isnan(values["low"]) else f"{value} ({low} to {high})"


def interval_table(
    tier: str, dataset: str, metrics: Mapping[str, str], form: str = "{:.2f}", scale: float = 1.0
) -> pd.DataFrame:
    """Write metrics with their intervals, for display: a row a model, as `model_table` has them.

    Args:
        tier: one of `runs.TIERS`.
        dataset: the data set's name.
        metrics: metrics of the records, by the columns' titles.
        form: the format of each number.
        scale: what the numbers are multiplied by: 100 for percent.

    Raises:
        ValueError: an unknown tier.

    Example:
        >>> interval_table("tiny", "no_such_data", {"GAN-test": "gan_test"}).loc["Baseline", "GAN-test"]
        'not measured'
    """
    texts = {
        title: [
            interval_text(row, form, scale) for row in model_table(tier, dataset, metric).to_dict("records")
        ]
        for title, metric in metrics.items()
    }
    return pd.DataFrame(texts, index=pd.Index([MODEL_LABELS[name] for name in METHODS], name="model"))


def counted(count: int, word: str) -> str:
    """Write a number of things: `1 seed`, `3 seeds`.

    Example:
        >>> counted(1, "seed"), counted(3, "seed")
        ('1 seed', '3 seeds')
    """
    return f"{count} {word}{'s' * (count != 1)}"


def direction(
    row: Mapping[str, Any] | pd.Series | Interval,
    above: str = "higher",
    below: str = "lower",
    neither: str = "not clearly different",
) -> str:
    """Say which way a difference goes, by its interval and never by eye; `neither` if it holds 0 or is nan.

    Example:
        >>> direction({"low": 0.1, "high": 0.3}), direction({"low": -0.1, "high": 0.3})
        ('higher', 'not clearly different')
    """
    values = _entries(row)
    return above if values["low"] > 0 else below if values["high"] < 0 else neither


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: `a`, `a and b`, `a, b and c`; `none` for none.

    Example:
        >>> listed(["one", "two", "three"])
        'one, two and three'
    """
    items = list(words)
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0] if items else "none"


def _all_runs(tier: str, dataset: str, names: Sequence[str]) -> list[tuple[str, Run]]:
    choose("tier", tier, runs.TIERS)
    return [(name, run) for name in names for run in runs.find_all(tier, dataset, name)]


def _entries(row: Mapping[str, Any] | pd.Series | Interval) -> dict[str, float]:
    entries = asdict(row) if isinstance(row, Interval) else dict(row)
    return {key: float(entries.get(key, math.nan)) for key in ("value", "low", "high")}


def _written(form: str, value: float) -> str:
    """Format a number; one that is rounded to 0 is written as 0 itself would be, never as -0.00."""
    text = form.format(value)
    return form.format(0.0) if math.isfinite(value) and not any(c in "123456789" for c in text) else text


def _number(metric: Mapping[str, Any], key: str) -> float:
    """Return an entry of a metric; records hold null for nan."""
    value = metric.get(key)
    return math.nan if value is None else value


def _by_seed(found: pd.DataFrame, name: str) -> dict[int, float]:
    rows = found.loc[found["model"] == name].dropna(subset=["value"])
    return {int(seed): float(value) for seed, value in zip(rows["seed"], rows["value"], strict=True)}


def _paired(values: Mapping[int, float], base: Mapping[int, float]) -> Interval:
    """Return the mean difference over the seeds that both have, with its interval."""
    seeds = [seed for seed in values if seed in base]
    if not seeds:
        return _over_seeds([])
    return paired_difference_interval([values[s] for s in seeds], [base[s] for s in seeds])


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlate ranks along the last axis; nan where all numbers of one side are equal."""
    a, b = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (_ranks(x), _ranks(y)))
    size = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return np.divide((a * b).sum(axis=-1), size, out=np.full_like(size, math.nan), where=size > 0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank along the last axis: how many are smaller, and half of those that are equal."""
    here, others = values[..., :, None], values[..., None, :]
    return (others < here).sum(axis=-1) + (others == here).sum(axis=-1) / 2


def _over_seeds(values: Iterable[float]) -> Interval:
    numbers = list(values)
    return seed_interval(numbers) if numbers else Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
