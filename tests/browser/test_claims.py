"""The page of claims in a browser: one screen, filters without a script, links into what is folded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

SHOWN = (
    "() => [...document.querySelectorAll('.claims-claim')]"
    ".filter((e) => getComputedStyle(e).display !== 'none').length"
)
"""How many claims the filters leave, those that lie folded among them."""
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def page(browser: Browser, html: Path) -> Iterator[Page]:
    """Return the page of claims, opened from the disk in a browser that runs no script of the page's own."""
    place = html / "_executed" / "15_claims.html"
    if not place.exists():
        pytest.skip("only the chapters' book has a page of claims")
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)
    opened = context.new_page()
    opened.goto(place.as_uri())
    yield opened
    context.close()


def test_all_chips_are_on_the_first_screen_and_no_chip_is_wider_than_a_phone(page: Page) -> None:
    last = page.locator(".claims-groups").bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= WIDE["height"]
    assert page.locator(".claims-groups li").count() == 31
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_each_filter_shows_as_many_claims_as_it_says(page: Page) -> None:
    for judged in page.locator("input[name=claims-at]").all():
        judged.check(force=True)
        for side in ("for", "against", "undecided"):
            page.locator(f"#claims-side-{side}").check(force=True)
            counts = page.locator(f"#claims-side-{side} ~ span .claims-n").all()
            said = [int(count.inner_text()) for count in counts if count.is_visible()]
            assert said == [page.evaluate(SHOWN)]
    page.locator("#claims-side-all").check(force=True)
    assert page.evaluate(SHOWN) == 31


def test_a_chip_leads_to_its_claim_also_where_that_is_folded_or_filtered(page: Page) -> None:
    page.locator("#claims-side-against").check(force=True)
    for name in ("taylor", "samples"):
        page.locator(f'.claims-groups a[href="#claim-{name}"]').click()
        page.locator(f"#claim-{name}").wait_for(state="visible")
