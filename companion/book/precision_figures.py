"""Chapter 05's figure and sentences on number formats: TF32 and bfloat16 in a Taylor estimate on a GPU.

The numbers are those of `results/paper/cifar100/tf32.csv`, measured once on one NVIDIA H200: for a network,
a sigma, a variant and a format the mean estimate over the images, its standard error over them, and the
standard deviation of one sample on one image. Every format saw the same images and the same noise.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter

from companion.book.words import listed
from companion.experiments.methods import METHODS
from companion.experiments.provenance import PROJECT
from companion.trace.precision import TF32_SIGMA

FORMATS = {"float32": "float32", "tf32": "TF32", "bfloat16": "bfloat16"}
"""The formats' names in the file, and as they are written."""
_COLOURS = {"float32": "#0072B2", "tf32": "#CC79A7", "bfloat16": "#000000"}
_MARKS = {"float32": "^", "tf32": "D", "bfloat16": "v"}
_DASHES: dict[str, Literal["--", "-"]] = {"baseline": "--", "score_matching": "-"}


def measured() -> pd.DataFrame:
    """Return the measurements, one row for a network, a sigma, a variant and a format.

    Example:
        >>> sorted(set(measured()["precision"]))
        ['bfloat16', 'float32', 'tf32']
    """
    return pd.read_csv(PROJECT / "results" / "paper" / "cifar100" / "tf32.csv")


def spreads(found: pd.DataFrame, variant: str = "central") -> pd.DataFrame:
    """Return the standard deviation of one sample, a row for a network and a sigma, a column a format."""
    rows = found.loc[found["variant"] == variant]
    table = rows.pivot(index=["model", "sigma"], columns="precision", values="spread_within_image")
    return table.loc[:, list(FORMATS)]


def added(found: pd.DataFrame, variant: str = "central") -> pd.DataFrame:
    """Return what TF32 and bfloat16 add to one sample's scatter: the root of the difference of the variances.

    Nan where the format's variance is not above float32's. The noise is shared, so it cancels in part.

    Example:
        >>> rows = [("baseline", 0.1, "central", "float32", 3.0), ("baseline", 0.1, "central", "tf32", 5.0)]
        >>> rows.append(("baseline", 0.1, "central", "bfloat16", 2.0))
        >>> names = ["model", "sigma", "variant", "precision", "spread_within_image"]
        >>> added(pd.DataFrame(rows, columns=names)).to_numpy().tolist()
        [[4.0, nan]]
    """
    table = spreads(found, variant)
    variances = table**2
    more = {name: variances[name] - variances["float32"] for name in ("tf32", "bfloat16")}
    return pd.DataFrame({name: gain.where(gain > 0) ** 0.5 for name, gain in more.items()})


def spreads_table(found: pd.DataFrame) -> pd.DataFrame:
    """Write the central estimate's scatter in each format, for display, beside the trace by Hutchinson."""
    table = spreads(found)
    size = found.groupby(["model", "sigma"])["hutchinson_mean"].first()
    shown = table.rename(columns=FORMATS).map("{:,.1f}".format)
    shown.insert(0, "mean trace, Hutchinson", size.loc[table.index].map("{:,.0f}".format))
    titles = [(METHODS[str(model)].title, f"{sigma:g}") for model, sigma in table.index]
    shown.index = pd.MultiIndex.from_tuples(titles, names=["network", "σ"])
    shown.columns = [*shown.columns[:1], *(f"scatter of one sample, {name}" for name in FORMATS.values())]
    return shown


def lost_digits(found: pd.DataFrame) -> Figure:
    """Draw the central estimate's scatter over sigma in each format, and what the narrower formats add."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2))
    both, more = spreads(found), added(found)
    for model, dashes in _DASHES.items():
        for name in FORMATS:
            style = {"color": _COLOURS[name], "marker": _MARKS[name], "linestyle": dashes}
            values = both.loc[model, name]
            left.plot(values.index, values, **style)
            if name == "float32":
                continue
            values = more.loc[model, name].dropna()
            right.plot(values.index, values, **{**style, "linestyle": "none"})
            if len(values):
                line = values.iloc[0] * (values.index[0] / both.loc[model].index) ** 2
                look = {"color": _COLOURS[name], "linestyle": dashes, "linewidth": 0.9, "zorder": 0}
                right.plot(both.loc[model].index, line, **look)
    ticks = sorted(set(found["sigma"]))
    for ax in (left, right):
        ax.set(xscale="log", yscale="log", xlabel=r"$\sigma$")
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    left.set(ylabel="standard deviation of one sample", title="One sample, in three formats")
    right.set(ylabel="added by the format", title=r"What a format adds falls as 1/σ²")
    _name_lines(figure)
    return figure


def in_words(found: pd.DataFrame) -> dict[str, str]:
    """Return chapter 05's sentences on the measurements, by the names of its prose."""
    wide, more = spreads(found), added(found)
    sigmas = sorted(set(found["sigma"]))
    small = [sigma for sigma in sigmas if sigma < TF32_SIGMA]
    large = [sigma for sigma in sigmas if sigma >= TF32_SIGMA]
    times = pd.concat([_against_float32(found, variant) for variant in ("forward", "central")])
    at_large = times[times.index.get_level_values("sigma").isin(large)]
    ruined = wide.xs(small[0], level="sigma")
    worst = {name: (ruined[name] / ruined["float32"]) for name in ("tf32", "bfloat16")}
    widest = {name: 100 * float(np.abs(np.asarray(at_large[name]) - 1).max()) for name in worst}
    ends = {name: f"{worst[name].min():.2f} and {worst[name].max():.2f}" for name in worst}
    growth = [
        f"{more.loc[(model, small[0]), name] / more.loc[(model, TF32_SIGMA), name]:.0f}-fold for "
        f"{FORMATS[str(name)]} ({METHODS[str(model)].label})"
        for name in more
        for model in more.index.unique("model")
        if more.loc[(model, TF32_SIGMA), name] > 0
    ]
    images, probes = int(found["images"].iloc[0]), int(found["probes"].iloc[0])
    written = " and ".join(f"{sigma:g}" for sigma in large)
    largest = max(np.asarray(worst["tf32"]))
    return {
        "gpu_short": f"TF32 changes the scatter of a sample by at most {widest['tf32']:.2f} % where σ is "
        f"{TF32_SIGMA:g} or more, and at {small[0]:g} multiplies it by up to {largest:.1f}.",
        "gpu_setting": f"There are {images} test images with {probes} samples each, on one NVIDIA H200.",
        "gpu_growth": f"Where a format adds anything at σ = {TF32_SIGMA:g}, it grows from there to "
        f"{small[0]:g} {listed(growth)}.",
        "gpu_rule": f"At σ of {written}, TF32 changes the scatter of a sample by at most "
        f"{widest['tf32']:.2f} % and bfloat16 by at most {widest['bfloat16']:.0f} %, in either network and "
        f"with the forward or the central estimate. At {small[0]:g} the central estimate's scatter in TF32 "
        f"is {ends['tf32']} times float32's in the two networks, in bfloat16 {ends['bfloat16']} times.",
        "gpu_bias": _bias(found),
    }


def _against_float32(found: pd.DataFrame, variant: str) -> pd.DataFrame:
    table = spreads(found, variant)
    return pd.DataFrame({name: table[name] / table["float32"] for name in ("tf32", "bfloat16")})


def _bias(found: pd.DataFrame) -> str:
    """Say how far the choice of sigma moves the baseline's mean estimate, and how far TF32 does."""
    rows = found.loc[(found["model"] == "baseline") & (found["variant"] == "central")]
    means = rows.pivot(index="sigma", columns="precision", values="mean")
    safe = means.loc[means.index >= TF32_SIGMA]
    moved = float(np.abs(safe["tf32"].to_numpy() - safe["float32"].to_numpy()).max())
    at = rows.loc[(rows["precision"] == "float32") & (rows["sigma"] == TF32_SIGMA)].iloc[0]
    return (
        f"On the baseline the mean of the central estimate at σ = {TF32_SIGMA:g} is {at['mean']:,.0f} "
        f"(standard error over images {at['standard_error']:,.0f}), and Hutchinson's on the same images "
        f"{at['hutchinson_mean']:,.0f}; from one σ to another the central one lies between "
        f"{means['float32'].min():,.0f} and {means['float32'].max():,.0f}. TF32 moves it by "
        f"at most {moved:,.1f} where σ is {TF32_SIGMA:g} or more."
    )


def _name_lines(figure: Figure) -> None:
    """Name formats and networks below the figure, each once."""
    handles = [
        Line2D([], [], color=_COLOURS[name], marker=_MARKS[name], linestyle="none", label=title)
        for name, title in FORMATS.items()
    ]
    handles += [
        Line2D([], [], color="#555555", linestyle=dashes, label=METHODS[model].title)
        for model, dashes in _DASHES.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
