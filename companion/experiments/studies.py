"""Studies: tables over many networks, which are kept row by row while they are made.

A study's rows lie in `_runs/studies/<name>/`, a file a network, until all are there. Then its table is
written beside that folder, with what made it. Committed tables lie in `results/studies/`, likewise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm.auto import tqdm

from companion.experiments import files, provenance, records
from companion.experiments.imports import files_used

Row = dict[str, Any]


def source_hash(name: str) -> str:
    """Return the SHA-256 of the code that makes a study's rows: what its module uses.

    Example:
        >>> source_hash("denoising") == source_hash("known_density")
        False
    """
    return provenance.hash_of(
        files_used([f"from companion.experiments.{name} import rows_of\nrows_of"], provenance.ROOT),
        provenance.ROOT,
    )


def make(
    name: str,
    subjects: Iterable[str],
    rows_of: Callable[[str], list[Row]],
    *,
    progress: bool = True,
) -> Path:
    """Make a study's table, or go on with it: rows of a subject that are there, of the same code, are kept.

    Args:
        name: of the study, and of its module in `companion.experiments`.
        subjects: what the rows are about, such as networks, each with a name for a file.
        rows_of: makes the rows of one subject.
        progress: show a bar.

    Returns:
        The table's path.

    Example:
        >>> from companion.experiments import denoising
        >>> path = make("denoising", denoising.subjects(), denoising.rows_of)  # doctest: +SKIP
        >>> path.relative_to(provenance.PROJECT).as_posix()  # doctest: +SKIP
        '_runs/studies/denoising.csv'
    """
    folder = provenance.PROJECT / "_runs" / "studies" / name
    code = source_hash(name)
    rows: list[Row] = []
    seconds = 0.0
    for subject in tqdm(list(subjects), desc=name, disable=not progress):
        path = folder / f"{subject}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if kept.get("source_hash") != code:
            began = time.monotonic()
            kept = {"source_hash": code, "rows": rows_of(subject), "seconds": time.monotonic() - began}
            files.write_atomically(path, json.dumps(kept).encode())
        rows += kept["rows"]
        seconds += kept["seconds"]
    table = folder.with_suffix(".csv")
    files.write_table(pd.DataFrame(rows), table)
    said = {
        "source_hash": code,
        "seconds": round(seconds, 1),
        "table_sha256": files.sha256(table),
        **records.circumstances(torch.device("cpu")),
    }
    text = json.dumps(said, indent=1, sort_keys=True)
    files.write_atomically(folder.with_suffix(".json"), f"{text}\n".encode())
    return table


def read(name: str) -> pd.DataFrame:
    """Return a study's committed table, checked against the digest that was written with it.

    Raises:
        RecordError: it is missing, damaged or half-written; the message says how to make it.

    Example:
        >>> table = read("denoising")
        >>> table["part"].unique().tolist()
        ['whole', 'own', 'others', 'free', 'centred']
    """
    path = provenance.PROJECT / "results" / "studies" / f"{name}.csv"
    try:
        said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if files.sha256(path) == said["table_sha256"]:
            return pd.read_csv(path)
        reason = "its SHA-256 is not the one written beside it"
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise records.RecordError(
        f"{path} is missing or damaged ({reason}). Restore it from the repository, or make it with: "
        f"companion study {name}"
    )
