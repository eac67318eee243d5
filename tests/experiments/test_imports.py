"""Which files some code uses: names are followed to where they are defined, and no further."""

from __future__ import annotations

from pathlib import Path

import pytest

from companion.experiments import imports


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "__init__.py": "from companion import far",
        "near.py": "from companion import middle\nmiddle.NAME",
        "middle.py": "from companion.deep import leaf\nleaf.x\nNAME = 'table.toml'",
        "far.py": "anything = 1",
        "table.toml": "",
        "deep/__init__.py": "from .other import thing\nfrom companion.deep.third import third",
        "deep/leaf.py": "x = 1",
        "deep/other.py": "thing = 1",
        "deep/third.py": "from companion import far\nthird = far.anything",
        "door.py": "from companion.far import anything as anything",
    }
    for name, text in files.items():
        path = tmp_path / "companion" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def used(code: str, root: Path, leave_out: str | None = None) -> set[str]:
    return {str(path.relative_to(root / "companion")) for path in imports.files_used([code], root, leave_out)}


def test_modules_and_the_data_files_that_they_name_are_followed(package: Path) -> None:
    assert used("from companion import near\nnear", package) == {
        "near.py",
        "middle.py",
        "table.toml",
        "deep/leaf.py",
    }


@pytest.mark.parametrize(
    "code",
    [
        "import companion.far as f\nf.anything",
        "import companion.far\ncompanion.far.anything",
        "from companion.far import anything\nprint(anything)",
        "from companion import door\ndoor.anything",
        "def g():\n    from companion import far\n    return far",
    ],
)
def test_every_form_of_import_leads_to_the_file_that_defines_the_name(package: Path, code: str) -> None:
    assert used(code, package) == {"far.py"}


def test_one_name_of_a_folder_leaves_its_neighbours_out(package: Path) -> None:
    assert used("from companion import deep\ndeep.thing", package) == {"deep/other.py"}
    assert used("from companion.deep import third\nthird", package) == {"deep/third.py", "far.py"}


def test_a_folder_handed_on_as_a_whole_counts_with_everything_in_it(package: Path) -> None:
    everything = {"deep/__init__.py", "deep/other.py", "deep/third.py", "far.py"}
    assert used("from companion import deep\ngetattr(deep, name)", package) == everything


def test_a_folder_can_be_left_out_with_what_it_alone_uses(package: Path) -> None:
    assert used("from companion import near\nnear", package, "companion/deep") == {
        "near.py",
        "middle.py",
        "table.toml",
    }


def test_a_name_that_is_not_used_other_libraries_and_magics_lead_nowhere(package: Path) -> None:
    assert used("from companion import near", package) == set()
    assert used("%matplotlib inline\n!ls\nimport torch\nfrom os import path\ntorch, path", package) == set()
