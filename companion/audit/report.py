"""An audit's report: its findings, and the page that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from companion.audit.findings import Findings
from companion.audit.page import page, write_whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Report(Findings):
    """The result of `audit`: its findings, as a frame or as a page."""

    def to_html(self, path: str | Path, *, title: str = "Who can be fooled?") -> Path:
        """Write one self-contained page, whole or not at all.

        Args:
            path: of the page; its folder has to exist.
            title: what stands above it.

        Returns:
            The path.

        Raises:
            OSError: it cannot be written there.
        """
        return write_whole(Path(path), page(self, title))
