"""The live figures as they are read: at first sight, by links, by hand, and where something is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, CDPSession, Locator, Route

from companion import fooling
from companion.book import stencils
from companion.gradients import logit_gradient
from tests.browser import live_page
from tests.browser.live_page import Reader, opened

PHONE = {"width": 375, "height": 812}


@pytest.fixture
def phone(browser: Browser, page_file: Path) -> Iterator[Reader]:
    """Return the page on a phone: narrow, and touched."""
    with opened(browser, page_file.as_uri(), viewport=PHONE, has_touch=True, is_mobile=True) as reader:
        yield reader


def number_in(text: str, pattern: str) -> float:
    """Return a number that a figure has written."""
    found = re.search(pattern.replace("#", f"({live_page.WRITTEN})"), text)
    assert found is not None, text
    return live_page.as_number(found[1])


def test_the_glimpse_says_by_how_much_the_probabilities_changed(reader: Reader) -> None:
    place = reader.open().figure("glimpse")
    found = reader.set("glimpse", strength=4)
    said = place.locator(".live-found", has_text="up to 4").inner_text()
    change = number_in(said, "probabilities changed by #")
    assert 0 < change < 1e-12
    assert change == pytest.approx(found["probabilities"], rel=0.1)
    model, (x, y) = live_page.networks()["Baseline"].double(), live_page.images()
    image, label = x[:1].double(), int(y[0])
    altered = fooling.shift_logits(model, fooling.linear_shift(stencils.smiley(28), 4))
    for key, classifier in (("before", model), ("after", altered)):
        expected = logit_gradient(classifier, image, label).flatten()
        difference = torch.tensor(found[key]["logitGradient"], dtype=torch.float64) - expected
        assert float(difference.abs().max()) < 1e-12
    assert reader.trouble == []


def test_an_open_page_follows_a_link_to_a_view_and_the_way_back(reader_everywhere: Reader) -> None:
    reader = reader_everywhere
    reader.open().ask("fooling", "1")
    reader.page.evaluate("() => (location.hash = '#live-fooling?g=sine&epsilon=0.1&precision=float32')")
    reader.until("fooling", "f.view.g === 'sine'")
    view = reader.ask("fooling", "(await f.set({}), f.view)")
    assert (view["epsilon"], view["precision"]) == (0.1, "float32")
    assert reader.figure("fooling").locator("details", has_text="Advanced").get_attribute("open") is not None
    reader.page.evaluate("() => (location.hash = '#live-fooling?y=7')")
    reader.until("fooling", "f.view.g === 'picture'")
    assert reader.ask("fooling", "f.view.y") == 7
    reader.page.go_back()
    reader.until("fooling", "f.view.g === 'sine'")
    assert reader.trouble == []


def test_a_link_that_is_followed_while_the_view_before_is_saved_is_shown(reader: Reader) -> None:
    reader.open().ask("fooling", "1")
    reader.page.evaluate(
        "() => { location.hash = '#live-fooling?y=7'; history.replaceState(null, '', '#live-fooling?y=3'); }"
    )
    reader.until("fooling", "f.view.y === 7")
    assert reader.trouble == []


def test_what_there_is_to_try_does_what_it_says(reader: Reader) -> None:
    place = reader.open().figure("fooling")
    reader.ask("fooling", "1")
    place.get_by_role("link", name="a blank map").click()
    reader.until("fooling", "f.view.g === 'blank'")
    found = reader.set("fooling")
    assert max(map(abs, found["before"]["logitGradient"])) > 1e-3
    assert max(map(abs, found["after"]["logitGradient"])) < 1e-12
    place.get_by_role("link", name="break float32").click()
    place.locator(".live-summary", has_text="float32").wait_for()
    assert number_in(place.locator(".live-summary").inner_text(), "probabilities by at most #") > 1e-4
    assert place.get_by_label("float32").is_visible()
    for kind in ("fooling", "ripple", "traces", "sampling"):
        views = [reader.open().ask(kind, "({ ...f.view })")]
        links = reader.figure(kind).locator(".live-tries a")
        assert links.count() > 1
        for k in range(links.count()):
            links.nth(k).click()
            reader.until(kind, f"JSON.stringify(f.view) !== JSON.stringify({json.dumps(views[-1])})")
            views.append(reader.ask(kind, "({ ...f.view })"))
        assert len({str(view) for view in views}) == len(views)
    assert reader.trouble == []


TOPS = """(place) => [...place.querySelectorAll('canvas, details')]
    .map((one) => one.getBoundingClientRect().top - place.getBoundingClientRect().top)
    .map(Math.round).join()"""


def test_choosing_moves_nothing(reader: Reader) -> None:
    for width in (1280, 375):
        reader.page.set_viewport_size({"width": width, "height": 900})
        reader.open()
        for kind, name, values in (
            ("fooling", "g", ("picture", "sine", "mean", "blank", "swap")),
            ("sampling", "method", ("climb", "langevin")),
        ):
            place, tops = reader.figure(kind), set()
            for value in values:
                reader.ask(kind, f"(await f.set({{ {name}: '{value}' }}), 1)")
                reader.page.wait_for_timeout(700)  # The summary waits for a pause.
                tops.add(place.evaluate(TOPS))
            assert len(tops) == 1, (kind, width)


def swipe(session: CDPSession, *places: tuple[float, float]) -> None:
    """Put a finger down at the first place, and move it to the others."""
    for k, (x, y) in enumerate(places):
        points = [{"x": x, "y": y}]
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if k else "touchStart", "touchPoints": points}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def scrolled_by(reader: Reader, session: CDPSession, place: Locator) -> float:
    """Return how far the page scrolls when a finger moves up over a part of it."""
    place.evaluate("(place) => place.scrollIntoView({ block: 'center' })")
    box = place.bounding_box()
    assert box is not None
    before = reader.page.evaluate("() => scrollY")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    swipe(session, *((x, y - 10 * k) for k in range(11)))
    reader.page.wait_for_timeout(500)
    return reader.page.evaluate("() => scrollY") - before


def test_a_finger_scrolls_over_a_picture_until_one_asks_to_draw(phone: Reader) -> None:
    place = phone.open().figure("fooling")
    phone.ask("fooling", "1")
    session = phone.page.context.new_cdp_session(phone.page)
    canvas = place.get_by_role("application", name=re.compile("input"))
    assert scrolled_by(phone, session, canvas) > 50
    assert phone.ask("fooling", "f.view.image") == 0
    place.get_by_role("button", name="Draw").tap()
    assert scrolled_by(phone, session, canvas) == 0
    assert phone.ask("fooling", "f.view.image") == "drawing"
    assert phone.trouble == []


def test_a_fast_stroke_has_no_gaps_and_can_be_undone_and_erased(phone: Reader) -> None:
    place = phone.open().figure("fooling")
    phone.ask("fooling", "1")
    session = phone.page.context.new_cdp_session(phone.page)
    place.get_by_role("button", name="Clear input").tap()
    place.get_by_role("button", name="Draw").tap()
    canvas = place.get_by_role("application", name=re.compile("input"))
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    cell = box["width"] / 28

    def inked() -> set[int]:
        x = phone.set("fooling")["x"]
        return {k for k, value in enumerate(x) if value == 1}

    def at(row: int, column: int) -> tuple[float, float]:
        return box["x"] + (column + 0.5) * cell, box["y"] + (row + 0.5) * cell

    swipe(session, at(14, 2), at(14, 25))
    assert {14 * 28 + column for column in range(2, 26)} <= inked()
    swipe(session, at(2, 2), at(20, 11))
    assert len(inked()) >= 24 + 19 - 1
    place.get_by_role("button", name="Undo").tap()
    assert inked() == {14 * 28 + column for column in range(2, 26)}
    place.get_by_role("button", name="Erase").tap()
    swipe(session, at(14, 2), at(14, 25))
    assert inked() == set()
    for _ in range(3):
        place.get_by_role("button", name="Undo").tap()
    assert phone.ask("fooling", "f.view.image") == 0
    assert not place.get_by_role("button", name="Undo").is_enabled()
    assert phone.trouble == []


SMALL = """(place) => [...place.querySelectorAll(
    'button, select, summary, label:has(input), input[type=range], .live-tries a')]
    .filter((one) => one.checkVisibility({ checkVisibilityCSS: true }))
    .filter((one) => one.getBoundingClientRect().height < 44)
    .map((one) => one.outerHTML.slice(0, 80))"""


def test_on_a_phone_everything_is_large_enough_for_a_finger(phone: Reader) -> None:
    phone.open()
    for kind in ("glimpse", "fooling", "ripple", "traces", "sampling"):
        place = phone.figure(kind)
        phone.ask(kind, "1")
        place.evaluate("(place) => place.querySelectorAll('details').forEach((one) => (one.open = true))")
        small = place.evaluate(SMALL)
        assert small == []


def test_on_a_phone_the_numbers_stay_in_sight_and_the_figure_is_folded(phone: Reader) -> None:
    place = phone.open().figure("fooling")
    phone.ask("fooling", "1")
    summary = place.locator(".live-summary", has_text="Class")
    summary.wait_for()
    assert place.evaluate("(place) => place.offsetHeight") < 1500
    for seen in (place.get_by_label("Strength s"), place.get_by_text("after: f + g").first):
        seen.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
        box = summary.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= PHONE["height"]


BEAT = """() => {
    window.gaps = [];
    let last = performance.now();
    setInterval(() => {
        gaps.push(performance.now() - last);
        last = performance.now();
    }, 5);
}"""


def test_the_page_answers_while_a_network_computes(reader_everywhere: Reader) -> None:
    reader = reader_everywhere
    reader.open().ask("traces", "1")
    reader.page.evaluate(BEAT)
    began = "const from = performance.now(), n = gaps.length"
    alone = "f.set({ region: 'whole', variant: 'hutchinson', probes: 32, seed: 9 })"
    ended = "[gaps.slice(n).sort((a, b) => b - a), performance.now() - from]"
    gaps, took = reader.ask("traces", f"(async () => {{ {began}; await {alone}; return {ended}; }})()")
    longest = gaps[len(gaps) // 100]  # The machine itself may pause now and then.
    assert longest < took / 32, (longest, took)  # One estimate takes that long: two gradients.
    assert reader.trouble == []


REFUSED = (
    "window.Worker = class { constructor() { throw new DOMException('refused', 'SecurityError'); } };",
    "window.Worker = class { constructor() { setTimeout(() => this.onerror(new Event('error'))); }"
    " postMessage() {} };",
)


@pytest.mark.parametrize("refusal", REFUSED, ids=["at once", "later"])
def test_where_workers_are_refused_the_page_computes_itself(reader: Reader, refusal: str) -> None:
    with_worker = reader.open().set("fooling", image=1, y=3)
    reader.page.add_init_script(refusal)
    assert reader.open().set("fooling", image=1, y=3) == with_worker
    assert reader.trouble == []


def test_charts_keep_their_axes_while_a_sampler_runs_and_its_steps_are_told(reader: Reader) -> None:
    place = reader.open().figure("sampling")
    reader.ask("sampling", "f.set({ method: 'langevin', temperature: 0.001 })")
    place.locator(".live-summary", has_text="Step 0").wait_for()
    place.get_by_role("button", name="Run").click()
    seen = place.evaluate(
        "async (place) => { const axes = new Set();"
        " const look = () => [...place.querySelectorAll('svg text')].map((one) => one.textContent).join();"
        " while (place.companion.results()[0].curve.length < 40) { axes.add(look());"
        " await new Promise((r) => setTimeout(r, 10)); } return [...axes]; }"
    )
    assert len(seen) < 10
    place.locator(".live-summary", has_text=re.compile("Step [1-9]")).wait_for()
    assert place.get_by_role("button", name="Pause").is_visible()  # It was said while the sampler ran.
    place.get_by_role("button", name="Pause").click()


def test_with_forced_colours_what_is_chosen_and_the_legends_can_be_seen(reader: Reader) -> None:
    reader.page.emulate_media(forced_colors="active")
    place = reader.open().figure("fooling")
    reader.ask("fooling", "1")
    backgrounds = place.evaluate(
        "(place) => [...place.querySelectorAll('.live-choice label')].map((label) => ["
        " label.querySelector('input').checked, getComputedStyle(label.children[1]).backgroundColor])"
    )
    chosen = {colour for checked, colour in backgrounds if checked}
    others = {colour for checked, colour in backgrounds if not checked}
    assert chosen
    assert chosen.isdisjoint(others)
    lines = place.locator(".live-legend i").evaluate_all(
        "(all) => all.map((one) => getComputedStyle(one).borderTopColor)"
    )
    assert len(set(lines)) == 2


def test_a_script_that_does_not_come_is_told_and_asked_for_again(
    browser: Browser, page_file: Path, serve: Callable[[Path], str]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    gone = re.compile("/network-")
    page.route(gone, lambda route: route.abort())
    page.goto(f"{serve(page_file.parent)}/index.html")
    place = page.locator('.live-figure[data-kind="fooling"]')
    note = place.get_by_role("alert")
    note.wait_for()
    assert "could not be loaded" in note.inner_text()
    assert place.locator(".live-still img").is_visible()
    place.get_by_role("button", name="Try again").click()
    note.wait_for()
    page.unroute(gone)

    def half(route: Route) -> None:  # A script that breaks off hands nothing over.
        route.fulfill(body="companionLive.receive(", content_type="text/javascript")

    page.route(gone, half)
    place.get_by_role("button", name="Try again").click()
    note.wait_for()
    page.unroute(gone)
    place.get_by_role("button", name="Try again").click()
    place.locator(".live-summary", has_text="Class").wait_for()
    assert note.count() == 0
    context.close()
