"""Where things lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ROOT / "_executed"
HTML = ROOT / "_build" / "html"
PDF = HTML / "logits-as-log-densities.pdf"
