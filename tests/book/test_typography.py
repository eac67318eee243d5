"""Numbers on the pages are written as one writes them, and no line ends within them; code stays as it is."""

from __future__ import annotations

import importlib.util

import pytest
from docutils import nodes
from docutils.utils import new_document

from tests import builds

SOURCE = importlib.util.spec_from_file_location("typography", builds.ROOT / "book" / "_ext" / "typography.py")
assert SOURCE is not None
assert SOURCE.loader is not None
typography = importlib.util.module_from_spec(SOURCE)
SOURCE.loader.exec_module(typography)


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ("differ by 6e-05.", "differ by 6~×~10⁻⁵."),
        ("1e-05 and 1e+06", "10⁻⁵ and 10⁶"),
        ("-2.5e-12", "−2.5~×~10⁻¹²"),
        ("0e+00", "0"),
        ("-0.3 (-0.5 to -0.1)", "−0.3 (−0.5 to −0.1)"),
        ("95 % of 7%", "95~% of 7~%"),
        ("15.3 ± 0.2", "15.3~±~0.2"),
        ("at σ = 0.1 and |∇f|² = 3", "at σ~=~0.1 and |∇f|²~=~3"),
        (" = -2", "~=~−2"),
        ("CIFAR-100, ResNet-18, 2019-2021, pp. 3-4", "CIFAR-100, ResNet-18, 2019-2021, pp. 3-4"),
        ("strength-gradient_norm-1e-02-seed2", "strength-gradient_norm-1e-02-seed2"),
        ("0x1e-5 and v1.2e3", "0x1e-5 and v1.2e3"),
        ("commit 9e96902, 4e12", "commit 9e96902, 4e12"),
        ("a = b", "a = b"),
    ],
)
def test_a_number_is_written_as_one_writes_it(printed: str, written: str) -> None:
    assert typography.written(printed) == written.replace("~", typography.NO_BREAK)


def test_cells_of_a_printed_table_are_written_likewise_and_its_attributes_are_not() -> None:
    table = '<table data-x="-1"><tr><th id="a-1">s = 2</th><td>-1e-05</td><td><b>-3</b></td></tr></table>'
    assert typography.in_cells(table) == (
        '<table data-x="-1"><tr><th id="a-1">s\xa0=\xa02</th><td>−10⁻⁵</td><td><b>-3</b></td></tr></table>'
    )


def paragraph(*parts: nodes.Node) -> nodes.document:
    document = new_document("page")
    document += nodes.paragraph("", "", *parts)
    return document


def changed(document: nodes.document) -> nodes.document:
    typography.Typography(document).run()
    return document


def test_a_formula_keeps_the_mark_that_follows_it() -> None:
    document = changed(
        paragraph(nodes.math("", "x"), nodes.Text("), and "), nodes.math("", "y"), nodes.Text(" so"))
    )
    (kept,) = document.findall(lambda node: "together" in getattr(node, "attributes", {}).get("classes", []))
    assert kept.astext() == "x),"
    assert document.astext() == "x), and y so"


def test_code_is_left_as_it_is() -> None:
    code = "lr=1e-05  # -3 %"
    document = changed(paragraph(nodes.literal("", code), nodes.Text(" 1e-05")))
    document += nodes.literal_block("", code)
    changed(document)
    assert document.astext().count(code) == 2
    assert "10⁻⁵" in document.astext()
