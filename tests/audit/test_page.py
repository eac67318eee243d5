"""The page of a report: whole or not there, loading nothing, with every name escaped."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor

from companion.audit import Report, audit
from companion.audit.attributions import named
from tests.audit.conftest import smooth

VOID = {"meta", "img", "br"}


@pytest.fixture
def report(x: Tensor, generator: torch.Generator) -> Report:
    hostile = {'<script>alert("1")</script>': named(["saliency"])["saliency"]}
    return audit(smooth(), x, attributions=hostile, generator=generator)


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.alts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("src", "href", "data", "action") if name in given]
        if tag == "img":
            self.alts.append(given.get("alt"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_its_tags_close(report: Report, tmp_path: Path) -> None:
    page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.links) == 1 + 4 * 4
    assert all(link.startswith("data:image/png;base64,") for link in parser.links)
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert all(parser.alts)


def test_names_are_escaped(report: Report, tmp_path: Path) -> None:
    page = report.to_html(tmp_path / "report.html", title="<b>mine</b> & yours").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in page
    assert "<title>&lt;b&gt;mine&lt;/b&gt; &amp; yours</title>" in page


def test_the_page_says_what_the_report_says(report: Report, tmp_path: Path) -> None:
    page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert report.verdict() in page
    assert page.count('<td class="moved">') == 1
    assert page.count('<td class="still">') == 3
    strongest = report.strongest(report.names("attribution")[0], "logit")
    assert f"moves {strongest.change.value:.3g}" in page
    assert "class=\"verdict moved\"" in page  # fmt: skip


def test_a_page_that_cannot_be_written_leaves_what_was_there(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        report.to_html(path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
