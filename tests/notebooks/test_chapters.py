"""Every chapter executes, says nothing on stderr, and keeps the book's form."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest

from companion import claims
from companion.book import opening
from pipeline import notebooks, project
from pipeline.chapter import Chapter
from tests import builds

CHAPTERS = project.notebook_sources()
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])


@pytest.fixture(scope="module")
def executed() -> tuple[Path, str]:
    """Return where the executed chapters are, and what executed them wrote.

    They are those of the book that `make book` left, if nothing has changed since, or else the tiny tier's.
    """
    if builds.current_book():
        return builds.EXECUTED / "quick-seed0", ""
    return builds.execute_chapters()


def assert_warns_of_nothing(executed: Path, written: str) -> None:
    assert executed.exists(), written
    notebook = nbformat.read(executed, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert outputs


@chapters
def test_chapter_executes_and_warns_of_nothing(path: Path, executed: tuple[Path, str]) -> None:
    kept, written = executed
    assert_warns_of_nothing(kept / f"{path.stem}.ipynb", written)


def test_chapters_execute_at_the_tiny_tier_too_others_each_day() -> None:
    names = [path.stem for path in CHAPTERS[date.today().toordinal() % 4 :: 4]]
    kept, written = builds.execute_chapters(*names)
    for name in names:
        assert_warns_of_nothing(kept / f"{name}.ipynb", written)


def test_the_page_of_claims_differs_from_the_committed_records_in_its_own_tier_alone(
    executed: tuple[Path, str],
) -> None:
    kept, _ = executed
    tier, _, _ = kept.name.partition("-")
    report = claims.check(kept / "15_claims.ipynb")
    assert report.compared > len(claims.claims())
    assert [sentence for sentence in report.differences if f" at tier {tier}: " not in sentence] == []


@chapters
def test_chapter_has_its_parameters_and_short_cells(path: Path) -> None:
    chapter = Chapter.read(path)
    parameters = chapter.parameters
    assert {name: parameters[name] for name in ("tier", "seed", "device")} == {
        "tier": "'quick'",
        "seed": "0",
        "device": "'cpu'",
    }
    assert [cell for cell in chapter.code if cell.count("\n") >= 25] == []


@chapters
def test_chapter_code_is_at_most_80_columns_wide(path: Path) -> None:
    assert [line for cell in Chapter.read(path).code for line in cell.splitlines() if len(line) > 80] == []


@chapters
def test_chapter_opens_with_a_call_that_knows_its_parameters(path: Path) -> None:
    notebook = notebooks.read_source(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    own = next(n for n, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", []))
    body = ast.parse(code[own + 1].source).body
    first = next(node for node in body if not isinstance(node, ast.Import | ast.ImportFrom))
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Call)
    assert ast.unparse(first).startswith("begin(globals()")
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in first.value.keywords}
    assert given.get("known", opening.PARAMETERS) == tuple(Chapter.read(path).parameters)


def test_a_parameter_that_the_chapter_lacks_stops_papermill_and_the_known_ones_are_listed(
    tmp_path: Path,
) -> None:
    source = builds.ROOT / "notebooks" / "05_trace_estimators.py"
    command = f"jupytext --to ipynb -o - {source} | papermill - out.ipynb -p sed 1 --no-progress-bar"
    bin_ = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        env=builds.environment(builds.ROOT, PATH=f"{bin_}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert "this chapter has no parameter 'sed'; it has tier, seed, device" in done.stderr
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert [cell.execution_count for cell in executed.cells if cell.get("execution_count")][-1] == 3


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
def test_chapter_ends_with_two_or_three_exercises_each_with_a_folded_solution(path: Path) -> None:
    source = notebooks.read_source(path).cells[-1].source
    _, *sections = re.split(r"^## ", source, flags=re.MULTILINE)
    title, *lines = sections[-1].splitlines()
    assert title == "Exercises"
    marks = [line for line in lines if re.match(r"\*\*\d\.\*\* |:::", line)]
    asked = [line[:7] for line in marks if line.startswith("**")]
    assert asked in (["**1.** ", "**2.** "], ["**1.** ", "**2.** ", "**3.** "]), asked
    kinds = ["asked" if line.startswith("**") else line for line in marks]
    assert kinds == ["asked", ":::{admonition} Solution", ":::"] * len(asked)
    folded = re.findall(r"^:::\{admonition\} Solution\n:class: dropdown\n\n(.+?)^:::$", source, re.M | re.S)
    assert len(folded) == len(asked)
    assert [answer for answer in folded if len(answer.split()) < 20] == []


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
        for code in Chapter.read(path).code:
            for node in ast.parse(re.sub(r"(?m)^[%!].*$", "", code)).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    assert node.name not in seen, (
                        f"{node.name} is defined in {seen[node.name]} and {path.name}"
                    )
                    seen[node.name] = path.name
