"""Live figures: the reader moves a slider, and a real network's gradients are computed anew.

Each function here returns a figure that a notebook's cell shows. In Jupyter it is a widget (anywidget). On
a page of the built book, where there is no kernel, the same JavaScript computes the same network in the
reader's browser.
"""

from companion.live.figures import drawing, fooling, ripple, sampling, traces
from companion.live.own_picture import photograph
from companion.live.packing import UnsupportedNetwork

__all__ = ["UnsupportedNetwork", "drawing", "fooling", "photograph", "ripple", "sampling", "traces"]
