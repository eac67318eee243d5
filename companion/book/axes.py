"""What axes of several figures need."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

NOT_RUN = "not run at this tier"


def logarithmic(ax: Axes) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def symmetric(axis: XAxis | YAxis, linthresh: float, ticks: Mapping[float, str]) -> None:
    """Make an axis linear around 0 and logarithmic beyond, with those of the ticks that are in view.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`, when all is drawn.
        linthresh: where it becomes logarithmic.
        ticks: what is written, by place.
    """
    ax, is_x = axis.axes, isinstance(axis, XAxis)
    (ax.set_xscale if is_x else ax.set_yscale)("symlog", linthresh=linthresh)
    ax.autoscale_view(scalex=is_x, scaley=not is_x)  # The margins are of the new scale.
    low, high = axis.get_view_interval()
    shown = [tick for tick in ticks if low <= tick <= high]
    axis.set_ticks(shown, [ticks[tick] for tick in shown])
    axis.set_minor_locator(NullLocator())
    (ax.set_xlim if is_x else ax.set_ylim)(low, high)


def legend_below(figure: Figure, ax: Axes, *, columns: int = 4) -> None:
    """Put a panel's legend below the whole figure."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def say_not_run(ax: Axes) -> None:
    """Say in an empty panel that its runs were not made."""
    ax.text(0.5, 0.5, NOT_RUN, transform=ax.transAxes, ha="center")
