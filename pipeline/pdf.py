"""`python -m pipeline.pdf`: the built book as one PDF, printed by Chromium.

Sphinx writes all pages as one, in which every reference leads on; Chromium draws its equations and prints it.
The pages that say where the PDF is are given their link to it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import paths, worker
from pipeline.paths import PDF

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MARK = "<!-- the PDF -->"
"""Where a page of the book says that there is a PDF, if there is one."""
STYLE = paths.ROOT / "book" / "_style" / "pdf.css"
BROWSERS = (
    "chromium-headless-shell",  # The same engine without windows: it takes a fifth less of the processor.
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "msedge",
)
FOOTER = '<p style="width: 100%; text-align: center; font-size: 8pt"><span class="pageNumber"></span></p>'
PREPARED = """async () => {
    // Other pages are places in this one. What else lies beside it is not in the PDF.
    for (const link of document.querySelectorAll('a[href]:not([href^="http"])')) {
        const [page, id] = link.getAttribute('href').split('#');
        const places = [id, 'document-' + page.replace(/^(\\.\\.\\/)+|\\.html$/g, '')];
        const place = places.find(name => name && document.getElementById(name));
        if (place) link.href = '#' + place;
        else link.removeAttribute('href');
    }
    await window.MathJax.startup.promise;
    await document.fonts.ready;
    const loaded = image => new Promise(done => { image.onload = image.onerror = done; });
    await Promise.all([...document.images].map(image => image.complete || loaded(image)));
}"""


def chromium() -> str | None:
    """Return the path of Chromium, or of a browser that descends from it; None without one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def main() -> None:
    """Make the PDF of the book that `python -m pipeline` has built, and link it from the book."""
    if not (paths.HTML / "index.html").is_file():
        sys.exit("There is no book yet to be printed; make it first: python -m pipeline")
    program = chromium()
    if program is None:
        sys.exit("Chromium prints the PDF and was not found; on Debian: apt-get install chromium")
    try:
        worker.run("one page of all", "book", builder="singlehtml")
    except RuntimeError as error:
        sys.exit(str(error))
    from playwright.sync_api import sync_playwright  # Here, since `make book` does without it.

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        print_page(as_one_page(paths.HTML.with_name("singlehtml")), PDF, browser)
    link(PDF)
    print(f"The PDF ({PDF.stat().st_size / 1e6:.0f} MB): {PDF}")


def as_one_page(folder: Path) -> Path:
    """Return the page that Sphinx wrote into a folder, at the top: its addresses are as from there."""
    return Path(shutil.copyfile(folder / "book" / "index.html", folder / "all.html"))


def print_page(page: Path, target: Path, browser: Browser) -> None:
    """Print a page, its equations drawn and its pictures loaded.

    Args:
        page: HTML.
        target: of the PDF, which is written whole or not at all.
        browser: Chromium, or one that descends from it.
    """
    partial = target.with_suffix(".partial.pdf")
    opened = browser.new_page()
    opened.set_default_timeout(600_000)
    opened.emulate_media(media="print", color_scheme="light")
    opened.goto(page.as_uri())
    opened.add_style_tag(path=STYLE)
    opened.evaluate(PREPARED)
    opened.pdf(
        path=partial,
        format="A4",
        margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
        display_header_footer=True,
        header_template="<p></p>",
        footer_template=FOOTER,
        outline=True,
        tagged=True,
    )
    opened.close()
    partial.replace(target)


def link(made: Path) -> None:
    """Link the PDF from the pages of the book beside it that have a place for the link."""
    size = made.stat().st_size / 1e6
    for page in sorted((made.parent / "book").glob("*.html")):
        text = page.read_text(encoding="utf-8")
        if MARK in text:
            words = f'<p>The whole book to print: <a href="../{made.name}">PDF</a>, {size:.0f} MB.</p>'
            page.write_text(text.replace(MARK, words), encoding="utf-8")


if __name__ == "__main__":
    main()
