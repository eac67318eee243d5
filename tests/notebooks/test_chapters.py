"""Every chapter executes at the tiny tier, says nothing on stderr, and keeps the book's form."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from pipeline import notebooks, project
from tests import builds

CHAPTERS = project.notebook_sources()
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])


@chapters
def test_chapter_executes_at_the_tiny_tier_and_warns_of_nothing(path: Path) -> None:
    kept, written = builds.execute_chapters()
    executed = kept / path.name.replace(".py", ".ipynb")
    assert executed.exists(), written
    notebook = nbformat.read(executed, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert outputs


@chapters
def test_chapter_has_its_parameters_and_short_cells(path: Path) -> None:
    notebook = notebooks.read_source(path)
    parameters = notebooks.known_parameters(notebook)
    assert {name: parameters[name] for name in ("tier", "seed", "device")} == {
        "tier": "'quick'",
        "seed": "0",
        "device": "'cpu'",
    }
    assert [
        cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.source.count("\n") >= 25
    ] == []


@chapters
def test_chapter_begins_with_its_title_and_ends_with_the_paper(path: Path) -> None:
    prose = [cell.source for cell in notebooks.read_source(path).cells if cell.cell_type == "markdown"]
    titles = [line for text in prose for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) == 1
    assert prose[0].startswith("# ")
    assert (
        re.search(r"^## What the paper reports", "\n".join(prose), flags=re.MULTILINE)
        or path.stem == "15_claims"
    )


@chapters
def test_figures_have_a_caption_a_name_and_a_text(path: Path) -> None:
    for cell in notebooks.read_source(path).cells:
        if cell.cell_type == "code" and "plt.show()" in cell.source:
            options = cell.metadata.get("mystnb", {})
            assert options.get("figure", {}).get("name"), cell.source
            assert options.get("figure", {}).get("caption"), cell.source
            assert options.get("image", {}).get("alt"), cell.source


def test_no_function_is_defined_in_two_chapters() -> None:
    seen: dict[str, str] = {}
    for path in CHAPTERS:
        for code in notebooks.code_of(notebooks.read_source(path)):
            for node in ast.parse(re.sub(r"(?m)^[%!].*$", "", code)).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    assert node.name not in seen, (
                        f"{node.name} is defined in {seen[node.name]} and {path.name}"
                    )
                    seen[node.name] = path.name
