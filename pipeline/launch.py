"""`python -m pipeline.launch`: the chapters as notebooks that open on Colab, where nothing is installed.

They lie in `_build/launch/`, to be published as a branch `notebooks` of the repository, whose address
`_config.yml` says. The first cell of each installs the package from there, if it is absent.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline import paths, project

TARGET = paths.HTML.with_name("launch")
INSTALL = """\
# Where the book's package is absent, as on Colab, this installs it from its repository.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("companion") is None:
    subprocess.run(["git", "clone", "--quiet", "--depth=1", "{address}", "book"], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", "book[book]"]
    subprocess.run(install, check=True)
    sys.path.insert(0, "book")
"""


def main() -> None:
    """Write the notebooks, if `_config.yml` says where the repository is."""
    address = repository(paths.ROOT)
    shutil.rmtree(TARGET, ignore_errors=True)
    if not address:
        print("_config.yml does not say where the repository is (repository: url): no notebooks for Colab.")
        return
    for source in project.notebook_sources():
        write(source, TARGET / f"{source.stem}.ipynb", address)
    print(f"Notebooks for Colab, to be the branch `notebooks`: {TARGET}")


def repository(root: Path) -> str:
    """Return the repository's public address, as `_config.yml` has it; it may be empty."""
    import yaml  # Here, since `make book` reads the file through Sphinx.

    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return (config["repository"]["url"] or "").rstrip("/")


def write(source: Path, target: Path, address: str) -> None:
    """Write a chapter as a notebook without outputs, its first cell the one that installs.

    Args:
        source: the chapter, in jupytext's percent format.
        target: the notebook.
        address: of the repository, for `git clone`.
    """
    import jupytext  # Here, since it takes a second to import.
    from nbformat.v4 import new_code_cell

    notebook = jupytext.read(source)
    cell = new_code_cell(INSTALL.format(address=address), id="install")
    cell.metadata = {"jupyter": {"source_hidden": True}, "cellView": "form", "tags": ["remove-cell"]}
    notebook.cells.insert(0, cell)
    target.parent.mkdir(parents=True, exist_ok=True)
    jupytext.write(notebook, target, fmt="ipynb")


if __name__ == "__main__":
    main()
