"""The book to carry away: figures opened large, chapters first in a search, the PDF, the archive."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline import dist, pdf
from tests import builds


def test_a_figure_opens_large_by_click_and_key_and_escape_closes_it(page: Page, html: Path) -> None:
    place = next(
        p for p in sorted(html.glob("_executed/*.html")) if "<figure" in p.read_text(encoding="utf-8")
    )
    page.goto(place.as_uri())
    figure = page.locator("figure .zoom").first
    small = figure.locator("img").bounding_box()
    large = page.locator("dialog.zoomed img")
    assert not large.is_visible()
    figure.click()
    shown = large.bounding_box()
    assert small is not None
    assert shown is not None
    assert shown["width"] > 1.2 * small["width"]
    assert large.get_attribute("alt") == figure.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    large.wait_for(state="hidden")
    figure.focus()
    page.keyboard.press("Enter")
    large.wait_for()
    large.click()
    large.wait_for(state="hidden")
    assert figure.evaluate("(button) => button === document.activeElement")


def test_a_term_opens_its_definition_by_pointer_and_key_and_escape_closes_it(page: Page, html: Path) -> None:
    if not (html / "book" / "glossary.html").exists():
        pytest.skip("the toy book has no glossary")
    page.goto((html / "book" / "index.html").as_uri())
    box = page.get_by_role("tooltip")
    terms = page.locator("a[data-definition]")
    assert terms.count() >= 3
    for term in terms.all():
        term.hover()
        box.wait_for()
        assert len(box.inner_text()) > 40
        page.mouse.move(0, 0)
        box.wait_for(state="hidden")
    terms.first.focus()
    box.wait_for()
    assert terms.first.get_attribute("aria-describedby") == box.get_attribute("id")
    page.keyboard.press("Escape")
    box.wait_for(state="hidden")


def test_a_search_finds_chapters_before_the_api(page: Page, html: Path) -> None:
    if not (html / "_executed" / "05_trace_estimators.html").exists():
        pytest.skip("the toy book has nothing to be found twice")
    page.goto(f"{html.as_uri()}/search.html?q=trace")
    page.wait_for_selector("#search-results li a")
    page.locator(".search-summary", has_text=re.compile("found|finished", re.IGNORECASE)).wait_for()
    links = page.locator("#search-results li a").evaluate_all(
        "(all) => all.map((a) => a.getAttribute('href'))"
    )
    is_api = [link.startswith("book/api") for link in links]
    assert any(is_api)
    assert not is_api[0]
    assert is_api == sorted(is_api)
    assert links[0].startswith("_executed/")
    is_of_claims = [link.startswith("_executed/15_claims") for link in links]
    chapters = [link.startswith("_executed/") for link in links]
    assert is_of_claims.index(True) == sum(chapters) - sum(is_of_claims)


def test_the_pdf_has_every_page_and_no_link_to_the_machine_that_made_it(
    browser: Browser, built: Callable[[str], Path], tmp_path: Path
) -> None:
    root = built("toy").parents[1]
    project = shutil.copytree(root, tmp_path / "project")
    one = builds.build_html(project, "singlehtml", package=project)
    target = tmp_path / "book.pdf"
    pdf.print_page(pdf.as_one_page(one), target, browser)
    written = target.read_bytes()
    assert written.startswith(b"%PDF")
    assert written.count(b"/Type /Page\n") >= 5
    assert b"/Outlines" in written
    assert b"/URI (file:" not in written
    assert len(re.findall(rb"/Dest\b|/GoTo\b", written)) > 3


def test_pages_with_a_place_for_it_link_the_pdf(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    made = tmp_path / "all.pdf"
    made.write_bytes(b"%PDF" + b" " * 2_000_000)
    for name, text in {"with": f"<p>Before</p>{pdf.MARK}", "without": "<p>Before</p>"}.items():
        (tmp_path / "book" / f"{name}.html").write_text(text, encoding="utf-8")
    pdf.link(made)
    assert '<a href="../all.pdf">PDF</a>, 2 MB' in (tmp_path / "book" / "with.html").read_text(
        encoding="utf-8"
    )
    assert (tmp_path / "book" / "without.html").read_text(encoding="utf-8") == "<p>Before</p>"


def test_the_book_has_places_for_the_link(html: Path) -> None:
    if not (html / "_executed" / "05_trace_estimators.html").exists():
        pytest.skip("the toy book has no such page")
    for name in ("index", "reproduce"):
        text = (html / "book" / f"{name}.html").read_text(encoding="utf-8")
        assert pdf.MARK in text or f'href="../{pdf.PDF.name}"' in text


def test_the_archive_opens_from_the_disk(page: Page, built: Callable[[str], Path], tmp_path: Path) -> None:
    html = built("toy")
    packed = dist.pack(html, tmp_path / "book.zip")
    assert packed.read_bytes() == dist.pack(html, tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "there")
    trouble: list[str] = []
    page.on("requestfailed", lambda request: trouble.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto((tmp_path / "there" / dist.FOLDER / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    page.locator(".bd-article h1").wait_for()
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert trouble == []
