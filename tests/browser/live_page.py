"""A page with the live figures, outside the book: the figures' own HTML, parts and script."""

from __future__ import annotations

import copy
import functools
import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import torch
from playwright.sync_api import Browser, Locator, Page
from torch import nn

from companion import data, live, models, trace
from companion.live import bundle, hosts

R = TypeVar("R", bound="Reader")


WRITTEN = r"−?[\d.]+(?:\xa0×\xa010[⁻⁰¹²³⁴-⁹]+)?"
"""How a figure writes a number."""


def as_number(written: str) -> float:
    """Return a number that a figure has written: `−2.5 × 10⁻¹⁶`."""
    factor, _, power = written.replace("−", "-").partition("\xa0×\xa010")
    return float(factor) * 10.0 ** int((power or "0").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))


def networks() -> dict[str, nn.Module]:
    """Return copies of two untrained networks of the book's size, in evaluation mode, in half precision.

    Their batch norms have seen a few digits, so that logits and gradients are of a usual size.
    """
    return copy.deepcopy(_made())


@functools.cache
def _made() -> dict[str, nn.Module]:
    made: dict[str, nn.Module] = {}
    x = data.to_float(data.load("mnist5k").x_train[:64])
    for seed, name in enumerate(("Baseline", "Regularised")):
        network = models.resnet9(10, in_channels=1, width=16, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for _ in range(20):
                network.train()(x)
        made[name] = models.round_to_half(network).eval()
    return made


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Return four test digits and their classes."""
    digits = data.load("mnist5k")
    return data.to_float(digits.x_test[:4]), digits.y_test[:4]


def write(folder: Path) -> Path:
    """Write the page; return its file."""
    both = networks()
    model = both["Baseline"]
    x, y = images()
    names = data.load("mnist5k").class_names
    with mock.patch.dict(os.environ, {hosts.BOOK: "1"}):
        with torch.no_grad():
            exact = trace.exact(trace.logit(model, y[:1]), x[:1], chunk_size=64)
        figures = [
            live.fooling(model, x, y, names),
            live.ripple(model, x, y, names),
            live.traces(model, x[:1], y[:1], names, exact=exact),
            live.sampling(both, (1, 28, 28), names, target=3),
        ]
    shown = figures[0]._repr_mimebundle_()[0]["text/html"]  # pyright: ignore[reportAttributeAccessIssue]
    opening, closing = hosts.around_still("glimpse", re.findall(r'data-payload="(fooling-\w+)"', shown)[0])
    return write_page(folder, figures, [f"{opening}{re.findall('<img.*?>', shown)[0]}{closing}"])


def write_page(folder: Path, figures: Sequence[hosts.Figure], further: Sequence[str] = ()) -> Path:
    """Write a page of figures for the book, and of further HTML; return its file."""
    place = folder / "_static" / "live"
    place.mkdir(parents=True)
    (place / "live.js").write_text(bundle.page_script(), encoding="utf-8")
    (place / "live.css").write_text(bundle.style(), encoding="utf-8")
    shown = []
    for figure in figures:
        output, metadata = figure._repr_mimebundle_()  # pyright: ignore[reportAttributeAccessIssue]
        hosts.write_parts(metadata[hosts.PARTS], place)
        shown.append(output["text/html"])
    body = [f'<section style="min-height: 60rem">{one}</section>' for one in (*shown, *further)]
    title = html.escape("Live figures")
    page = folder / "index.html"
    page.write_text(
        f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{title}</title>"
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="_static/live/live.css">'
        '<script defer src="_static/live/live.js"></script>'
        '<style>html[data-theme="dark"] { background: #14181e; color: #ced6dd }</style>'
        f"</head><body><main><h1>{title}</h1>{''.join(body)}</main></body></html>",
        encoding="utf-8",
    )
    return page


class Reader:
    """The page with its figures, and what went wrong on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address, self.trouble = page, address, []
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on("console", lambda m: self.trouble.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address.rsplit("/", 1)[0], "data:", "blob:"))
                else self.trouble.append(request.url)
            ),
        )

    def open(self, mark: str = "") -> Reader:
        self.page.goto("about:blank")
        self.page.goto(self.address + mark)
        return self

    def figure(self, kind: str) -> Locator:
        place = self.page.locator(f'.live-figure[data-kind="{kind}"]')
        place.scroll_into_view_if_needed()
        place.locator(".live").wait_for()
        return place

    def ask(self, kind: str, script: str) -> Any:  # noqa: ANN401
        """Return what JavaScript says about a figure `f`; typed arrays come as lists."""
        place = self.figure(kind)
        place.locator("*").first.wait_for(state="attached")
        text = place.evaluate(
            "async (place, script) => {"
            " const f = place.companion; while (!f.results()) await new Promise((r) => setTimeout(r, 20));"
            " const value = await eval(`(async () => (${script}))()`);"
            " return JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)); }",
            script,
        )
        return json.loads(text) if text is not None else None

    def set(self, kind: str, **view: object) -> Any:  # noqa: ANN401
        """Change the view and return the results."""
        return self.ask(kind, f"(await f.set({json.dumps(view)}), f.results())")

    def until(self, kind: str, condition: str) -> None:
        """Wait until what JavaScript says about a figure `f` is true."""
        figure = f"document.querySelector('[data-kind={kind}]').companion"
        self.page.wait_for_function(f"() => {{ const f = {figure}; return {condition}; }}")


@contextmanager
def opened(browser: Browser, address: str, reader: type[R] = Reader, **options: Any) -> Iterator[R]:  # noqa: ANN401
    """Give a page of the browser, in a context with these options, to a reader."""
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)  # For busy machines.
    yield reader(context.new_page(), address)
    context.close()


def check_stills(browser: Browser, page_file: Path, count: int, place: Locator) -> None:
    """Check that each figure is a still picture without JavaScript, and this one on paper."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    stills = page.locator(".live-still img")
    assert stills.count() == count
    for still in stills.all():
        assert still.is_visible()
    context.close()
    place.locator(".live-still").wait_for(state="hidden")
    place.page.emulate_media(media="print")
    assert place.locator(".live-still").is_visible()
    assert not place.locator(".live").is_visible()
