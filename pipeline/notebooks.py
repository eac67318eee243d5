"""A chapter's life: source -> executed code cells (kept) -> executed notebook with the present prose.

A chapter is executed again if its code cells, its parameters, the modules it can reach or the records it
reads have changed. Its prose, titles and captions are not part of that key: `merge` carries them into the
page.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import jupytext
import nbformat
from nbformat import NotebookNode

from companion.experiments.imports import files_used
from companion.experiments.provenance import hash_of

LARGER = ("tier = 'small'", "tier = 'paper'")
NOT_DIGITS = "**Where the text says digits, the images are CIFAR-100's here.** "
"""What stands above a chapter that was executed at one of these tiers."""
VERSIONED = ("torch", "torchvision", "numpy", "matplotlib", "mlxtend")


def read_source(path: Path) -> NotebookNode:
    """Read a chapter's source; its cells get names that do not change from one reading to the next.

    Raises:
        ValueError: it names no kernel, or has no cell tagged `parameters`, or more than one.
    """
    notebook = cast("NotebookNode", jupytext.read(path))
    if "kernelspec" not in notebook.metadata:
        raise ValueError(
            f"{path} names no kernel, so papermill could not run it: begin it as the other chapters begin"
        )
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(
            f"{path} has {len(tagged)} cells tagged 'parameters'; a chapter has exactly one: "
            '# %% tags=["parameters"]'
        )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def code_of(notebook: NotebookNode) -> list[str]:
    """Return the sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def key(notebook: NotebookNode, parameters: Mapping[str, Any], root: Path) -> str:
    """Return what decides a chapter's outputs, except the records it reads: cells, parameters, modules."""
    code = code_of(notebook)
    return json.dumps(
        {
            "cells": _sha256(json.dumps(code).encode()),
            "parameters": dict(parameters),
            "files": hash_of(files_used(code, root), root),
        },
        sort_keys=True,
    )


def reads_records(notebook: NotebookNode, root: Path) -> bool:
    """Say whether a chapter can reach the records of trained networks."""
    return root / "companion" / "experiments" / "shelf.py" in files_used(code_of(notebook), root)


def execute(
    source: Path, target: Path, parameters: Mapping[str, Any], root: Path, *, progress: bool = False
) -> None:
    """Execute a chapter with papermill and keep the result at `target`, whole or not at all.

    Raises:
        ValueError: a parameter that the chapter does not have; the message lists those that it has.
        RuntimeError: a cell failed. What was executed until then stays beside `target`, as `.partial.ipynb`.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = read_source(source)
    check_parameters(notebook, parameters, source.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # What is there was made by other code, and must not outlive a failure.
    partial = target.with_suffix(".partial.ipynb")
    bar = {"desc": source.stem, "bar_format": "{desc}: cell {n_fmt} of {total_fmt}"}
    started = time.monotonic()
    try:
        papermill.execute_notebook(
            notebook,
            partial,
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",
            cwd=root,
            start_timeout=600,
            progress_bar=cast("bool", bar) if progress else False,  # papermill takes tqdm's options, too
            extra_arguments=["--log-level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        raise RuntimeError(
            f"{source} failed in its code cell {error.exec_count}; see {partial}\n{error}"
        ) from None
    executed = nbformat.read(partial, as_version=4)
    executed.metadata["companion"] = {
        "parameters": effective_parameters(notebook, parameters),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: metadata.version(name) for name in VERSIONED},
    }
    executed.metadata.pop("papermill", None)
    nbformat.write(executed, partial)
    partial.replace(target)


def known_parameters(notebook: NotebookNode) -> dict[str, str]:
    """Return the names that a chapter's `parameters` cell assigns, and the values written there."""
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    return {
        target.id: ast.unparse(node.value)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def check_parameters(notebook: NotebookNode, parameters: Mapping[str, Any], name: str) -> None:
    """Raise a ValueError for a parameter that the chapter does not have, listing those it has."""
    known = known_parameters(notebook)
    for parameter in parameters:
        if parameter not in known:
            raise ValueError(f"{name} has no parameter {parameter!r}; it has {', '.join(known)}")


def effective_parameters(notebook: NotebookNode, parameters: Mapping[str, Any]) -> str:
    """Return the parameters as Python writes them, those not given with the chapter's own values."""
    known = known_parameters(notebook).items()
    return ", ".join(f"{name} = {parameters.get(name, ast.literal_eval(own))!r}" for name, own in known)


def merge(source: Path, executed: Path, target: Path) -> None:
    """Write the page: the present prose and cell options around the executed code cells.

    Args:
        source: the chapter.
        executed: what `execute` left.
        target: the notebook that the book shows and offers for download.

    Raises:
        ValueError: the executed copy is of other code.
    """
    page = read_source(source)
    done = nbformat.read(executed, as_version=4)
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    injected = [cell for cell in cells if "injected-parameters" in cell.metadata.get("tags", [])]
    cells = [cell for cell in cells if cell not in injected]
    if [cell.source for cell in cells] != code_of(page):
        raise ValueError(f"{executed} was made by other code than {source}; run the pipeline again")
    merged = []
    waiting = iter(cells)
    for cell in page.cells:
        if cell.cell_type == "code":
            old = next(waiting)
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
        merged.append(cell)
        if "parameters" in cell.metadata.get("tags", []):
            for number, extra in enumerate(injected):
                extra.id = f"injected-{number}"
                extra.metadata = NotebookNode(tags=["injected-parameters", "remove-cell"])
                merged.append(extra)
    page.cells = merged
    _add_provenance(page, done.metadata["companion"], source, target)
    page.metadata.update({name: value for name, value in done.metadata.items() if name != "papermill"})
    page.metadata.pop("jupytext", None)
    partial = target.with_suffix(".partial")
    nbformat.write(page, partial)
    partial.replace(target)


def _add_provenance(page: NotebookNode, made: Mapping[str, Any], source: Path, target: Path) -> None:
    """Put a line below the title that says how the page was made and offers both forms of the chapter."""
    first = page.cells[0]
    title, _, rest = first.source.partition("\n")
    if first.cell_type != "markdown" or not title.startswith("# "):
        raise ValueError(f"{source} must begin with a markdown cell whose first line is its '# Title'")
    warning = NOT_DIGITS if any(tier in made["parameters"] for tier in LARGER) else ""
    line = (
        f"{warning}*Executed with `{made['parameters']}` in {made['seconds']:.0f} s.* "
        f"{{download}}`Executed notebook <{target.name}>` · {{download}}`source <../notebooks/{source.name}>`"
    )
    first.source = f"{title}\n\n:::{{div}} provenance\n{line}\n:::\n{rest}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
