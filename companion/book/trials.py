"""Chapter 21's tables and figures: what a campaign of faults, of mutants and of timings found.

`python -m companion faults`, `mutants` and `bench` write the tables under `results/trials/`; each has the
commit and the machine that it was measured on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from companion._support import choose
from companion.experiments.provenance import PROJECT

TABLES = ("faults", "mutants", "survivors", "peers", "scaling")
PARTS = {
    "kills": "processes killed, and what they left",
    "files": "files damaged or misplaced",
    "calls": "library calls made up",
    "command lines": "command lines made up",
}
ALONG = {"pixels": "pixels of an image", "classes": "classes", "images": "images at a time"}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
_MARKS = "o^Dsv"


def table(name: str) -> pd.DataFrame:
    """Return one of the tables.

    Example:
        >>> list(table("faults"))[:5]
        ['part', 'kind', 'tried', 'survived', 'lost']
    """
    return pd.read_csv(PROJECT / "results" / "trials" / f"{choose('table', name, TABLES)}.csv")


def where(found: pd.DataFrame) -> str:
    """Say at which commit and on what machine a table was measured."""
    return f"Commit {found['commit'].iloc[0]}, {found['machine'].iloc[0]}"


def by_part(faults: pd.DataFrame) -> pd.DataFrame:
    """Return the faults part by part: how many kinds, tried, survived, lost."""
    grouped = faults.groupby("part", sort=False)
    found = pd.DataFrame(grouped[["tried", "survived", "lost"]].sum())
    found.insert(0, "kinds", grouped.size())
    return found.rename(index=PARTS).rename_axis(None)


def by_room(mutants: pd.DataFrame) -> pd.DataFrame:
    """Return the mutants folder by folder, and in all: how many, killed, survived, without a test."""
    counts = ["mutants", "killed", "survived", "no test"]
    found = pd.DataFrame(mutants.groupby(mutants["file"].str.partition("/")[0])[counts].sum())
    found.loc["all"] = found.sum()
    return found.assign(share=found["killed"] / found["mutants"]).rename_axis("companion/")


def beside_peers(peers: pd.DataFrame) -> Figure:
    """Draw our time as a multiple of each peer's: median, and the middle half of the turns."""
    figure, axis = plt.subplots(figsize=(8, 0.8 + 0.5 * len(peers)))
    places = np.arange(len(peers))[::-1]
    low, middle, high = (peers[name].to_numpy(dtype=float) for name in ("ratio_low", "ratio", "ratio_high"))
    axis.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="o", color=_COLOURS[0], capsize=3)
    axis.axvline(1, color="0.5", linewidth=1)
    axis.set_yticks(places, [f"{row['what']}\nbeside {row['peer']}" for _, row in peers.iterrows()])
    axis.set(xscale="log", xlabel="our time / its time", ylim=(-0.6, len(peers) - 0.4))
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    ticks = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
    axis.set_xticks([tick for tick in ticks if min(low) / 2 <= tick <= 2 * max(high)])
    return figure


def exponents(scaling: pd.DataFrame) -> pd.DataFrame:
    """Return how each job's time grows: b in time = a size^b, from the larger half of the sizes.

    Least squares on logarithms. What does not depend on the size holds the small sizes up.

    Example:
        >>> rows = [("a job", "pixels", size, 3.0 * size**2) for size in (1, 2, 4, 8)]
        >>> exponents(pd.DataFrame(rows, columns=["job", "along", "size", "ms"])).to_dict()
        {'pixels': {'a job': 2.0}}
    """
    alongs = [along for along in ALONG if along in set(scaling["along"])]
    jobs = list(dict.fromkeys(scaling["job"]))
    found = pd.DataFrame(index=pd.Index(jobs, name="job"), columns=alongs, dtype=float)
    for job in jobs:
        for along in alongs:
            rows = scaling.loc[(scaling["job"] == job) & (scaling["along"] == along), ["size", "ms"]]
            large = np.log(rows.to_numpy(dtype=float)[len(rows) // 2 - 1 :])
            found.loc[job, along] = round(float(np.polyfit(large[:, 0], large[:, 1], 1)[0]), 2)
    return found


def growth(scaling: pd.DataFrame) -> Figure:
    """Draw each job's time over pixels, classes and images."""
    figure, axes = plt.subplots(1, len(ALONG), figsize=(10, 3.6), sharey=True)
    for axis, (along, label) in zip(axes, ALONG.items(), strict=True):
        rows = scaling[scaling["along"] == along]
        for number, (job, of_job) in enumerate(rows.groupby("job", sort=False)):
            style = {"color": _COLOURS[number], "marker": _MARKS[number], "markersize": 4}
            axis.plot(of_job["size"], of_job["ms"], label=str(job), **style)
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("milliseconds")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
