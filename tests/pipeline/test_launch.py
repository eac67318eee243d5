"""Notebooks for Colab and Binder: their first cell installs, links lead to them, requirements agree."""

from __future__ import annotations

import importlib
import os
import subprocess
import venv
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
import yaml

from pipeline import launch, project
from tests.builds import ROOT

SOURCE = ROOT / "notebooks" / "01_softmax_shift.py"

BACKEND = """
import pathlib, zipfile

METADATA = "Metadata-Version: 2.1\\nName: companion\\nVersion: 0\\nProvides-Extra: book\\n"
TAGS = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, info = "companion-0-py3-none-any.whl", "companion-0.dist-info"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("companion.pth", str(pathlib.Path.cwd()))
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", TAGS)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
"""What pip asks for a package, without setuptools, which it could not fetch."""


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a package of the book's name that depends on nothing."""
    folder = tmp_path / "repository"
    (folder / "companion").mkdir(parents=True)
    (folder / "companion" / "__init__.py").write_text("FOUND = 'from the clone'\n", encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Begun")
    return folder


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code as a notebook's kernel would, without a network and without this project on the path."""
    offline = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | offline
    return subprocess.run(
        [python, "-c", code],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_first_cell_installs_the_package_where_it_is_absent_and_does_nothing_elsewhere(
    repository: Path, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    place.mkdir()
    launch.write(SOURCE, tmp_path / "chapter.ipynb", repository.as_uri())
    first = nbformat.read(tmp_path / "chapter.ipynb", as_version=4).cells[0]
    assert first.metadata["jupyter"]["source_hidden"]
    asked = f"{first.source}\nimport companion\nprint(companion.FOUND)"
    absent = run(python, asked, place)
    assert absent.stdout.strip() == "from the clone", absent.stderr
    again = run(python, asked, tmp_path)  # The clone would appear in this folder.
    assert again.stdout.strip() == "from the clone", again.stderr
    assert not (tmp_path / "book").exists()


def test_every_chapter_becomes_a_notebook_with_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "TARGET", tmp_path / "launch")
    monkeypatch.setattr(launch, "repository", lambda root: "")
    launch.main()
    assert not (tmp_path / "launch").exists()
    assert "repository: url" in capsys.readouterr().out
    monkeypatch.setattr(launch, "repository", lambda root: "https://github.com/owner/name")
    launch.main()
    made = sorted((tmp_path / "launch").iterdir())
    assert [path.stem for path in made] == [path.stem for path in project.notebook_sources()]
    for path, source in zip(made, project.notebook_sources(), strict=True):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        text = source.read_text(encoding="utf-8")
        codes = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        assert '"https://github.com/owner/name"' in codes[0]
        assert codes[1:]
        assert all(code in text for code in codes[1:])


def test_no_address_is_given_so_that_a_clone_has_no_links() -> None:
    assert launch.repository(ROOT) == ""


def test_binder_installs_what_environment_yml_does() -> None:
    ours, binders = (
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / "environment.yml", ROOT / ".binder" / "environment.yml")
    )
    (lock,) = binders["dependencies"][-1].pop("pip")
    assert (ROOT / ".binder" / lock.removeprefix("--requirement ")).resolve() == ROOT / "requirements.lock"
    assert ours["dependencies"][-1].pop("pip") == ["--requirement requirements.lock"]
    assert ours == binders
    after = ROOT / ".binder" / "postBuild"
    assert os.access(after, os.X_OK)
    assert "pip install --no-deps --no-build-isolation --editable ." in after.read_text(encoding="utf-8")


@pytest.fixture
def buttons(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the book's extension."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    return importlib.import_module("launch_buttons")


def test_links_lead_to_the_two_hosts(buttons: ModuleType) -> None:
    found = buttons.links("https://github.com/owner/name.git", "01_softmax_shift")
    assert "colab.research.google.com/github/owner/name/blob/notebooks/01_softmax_shift.ipynb" in found
    assert "mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/notebooks/01_softmax_shift.ipynb" in found
    with pytest.raises(ValueError, match=r"https://github\.com/owner/name"):
        buttons.links("git@example.org:book", "01_softmax_shift")


@pytest.mark.parametrize("address", ["", "https://github.com/owner/name"])
def test_a_chapter_has_the_links_beside_its_downloads_if_there_is_an_address(
    buttons: ModuleType, address: str
) -> None:
    app = SimpleNamespace(config=SimpleNamespace(html_theme_options={"repository_url": address}))
    context = {"body": '<div class="provenance docutils">\n<p>source</p>\n</div>\n<div><p>More</p></div>'}
    buttons.add(app, "_executed/01_softmax_shift", "", context, None)
    line, more = context["body"].split("</div>", 1)
    assert line.count('class="launch"') == (2 if address else 0)
    assert "launch" not in more
