"""The built book, as a reader's browser sees it, with no other host in reach."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

from companion.gradients import logit_gradient
from tests import builds
from tests.browser import live_page

Pages = dict[str, dict[str, Any]]
"""What is on each page of a book, by the page's name."""


@dataclass
class Visit:
    """A page of the browser, and what went wrong or left the machine while it was used."""

    page: Page
    address: str
    trouble: list[str] = field(default_factory=list)

    def open(self, name: str) -> Page:
        """Open a page of the book and wait until it is drawn, equations and widgets included."""
        self.page.goto(f"{self.address}/{name}", wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self.page


@pytest.fixture
def visit(browser: Browser, html: Path) -> Iterator[Visit]:
    """Return the book, opened from the disk: the harder case, where a page may fetch nothing."""
    with _visit(browser, html.as_uri()) as opened:
        yield opened


@pytest.fixture
def visit_everywhere(browser: Browser, address: str) -> Iterator[Visit]:
    """Return the book, opened from the disk and from a server."""
    with _visit(browser, address) as opened:
        yield opened


@contextmanager
def _visit(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context()
    context.set_default_timeout(180_000)  # For busy machines.
    page = context.new_page()
    result = Visit(page, address)
    page.on("pageerror", lambda error: result.trouble.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            result.trouble.append(f"console: {message.text}") if message.type == "error" else None
        ),
    )
    page.on(
        "requestfailed",
        lambda request: (
            None  # The next page was opened meanwhile.
            if request.failure == "net::ERR_ABORTED"
            else result.trouble.append(f"failed: {request.url}")
        ),
    )

    def check(request: object) -> None:
        url = request.url  # pyright: ignore[reportAttributeAccessIssue]
        if not url.startswith((address, "data:", "blob:")):
            result.trouble.append(f"leaves the book: {url}")

    page.on("request", check)
    yield result
    context.close()


FACTS = """async () => {
    const article = document.querySelector('.bd-article');
    document.querySelectorAll('img').forEach(image => image.loading = 'eager');
    await Promise.all([...document.images].map(image => image.complete || new Promise(done => {
        image.onload = image.onerror = done;
    })));
    const count = selector => article.querySelectorAll(selector).length;
    const text = article.innerText;
    const folded = [...article.querySelectorAll('details:not([open])')];
    folded.forEach(details => details.open = true);
    const wide = [...article.querySelectorAll('.cell_input pre')].filter(e => e.scrollWidth > e.clientWidth);
    const cut = wide.map(e => e.innerText);
    folded.forEach(details => details.open = false);
    return {
        text, cut,
        images: [...article.querySelectorAll('img')].map(i => [i.src, i.naturalWidth, i.alt]),
        drawn: count('.cell_output img, figure img'),
        errors: [...article.querySelectorAll('mjx-merror, .problematic')].map(e => e.innerText),
        raw: [...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length,
        downloads: [...article.querySelectorAll('.provenance a.download')].map(a => a.getAttribute('href')),
    };
}"""
CONTRASTS = """selectors => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => rgb(getComputedStyle(e).backgroundColor);
    const clear = e => ground(e).length === 4 && ground(e)[3] === 0;
    const measured = element => {
        let place = element;
        while (place.parentElement && clear(place)) place = place.parentElement;
        return [light(rgb(getComputedStyle(element).color)), light(ground(place))];
    };
    return selectors.flatMap(selector => [...document.querySelectorAll(selector)].slice(0, 5)
        .filter(element => element.checkVisibility()).map(element => [selector, ...measured(element)]));
}"""
TEXTS = (".bd-article p", ".bd-article table.dataframe td", ".bd-article .cell_output .text_html")


@pytest.fixture(scope="session")
def toured(browser: Browser) -> Callable[[Path], Pages]:
    """Return a function that opens each page of a book once, from the disk, and says what is on it."""

    @functools.cache
    def tour(html: Path) -> Pages:
        seen = {}
        with _visit(browser, html.as_uri()) as visit:
            for name in builds.page_names(html):
                visit.page.set_viewport_size({"width": 1280, "height": 720})
                visit.page.emulate_media(color_scheme="light")
                found = visit.open(name).evaluate(FACTS)
                visit.page.set_viewport_size({"width": 320, "height": 640})
                found["width"] = visit.page.evaluate("() => document.documentElement.scrollWidth")
                visit.page.emulate_media(color_scheme="dark")
                visit.page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
                found["contrasts"] = visit.page.evaluate(CONTRASTS, TEXTS)
                found["trouble"] = list(visit.trouble)
                visit.trouble.clear()
                seen[name] = found
        assert seen
        return seen

    return tour


@pytest.fixture
def seen(toured: Callable[[Path], Pages], html: Path) -> Pages:
    """Return what is on each page, by the page's name."""
    return toured(html)


def test_pages_from_the_disk_load_nothing_from_elsewhere_and_report_no_error(
    seen: Pages,
) -> None:
    assert {name: page["trouble"] for name, page in seen.items() if page["trouble"]} == {}


@pytest.fixture(scope="session")
def served(browser: Browser, serve: Callable[[Path], str]) -> Callable[[Path], Pages]:
    """Return a function that loads each page of a book once, from a server: what went wrong, what came."""

    @functools.cache
    def tour(html: Path) -> Pages:
        found, came = {}, []
        with _visit(browser, serve(html)) as visit:
            visit.page.set_viewport_size({"width": 1280, "height": 800})
            visit.page.on("response", lambda response: came.append(response))
            for name in builds.page_names(html):
                visit.open(name)
                visit.page.wait_for_timeout(200)
                sizes = {each.url: int(each.headers.get("content-length", 0)) for each in came}
                found[name] = {"trouble": list(visit.trouble), "sizes": sizes}
                visit.trouble.clear()
                came.clear()
        return found

    return tour


def test_pages_from_a_server_load_nothing_from_elsewhere_and_report_no_error(
    served: Callable[[Path], Pages], html: Path
) -> None:
    assert {name: page["trouble"] for name, page in served(html).items() if page["trouble"]} == {}


def test_a_chapter_weighs_at_most_two_and_a_half_megabytes_without_what_a_figure_near_by_loads(
    served: Callable[[Path], Pages], html: Path
) -> None:
    weights = {
        name: sum(n for url, n in page["sizes"].items() if not re.search("/widgets/|/live/network", url))
        for name, page in served(html).items()
        if re.match(r"_executed/\d\d_", name)
    }
    assert weights
    assert {name: weight for name, weight in weights.items() if not 3e5 < weight < 2.5e6} == {}


def test_every_figure_is_there_with_a_text_for_those_who_cannot_see_it(
    seen: Pages,
) -> None:
    assert [
        f"{name}: {source}"
        for name, page in seen.items()
        for source, width, alt in page["images"]
        if width == 0 or not alt or "_images/" in alt
    ] == []


def test_figures_of_the_executed_chapters_are_on_their_pages(seen: Pages, html: Path) -> None:
    for name, page in seen.items():
        notebook = html / "_sources" / Path(name).with_suffix(".ipynb")
        if not notebook.exists():
            continue
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        expected = sum(
            any(kind.startswith("image/") for kind in output.get("data", {}))
            for cell in cells
            if not {"remove-cell", "remove-output"} & set(cell["metadata"].get("tags", []))
            for output in cell.get("outputs", [])
            if "scrapbook" not in output.get("metadata", {})
        )
        assert page["drawn"] >= expected, name


def test_numbers_references_and_equations_are_resolved(seen: Pages) -> None:
    unresolved = r"\{(?:glue|eq|numref|cite|prf)[^}]*\}\S*|\?\?"
    bad = {name: re.findall(unresolved, page["text"]) + page["errors"] for name, page in seen.items()}
    assert {name: found for name, found in bad.items() if found} == {}
    assert {name: page["raw"] for name, page in seen.items() if page["raw"]} == {}


def test_no_code_is_wider_than_its_box(seen: Pages) -> None:
    assert {name: page["cut"] for name, page in seen.items() if page["cut"]} == {}


def test_nothing_is_wider_than_the_narrowest_phone(seen: Pages) -> None:
    assert {name: page["width"] for name, page in seen.items() if page["width"] > 320} == {}


def test_dark_mode_is_dark_and_readable(seen: Pages) -> None:
    for name, page in seen.items():
        for selector, text, ground in page["contrasts"]:
            assert ground < 0.2, (name, selector)
            assert (text + 0.05) / (ground + 0.05) > 4.5, (name, selector)


def test_search_finds_a_page_by_its_words(visit_everywhere: Visit, html: Path) -> None:
    visit = visit_everywhere
    word = (
        "unfindableword"
        if "Unfindableword" in (html / "book" / "index.html").read_text(encoding="utf-8")
        else "gradient"
    )
    page = visit.open(f"search.html?q={word}")
    page.locator("#search-results li a[href*='book/index']").first.wait_for()
    assert visit.trouble == []


def test_every_chapter_offers_its_notebook_and_its_source(seen: Pages, html: Path) -> None:
    chapters = {name: page for name, page in seen.items() if re.match(r"_executed/\d\d_", name)}
    assert chapters
    for name, page in chapters.items():
        files = [(html / name).parent.joinpath(link).resolve() for link in page["downloads"]]
        assert {path.suffix for path in files} == {".ipynb", ".py"}, name
        notebook = next(path for path in files if path.suffix == ".ipynb")
        assert any(
            cell.get("outputs") for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        ), name
        assert "# %%" in next(path for path in files if path.suffix == ".py").read_text(encoding="utf-8")


def test_every_record_that_the_claims_name_lies_in_the_book(html: Path) -> None:
    page = html / "_executed" / "15_claims.html"
    if not page.exists():
        pytest.skip("only the chapters' book has a page of claims")
    links = re.findall(r'href="(\.\./results/[^"]+)"', page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_static_widget_answers_without_a_kernel(visit_everywhere: Visit, html: Path) -> None:
    visit = visit_everywhere
    name = "_executed/02_second.html"
    if not (html / name).exists():
        pytest.skip("only the toy book has a widget whose behaviour is known")
    page = visit.open(name)
    page.locator(".widget-still").evaluate("(still) => still.scrollIntoView()")
    page.wait_for_selector(".widget-slider, .widget-hslider")
    shown = page.locator(".widget-html-content")
    assert shown.get_by_text("zero", exact=True).is_visible()
    handle = page.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    shown.get_by_text("one", exact=True).wait_for(state="visible")
    assert visit.trouble == []


def test_the_live_figure_of_chapter_1_computes_the_books_own_network(
    visit_everywhere: Visit, html: Path
) -> None:
    visit = visit_everywhere
    name = "_executed/01_softmax_shift.html"
    if not (html / name).exists():
        pytest.skip("the toy book has no live figure")
    place = visit.open(name).locator(".live-figure")
    place.scroll_into_view_if_needed()
    place.locator(".live-summary", has_text="Class").wait_for()
    found = place.evaluate(
        "async (place) => { const f = place.companion; await f.set({ image: 2, y: 4, strength: 30 });"
        " const { x, after } = f.results();"
        " return [f.asPyTorch(), ...[x, after.logits, after.logitGradient].map((v) => Array.from(v))]; }"
    )
    code, *arrays = found
    x, logits, gradient = (torch.tensor(array, dtype=torch.float64) for array in arrays)
    names: dict[str, Any] = {"print": lambda *_: None}
    exec(compile(code, "copied", "exec"), names)  # It loads the network of the record that the page names.
    assert torch.equal(names["x"].flatten(), x)
    scale = 1e-12 * max(1.0, float(logits.abs().max()))
    with torch.no_grad():
        assert float((names["fooled"](names["x"])[0] - logits).abs().max()) < scale
    expected = logit_gradient(names["fooled"], names["x"], 4).flatten()
    assert float((expected - gradient).abs().max()) < scale
    assert visit.trouble == []


def test_every_live_figure_comes_alive(visit: Visit, page_names: list[str]) -> None:
    found = []
    for name in page_names:
        page = visit.open(name)
        for place in page.locator(".live-figure").all():
            place.scroll_into_view_if_needed()
            said = place.locator(
                ".live-summary, .live-found", has_text=re.compile(r"Class|Step|Taylor|map|networks")
            )
            said.wait_for()
            found.append((name, place.get_attribute("data-kind")))
    chapters = [name for name in page_names if name.startswith("_executed/01_softmax")]
    assert [kind for _, kind in found] == (
        ["fooling", "ripple", "traces", "sampling", "sampling", "photograph", "glimpse"] if chapters else []
    )
    assert visit.trouble == []


def test_the_front_page_begins_with_a_live_figure_that_says_how_little_changed(
    visit_everywhere: Visit, html: Path
) -> None:
    visit = visit_everywhere
    if "live-figure" not in (html / "book" / "index.html").read_text(encoding="utf-8"):
        pytest.skip("the toy book has no live figure")
    page = visit.open("book/index.html")
    first = page.locator(".bd-article h1 ~ *, .bd-article section > *:not(h1)").first
    assert first.get_attribute("data-kind") == "glimpse"
    place = page.locator('.live-figure[data-kind="glimpse"]')
    slider = place.get_by_role("slider")
    slider.focus()
    slider.press("End")
    said = place.locator(".live-found", has_text="up to 5")
    found = re.search(rf"probabilities changed by ({live_page.WRITTEN})\.", said.inner_text())
    assert found is not None
    assert 0 < live_page.as_number(found[1]) < 1e-13
    page.emulate_media(media="print")
    assert place.get_by_alt_text("A handwritten digit, the classifier's gradient map for it").is_visible()
    assert not slider.is_visible()
    assert visit.trouble == []


def test_a_chapters_live_figure_stands_in_its_first_two_screens(visit: Visit, html: Path) -> None:
    height = 800
    visit.page.set_viewport_size({"width": 1280, "height": height})
    chapters = [
        path for path in sorted((html / "_executed").glob("*.html"))
        if 'class="live-figure"' in path.read_text(encoding="utf-8")
    ]  # fmt: skip
    if not chapters:
        pytest.skip("the toy book has no live figure")
    for path in chapters:
        place = visit.open(f"_executed/{path.name}").locator(".live-figure").first
        top = place.evaluate("(place) => place.getBoundingClientRect().top + scrollY")
        assert top < 2 * height - 400, path.name  # Enough of it, too.
        before = visit.page.locator(".cell_input pre").evaluate_all(
            "(all) => all.filter((one) => one.checkVisibility()).map((one) =>"
            " one.getBoundingClientRect().top + scrollY)"
        )
        assert [place for place in before if place < top] == [], path.name
