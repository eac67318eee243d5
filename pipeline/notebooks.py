"""A chapter's life: source -> executed code cells (kept) -> executed notebook with the present prose.

A chapter is executed again if its code cells, its parameters, the modules it can reach or the records it
reads have changed. Its prose, titles and captions are not part of that key: `merge` carries them into the
page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pipeline.quick_jupyter  # noqa: F401

# isort: split
import jupytext
import nbformat
from nbformat import NotebookNode

from pipeline import kernel
from pipeline.chapter import Chapter

LARGER = ("tier = 'small'", "tier = 'paper'")
NOT_DIGITS = "**Where the text says digits, the images are CIFAR-100's here.** "
"""What stands above a chapter that was executed at one of these tiers."""
VERSIONED = ("torch", "torchvision", "numpy", "matplotlib", "mlxtend")


def read_source(path: Path) -> NotebookNode:
    """Read a chapter's source; its cells get names that do not change from one reading to the next."""
    notebook = cast("NotebookNode", jupytext.read(path))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    root: Path,
    *,
    progress: bool = False,
    fork: bool = False,
) -> None:
    """Execute a chapter with papermill and keep the result at `target`, whole or not at all.

    Args:
        source: the chapter.
        target: the executed notebook.
        parameters: values for the chapter's parameters.
        root: the folder that its code runs in.
        progress: whether to show which cell runs.
        fork: whether the kernel is forked from this process, which then has no other threads that matter.

    Raises:
        ValueError: a parameter that the chapter does not have; the message lists those that it has.
        RuntimeError: a cell failed. What was executed until then stays beside `target`, as `.partial.ipynb`.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    chapter = Chapter.read(source)
    chapter.check_parameters(parameters)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # What is there was made by other code, and must not outlive a failure.
    partial = target.with_suffix(".partial.ipynb")
    bar = {"desc": source.stem, "bar_format": "{desc}: cell {n_fmt} of {total_fmt}"}
    started = time.monotonic()
    try:
        papermill.execute_notebook(
            read_source(source),
            partial,
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",
            cwd=root,
            start_timeout=600,
            progress_bar=cast("bool", bar) if progress else False,  # papermill takes tqdm's options, too
            extra_arguments=["--log-level=CRITICAL"],
            kernel_manager_class=kernel.Forking if fork else kernel.Manager,
        )
    except PapermillExecutionError as error:
        raise RuntimeError(
            f"{source} failed in its code cell {error.exec_count}; see {partial}\n{error}"
        ) from None
    executed = nbformat.read(partial, as_version=4)
    executed.metadata["companion"] = {
        "parameters": chapter.effective_parameters(parameters),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {name: metadata.version(name) for name in VERSIONED},
    }
    executed.metadata.pop("papermill", None)
    nbformat.write(executed, partial)
    partial.replace(target)


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
    if [cell.source for cell in cells] != [c.source for c in page.cells if c.cell_type == "code"]:
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
