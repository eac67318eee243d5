"""`python -m pipeline.dist`: the built book and its PDF as one archive, which opens from the disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

from pipeline import paths, pdf

FOLDER = "logits-as-log-densities"
START = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Logits as log-densities</title>
<meta http-equiv="refresh" content="0; url=book/index.html">
<p><a href="book/index.html">Logits as log-densities</a></p>
</html>
"""
"""The page to open: it leads to the book's first."""
LEFT_OUT = (".map", ".buildinfo")
"""What no reader needs: maps for those who debug the theme, and what Sphinx notes for itself."""


def main() -> None:
    """Make the PDF if there is none of this book, and pack both."""
    if not paths.PDF.is_file():
        pdf.main()
    target = pack(paths.HTML, paths.HTML.with_name(f"{FOLDER}.zip"))
    print(f"The book to carry away ({target.stat().st_size / 1e6:.0f} MB): {target}")


def pack(html: Path, target: Path) -> Path:
    """Pack a built book; return the archive, which is written whole or not at all.

    The same book gives the same bytes: files are in their order, with one date.
    """
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "index.html", START.encode())
        for path in sorted(html.rglob("*")):
            name = path.relative_to(html).as_posix()
            if path.is_file() and name != "index.html" and not name.endswith(LEFT_OUT):
                _add(archive, name, path.read_bytes())
    partial.replace(target)
    return target


def _add(archive: zipfile.ZipFile, name: str, contents: bytes) -> None:
    entry = zipfile.ZipInfo(f"{FOLDER}/{name}")
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, contents)


if __name__ == "__main__":
    main()
