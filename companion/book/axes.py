"""What axes of several figures need."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

NOT_RUN = "not run at this tier"


def logarithmic(ax: Axes) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def legend_below(figure: Figure, ax: Axes, *, columns: int = 4) -> None:
    """Put a panel's legend below the whole figure."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def say_not_run(ax: Axes) -> None:
    """Say in an empty panel that its runs were not made."""
    ax.text(0.5, 0.5, NOT_RUN, transform=ax.transAxes, ha="center")
