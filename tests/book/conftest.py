"""The book's style for every figure that a test draws."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from companion.book import style


@pytest.fixture(autouse=True)
def book_style() -> Iterator[None]:
    """The book's style, for the test alone; no figure stays open."""
    with mpl.rc_context():
        style.use_style()
        yield
    plt.close("all")
