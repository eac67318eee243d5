"""Every page of the built book: what it weighs, whom it keeps out, where its links lead."""

from __future__ import annotations

import html as markup
import os
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def all_pages(html: Path) -> list[Path]:
    """Return every page, those that Sphinx adds too, except the one that only leads to the first."""
    found = [path for path in sorted(html.rglob("*.html")) if "_static" not in path.parts]
    return [path for path in found if path != html / "index.html"]


def drawn(page: Page, address: str) -> Page:
    """Open a page and wait until its equations are drawn."""
    page.goto(address, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    return page


def test_widgets_are_loaded_when_a_reader_comes_near_and_are_a_picture_until_then(
    page: Page, html: Path
) -> None:
    pages = sorted(html.glob("_executed/*.html"))
    place = next(path for path in pages if "widget-still" in path.read_text(encoding="utf-8"))
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    still = drawn(page, place.as_uri()).locator(".widget-still")
    assert still.inner_text().strip() or still.locator("img[alt]").count()
    if still.evaluate("(still) => still.getBoundingClientRect().top > 2 * innerHeight"):
        assert not [url for url in loaded if "_static/widgets/" in url]
    still.evaluate("(still) => still.scrollIntoView()")
    handle = page.locator(".noUi-handle").first
    handle.wait_for()
    assert not still.is_visible()
    assert handle.get_attribute("aria-label") in ("steps", "which")
    page.emulate_media(media="print")
    assert still.is_visible()
    assert not handle.is_visible()


ALIKE = [[".highlight"], [".bd-sidebar-primary"]]
"""What is on all pages, and alike: one page's stand for the others'."""


def test_no_page_keeps_anyone_out(page: Page, html: Path) -> None:
    pages = all_pages(html)
    sources = [path for path in pages if "_modules" in path.parts]
    different = [path for path in pages if path not in sources[1:]]
    # Every fifth page, others each day; all of them where BOOK names a book.
    some = different if os.environ.get("BOOK") else different[date.today().toordinal() % 5 :: 5]
    found = []
    for path in some:
        still = drawn(page, path.as_uri()).locator(".widget-still")
        if still.count():
            still.evaluate("(still) => still.scrollIntoView()")
            page.locator(".noUi-handle").first.wait_for()
        if path.stem == "api":  # It goes on as it begins, for 48,000 elements.
            parts = page.locator("article section section")
            parts.evaluate_all("(parts) => parts.slice(3).forEach((part) => part.remove())")
        for theme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
            page.wait_for_timeout(300)
            context = {"exclude": [["mjx-container"], *([] if path == some[0] else ALIKE)]}
            results = Axe().run(page, context, {"resultTypes": ["violations"]} | rules)
            found += [(path.name, theme, *told(broken)) for broken in results.response["violations"]]
    serious = [each for each in found if each[2] in ("serious", "critical")]
    assert serious == []
    assert [each for each in found if "header" in each[3]] == []


def told(broken: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return how bad a broken rule is, its name, and where it is broken first."""
    return broken["impact"], broken["id"], [node["html"][:100] for node in broken["nodes"][:3]]


def test_an_id_is_on_a_page_once_and_every_link_leads_somewhere(html: Path) -> None:
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in all_pages(html)}
    ids = {path: Counter(re.findall(r'<[^>]*\sid="([^"]*)"', text)) for path, text in texts.items()}
    assert {
        path.name: twice for path, found in ids.items() if (twice := [i for i, n in found.items() if n > 1])
    } == {}
    dead = []
    for path, text in texts.items():
        for link in map(markup.unescape, re.findall(r'<a\b[^>]*\shref="([^"]*)"', text)):
            if re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = link.partition("#")
            target = (path.parent / place).resolve() if place else path
            if not target.exists() or (anchor and target in ids and anchor not in ids[target]):
                dead.append((path.name, link))
    assert dead == []
