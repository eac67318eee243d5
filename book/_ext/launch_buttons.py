"""Sphinx extension: beside a chapter's downloads, links that open it on Colab and on Binder.

They lead to the repository whose address `_config.yml` says (`repository: url`); without one there are none.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx

HOSTS = {
    "Colab": "https://colab.research.google.com/github/{repository}/blob/notebooks/{chapter}.ipynb",
    "Binder": "https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/notebooks/{chapter}.ipynb",
}
_DOWNLOADS = re.compile(r'(<div class="provenance\b[^>]*>.*?)(</p>\s*</div>)', re.DOTALL)


def links(address: str, chapter: str) -> str:
    """Return the links of a chapter as HTML.

    Raises:
        ValueError: the repository is not on GitHub, which is all that the two hosts read.
    """
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", address)
    if not found:
        raise ValueError(
            f"_config.yml, repository: url: {address!r} is no address such as https://github.com/owner/name"
        )
    places = {
        name: place.format(repository=found[1], chapter=quote(chapter)) for name, place in HOSTS.items()
    }
    return "".join(f' · <a class="launch" href="{place}">{name}</a>' for name, place in places.items())


def add(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Add the links to a chapter's line of downloads."""
    address = app.config.html_theme_options.get("repository_url")
    if not address or not re.match(r"_executed/\d\d_", pagename):
        return
    more = links(address, pagename.rpartition("/")[2])
    context["body"] = _DOWNLOADS.sub(rf"\1{more}\2", context["body"], count=1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
