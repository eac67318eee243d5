"""Sphinx extension: what a line may not tear apart, and numbers as one writes them.

A number stays with its percent sign and its equals sign, a formula with the mark that follows it. A power of
ten that a program printed, 6e-05, becomes 6 × 10⁻⁵, and a hyphen before a number a minus. Code and formulas
are left as they are.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

NO_BREAK = "\N{NO-BREAK SPACE}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<![\w.\-])([-−]?)(\d+(?:\.\d+)?)e([+-])0*(\d+)(?!\w)")
_MINUS = re.compile(r"(?<![\w\-.,/)])-(?=\d)")
_TIGHT = ((re.compile(r"(?:(?<=\d)|^) ?(?=%)"), NO_BREAK), (re.compile(r" ?± ?"), f"{NO_BREAK}±{NO_BREAK}"))
_EQUALS = re.compile(r"(?:(?<=[\w)|²])|^) = (?=[-−]?\d|$)")
_CELL = re.compile(r"(<t[dh]\b[^>]*>)([^<]+)(</t[dh]>)")
_MARK = re.compile(r"[.,:;!?)]+")
_KEPT = (
    *(nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw),
    addnodes.desc_signature,
)


def _power(found: re.Match[str]) -> str:
    sign, factor, below, power = found.groups()
    ten = f"10{('-' * (below == '-') + power).translate(_SUPERSCRIPTS)}"
    if not float(factor):
        return "0"
    if power == "0":
        return sign + factor
    return f"{'−' * bool(sign)}{ten if factor == '1' else f'{factor}{NO_BREAK}×{NO_BREAK}{ten}'}"


def written(text: str) -> str:
    r"""Return a text with its numbers as one writes them, and no line to end within them.

    Example:
        >>> written("off by -6e-05, 7 % (-0.2 to 1)")
        'off by −6\\xa0×\\xa010⁻⁵, 7\\xa0% (−0.2 to 1)'
    """
    text = _MINUS.sub("−", _POWER.sub(_power, text))
    for pattern, better in _TIGHT:
        text = pattern.sub(better, text)
    return _EQUALS.sub(f"{NO_BREAK}={NO_BREAK}", text)


def in_cells(table: str) -> str:
    """Return the HTML of a table with the texts of its cells as they are written.

    Example:
        >>> in_cells("<td>-0.5</td><td>1e-05</td>")
        '<td>−0.5</td><td>10⁻⁵</td>'
    """
    return _CELL.sub(lambda found: found[1] + written(found[2]) + found[3], table)


class Typography(SphinxPostTransform):
    """Writes the texts of a page anew, when all computed ones have come."""

    default_priority = 950

    def run(self, **_: object) -> None:
        """Go through the page's texts, computed tables and formulas."""
        for text in list(self.document.findall(nodes.Text)):
            better = written(str(text))
            if better != text and not _is_kept(text):
                text.parent.replace(text, nodes.Text(better))
        for raw in list(self.document.findall(nodes.raw)):
            if "<table" in raw.astext() and "live-figure" not in raw.astext():
                raw.parent.replace(raw, nodes.raw("", in_cells(raw.astext()), **raw.attributes))
        for formula in list(self.document.findall(nodes.math)):
            _keep_mark(formula)


def _is_kept(node: nodes.Node) -> bool:
    while node is not None:
        if isinstance(node, _KEPT):
            return True
        node = node.parent
    return False


def _keep_mark(formula: nodes.math) -> None:
    """Let no line end between a formula and the mark that follows it."""
    parent = formula.parent
    place = parent.index(formula)
    after = parent[place + 1] if place + 1 < len(parent) else None
    mark = _MARK.match(str(after)) if isinstance(after, nodes.Text) else None
    if mark is None:
        return
    together = nodes.inline("", "", classes=["together"])
    parent.replace(after, nodes.Text(str(after)[mark.end() :]))
    parent.replace(formula, together)
    together += [formula, nodes.Text(mark[0])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_post_transform(Typography)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
