"""The runs' records as tables for the chapters: over seeds, paired differences, beside the paper's numbers.

The unit is a training run. A value is the mean over seeds, its interval Student's t over them; with one seed
there is no interval, and its ends are nan. Rows are in the order of the names, and `model` holds the names
that `companion.book.style` knows, so that every table can be drawn as it is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from companion._support import choose
from companion.book import style
from companion.book.seeds import by_seed, mean_over_seeds, paired
from companion.book.words import interval_text
from companion.claims import paper
from companion.experiments import shelf
from companion.experiments.methods import METHODS
from companion.experiments.records import Run
from companion.experiments.settings import TIERS


def run_table(tier: str, dataset: str, metric: str, names: Collection[str] = METHODS) -> pd.DataFrame:
    """Return one metric of every run, one row a run, with the interval that its own record holds.

    Args:
        tier: one of `settings.TIERS`.
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
            **asdict(run.interval(metric)),
            "earlier": run.from_earlier_code,
        }
        for name, run in _all_runs(tier, dataset, names)
        if metric in run.record.metrics
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "value", "low", "high", "n", "earlier"])


def seed_table(tier: str, dataset: str, metric: str, names: Collection[str] = METHODS) -> pd.DataFrame:
    """Return one metric, one row a model: mean over seeds, its 95 % t-interval, and every seed's own value.

    Args:
        tier: one of `settings.TIERS`.
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
        values = by_seed(found, name)
        each = {f"seed {seed}": value for seed, value in values.items()}
        rows.append({"model": name, **asdict(mean_over_seeds(values.values())), **each})
    table = pd.DataFrame(rows)
    seeds = sorted((c for c in table if c.startswith("seed ")), key=lambda c: int(c.removeprefix("seed ")))
    return table.loc[:, ["model", "value", "low", "high", "n", *seeds]]


def model_table(tier: str, dataset: str, metric: str, names: Collection[str] = METHODS) -> pd.DataFrame:
    """Return one metric, one row a model: over seeds where there are several, else over the run's own images.

    Args:
        tier: one of `settings.TIERS`.
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
            rows.append({"model": name, **asdict(mean_over_seeds(mine["value"])), "unit": "seeds"})
    return pd.DataFrame(rows, columns=["model", "value", "low", "high", "n", "unit"])


def paired_differences(
    tier: str,
    dataset: str,
    metric: str,
    names: Collection[str] = METHODS,
    *,
    against: str = "baseline",
) -> pd.DataFrame:
    """Return each model's difference from one of them, paired by seed: what the seeds have in common cancels.

    Args:
        tier: one of `settings.TIERS`.
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
        interval = paired(by_seed(found, name), by_seed(found, against))
        rows.append({"model": name, **asdict(interval), "sign": interval.sign()})
    return pd.DataFrame(rows, columns=["model", "value", "low", "high", "n", "sign"])


def run_rows(tier: str, dataset: str, table: str, names: Collection[str] = METHODS) -> pd.DataFrame:
    """Return one CSV table of every run, its rows below each other.

    Args:
        tier: one of `settings.TIERS`.
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


def run_metrics(
    tier: str, dataset: str, metrics: Sequence[str], names: Collection[str] = METHODS
) -> pd.DataFrame:
    """Return several metrics of every run that has them all, one row a run.

    Args:
        tier: one of `settings.TIERS`.
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


def beside_reported(frame: pd.DataFrame, section: str) -> pd.DataFrame:
    """Add the paper's numbers to a table with a column `model`: `paper`, as fractions; nan where it has none.

    Example:
        >>> ours = pd.DataFrame({"model": ["baseline"]})
        >>> beside_reported(ours, "cifar100.gan_test")["paper"].round(4).tolist()
        [0.5947]
    """
    numbers = paper.reported(section)
    return frame.assign(paper=[numbers.get(name, math.nan) / 100 for name in frame["model"]])


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table for display: the column `model` becomes the index, written as in the figures.

    Example:
        >>> labelled(pd.DataFrame({"model": ["gradient_norm"], "value": [0.5]})).index.tolist()
        ['Gradient norm']
    """
    return frame.assign(model=[style.MODEL_LABELS.get(name, name) for name in frame["model"]]).set_index(
        "model"
    )


def interval_table(
    tier: str, dataset: str, metrics: Mapping[str, str], form: str = "{:.2f}", scale: float = 1.0
) -> pd.DataFrame:
    """Write metrics with their intervals, for display: a row a model, as `model_table` has them.

    Args:
        tier: one of `settings.TIERS`.
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
    return pd.DataFrame(texts, index=pd.Index([METHODS[name].title for name in METHODS], name="model"))


def _all_runs(tier: str, dataset: str, names: Collection[str]) -> list[tuple[str, Run]]:
    choose("tier", tier, TIERS)
    return [(name, run) for name in names for run in shelf.find_all(tier, dataset, name)]
