"""The books that are opened in Chromium, each over http and from the disk."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline import notebooks, pdf, project
from pipeline.task_book import evidence, task_status
from tests import builds
from tests.browser.live_page import Reader, opened, write


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium, without a network."""
    program = pdf.chromium()
    if program is None:
        pytest.skip("Chromium was not found: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds a book once: the toy's, or the chapters'.

    The chapters' is the one that BOOK names, or the project's own, or if that is not up to date a tiny one.
    """

    @functools.cache
    def build(name: str) -> Path:
        if name == "toy":
            root, _ = builds.built_toy(tmp_path_factory)
            return root / "_build" / "html"
        if os.environ.get("BOOK"):
            return Path(os.environ["BOOK"]).resolve()
        if current := builds.current_book():
            return current
        kept, _ = builds.execute_chapters()
        root = builds.copy_book(tmp_path_factory.mktemp(name) / "project")
        pages = root / "_executed"
        pages.mkdir()
        for source in project.notebook_sources():
            notebooks.merge(source, kept / f"{source.stem}.ipynb", pages / f"{source.stem}.ipynb")
        task_status(evidence(), tuple(sorted(pages.glob("*.ipynb"))), pages / "status.md")
        return builds.build_html(root)

    return build


@pytest.fixture(params=["toy", "chapters"])
def html(request: pytest.FixtureRequest, browser: Browser, built: Callable[[str], Path]) -> Path:
    """Return a built book's folder."""
    return built(request.param)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Return a function that serves a folder from this machine and returns the address."""
    servers = []

    @functools.cache
    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["http", "file"])
def address(request: pytest.FixtureRequest, html: Path, serve: Callable[[Path], str]) -> str:
    """Return the book's address, over http from this machine or as files."""
    return html.as_uri() if request.param == "file" else serve(html)


@pytest.fixture
def page_names(html: Path) -> list[str]:
    """Return the pages that the table of contents names."""
    return builds.page_names(html)


@pytest.fixture(scope="session")
def page_file(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page with the live figures; return its file."""
    return write(tmp_path_factory.mktemp("live"))


@pytest.fixture
def reader(browser: Browser, page_file: Path) -> Iterator[Reader]:
    """Return the page, opened from the disk: the harder case, where a page may fetch nothing."""
    with opened(browser, page_file.as_uri()) as reader:
        yield reader


@pytest.fixture(params=["file", "http"])
def page_address(request: pytest.FixtureRequest, page_file: Path, serve: Callable[[Path], str]) -> str:
    """Return the address of the page with live figures, as a file or over http from this machine."""
    server = request.param == "http"
    return f"{serve(page_file.parent)}/{page_file.name}" if server else page_file.as_uri()


@pytest.fixture
def reader_everywhere(browser: Browser, page_address: str) -> Iterator[Reader]:
    """Return the page opened from the disk, and from a server."""
    with opened(browser, page_address) as reader:
        yield reader


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page of the browser, in a cache of its own, on which nothing moves of itself."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(180_000)  # For busy machines.
    yield context.new_page()
    context.close()
