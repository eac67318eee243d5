"""The key of a chapter, and the modules its code can reach."""

from __future__ import annotations

import json
from pathlib import Path

import jupytext
import pytest

from companion.experiments import registry
from pipeline import notebooks, project
from pipeline.chapter import Chapter

CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Title

# %% tags=["parameters"]
tier = "quick"
seed = 0

# %%
value = 1
"""


def write(folder: Path, text: str = CHAPTER) -> Path:
    path = folder / "01_chapter.py"
    path.write_text(text, encoding="utf-8")
    return path


def key(folder: Path, text: str, **parameters: object) -> dict[str, object]:
    chapter = Chapter.read(write(folder, text))
    return json.loads(chapter.key(parameters, chapter.files(folder), folder))


def test_key_follows_code_and_parameters_but_not_prose(tmp_path: Path) -> None:
    first = key(tmp_path, CHAPTER, seed=0)
    assert key(tmp_path, CHAPTER.replace("Title", "Other"), seed=0) == first
    assert key(tmp_path, CHAPTER.replace("value = 1", "value = 2"), seed=0) != first
    assert key(tmp_path, CHAPTER, seed=1) != first


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (' tags=["parameters"]', "", "0 cells tagged 'parameters'"),
        ("\n# %%\nvalue", '\n# %% tags=["parameters"]\nvalue', "2 cells tagged 'parameters'"),
        ("kernelspec", "other", "names no kernel"),
    ],
)
def test_malformed_chapter_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CHAPTER
    with pytest.raises(ValueError, match=says):
        Chapter.read(write(tmp_path, CHAPTER.replace(old, new)))


def test_known_parameters_are_those_the_cell_assigns(tmp_path: Path) -> None:
    assert Chapter.read(write(tmp_path)).parameters == {"tier": "'quick'", "seed": "0"}


@pytest.mark.parametrize("path", project.notebook_sources(), ids=lambda path: path.stem)
def test_code_cells_are_those_that_jupytext_finds(path: Path) -> None:
    cells = notebooks.read_source(path).cells
    assert Chapter.read(path).code == tuple(cell.source for cell in cells if cell.cell_type == "code")


def test_unknown_parameter_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no parameter 'sed'; it has tier, seed"):
        notebooks.execute(write(tmp_path), tmp_path / "out.ipynb", {"sed": 1}, tmp_path)
    assert list(tmp_path.glob("out*")) == []


def test_merging_outputs_of_other_code_is_refused(tmp_path: Path) -> None:
    import nbformat

    executed = jupytext.read(write(tmp_path, CHAPTER.replace("value = 1", "value = 2")))
    nbformat.write(executed, tmp_path / "executed.ipynb")
    with pytest.raises(ValueError, match="made by other code"):
        notebooks.merge(write(tmp_path), tmp_path / "executed.ipynb", tmp_path / "page.ipynb")


@pytest.mark.parametrize(("tier", "warned"), [("quick", False), ("small", True)])
def test_a_page_says_how_it_was_made_and_where_its_images_are_no_digits(
    tmp_path: Path, tier: str, warned: bool
) -> None:
    import nbformat

    executed = jupytext.read(write(tmp_path))
    executed.metadata["companion"] = {"parameters": f"tier = {tier!r}, seed = 0", "seconds": 1.0}
    nbformat.write(executed, tmp_path / "executed.ipynb")
    notebooks.merge(write(tmp_path), tmp_path / "executed.ipynb", tmp_path / "page.ipynb")
    first = nbformat.read(tmp_path / "page.ipynb", as_version=4).cells[0].source
    assert f"tier = {tier!r}" in first
    assert (notebooks.NOT_DIGITS in first) == warned


@pytest.mark.parametrize(("earlier", "says"), [(0, ""), (2, "2 of 3 committed records are by other code")])
def test_a_build_says_so_where_code_was_edited_and_not_compared(
    earlier: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    standings = [registry.EARLIER if number < earlier else registry.SAME for number in range(3)]
    monkeypatch.setattr(project, "standings", lambda: standings)
    said = project.said_of_code()
    assert said.startswith(says)
    assert bool(said) == bool(earlier)
