"""The book: a page of run times and versions, then the HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode

from companion.experiments import registry
from pipeline import paths, project, worker

PAGES = [paths.EXECUTED / f"{path.stem}.ipynb" for path in project.notebook_sources()]
STATUS = paths.EXECUTED / "status.md"


def hand_written() -> list[Path]:
    """Return what the book is made of besides chapters: its pages, benchmarks, the package's docstrings."""
    files = [paths.ROOT / "_config.yml", paths.ROOT / "_toc.yml", *paths.ROOT.glob("benchmarks/*.csv")]
    for folder in ("book", "companion"):
        files += (p for p in (paths.ROOT / folder).rglob("*") if p.is_file() and p.suffix != ".pyc")
    return sorted(files)


def evidence() -> str:
    """Say which networks this build trains, and by which code the committed ones are."""
    made = ", ".join(f"`{settings.run_id}`" for settings in project.plan())
    committed = registry.read().in_words(project.standings())
    return (
        f"Trained and measured on this machine: {made or 'no network'}. All others are committed ones, "
        f"{committed}; {{ref}}`what that means <reproduce-code>`."
    )


def task_status(
    said: Annotated[str, PythonNode(value=evidence(), hash=True)],
    pages: tuple[Path, ...] = tuple(PAGES),
    status: Annotated[Path, Product] = STATUS,
) -> None:
    """Write the page that lists networks, every chapter's run time and the versions it ran with."""
    import nbformat  # Here, since it takes a second to import.

    rows, versions = [], {}
    for page in pages:
        notebook = nbformat.read(page, as_version=4)
        made = notebook.metadata["companion"]
        versions |= made["versions"] | {"python": notebook.metadata["language_info"]["version"]}
        given = str(made["parameters"]).replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        rows.append(f"| [](/_executed/{page.name}) | {made['seconds']:.1f} | `{given}` |")
    names = sorted(versions)
    lines = [
        "# How this book was made",
        "",
        said,
        "",
        "Every chapter was executed by papermill, with the parameters named here.",
        "",
        "| chapter | seconds | parameters |",
        "|---|---:|---|",
        *rows,
        "",
        "| package | version |",
        "|---|---|",
        *(f"| {name} | {versions[name]} |" for name in names),
        "",
    ]
    status.write_text("\n".join(lines), encoding="utf-8")


def task_book(
    pages: tuple[Path, ...] = tuple(PAGES),
    status: Path = STATUS,
    written: tuple[Path, ...] = tuple(hand_written()),
    index: Annotated[Path, Product] = paths.HTML / "index.html",
) -> None:
    """Build the HTML."""
    worker.run("build the book", "book")
