"""Compare a page of claims with what the committed records give now.

A page carries its claims three times: as a first screen and a list for the reader, and as data. The check
reads the data, judges every claim again from `results/` alone, and compares by the rule of `difference`; and
it makes first screen and list from the data, which have to be the page's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from companion.claims.evidence.networks import images_of
from companion.claims.page import EMPTY, html_list, html_overview, paths_of
from companion.claims.rule import ImagesMissing
from companion.claims.table import COLUMNS, TIMED, by_tier, claims
from companion.experiments import provenance

PAGES = ("_executed/15_claims.ipynb", "_build/html/_executed/15_claims.html")
"""Where the page of claims is looked for: executed, or built."""
FROM_NETWORKS = ("confident-loss-gradients", "adversarial")
"""Claims that are measured on committed weights, for whose last digits the processor counts."""
RECORD_TOLERANCE, NETWORK_TOLERANCE = 1e-6, 0.1
"""How far numbers may differ, relative to the largest of value and interval: numbers that are read from
records, and numbers that networks are asked for again."""
NUMBERS = ("value", "low", "high")
_DATA = re.compile(r'<script type="application/json" class="claims-data">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page of claims holds: its table as data, the tiers and the seed it is of, its whole HTML."""

    path: Path
    frame: pd.DataFrame
    tiers: tuple[str, ...]
    seed: int
    html: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found: `differences`, one sentence each, and `skipped`, what could not be judged here."""

    compared: int
    differences: list[str]
    skipped: list[str]


def html_page(frame: pd.DataFrame, seed: int = 0) -> str:
    """Return the list of claims as HTML, and with it the table as data, for `check`.

    Args:
        frame: as `by_tier` returns it.
        seed: the one it was asked for.
    """
    rows = _without_nan(frame.to_dict("records"))
    data = json.dumps({"seed": seed, "rows": rows}).replace("<", "\\u003c")
    return f'{html_list(frame)}<script type="application/json" class="claims-data">{data}</script>'


def _without_nan(value: Any) -> Any:  # noqa: ANN401
    """Put None, for which JSON has a word, where a nan stands, however deep."""
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def default_page() -> Path:
    """Return the page that the last build left.

    Raises:
        ValueError: there is none.
    """
    for name in PAGES:
        if (provenance.PROJECT / name).exists():
            return provenance.PROJECT / name
    raise ValueError(
        f"there is no page of claims to check, neither {' nor '.join(PAGES)}: make it with make book, or "
        "name one: companion claims --check PAGE"
    )


def read(path: Path) -> Page:
    """Read a page of claims, an executed notebook or a built HTML page.

    Raises:
        ValueError: it does not exist, or holds no table of claims.
    """
    if not path.exists():
        raise ValueError(f"there is no page {path}: make it with make book")
    text = path.read_text(encoding="utf-8")
    try:
        html = "\n".join(_outputs(json.loads(text))) if path.suffix == ".ipynb" else text
        found = _DATA.search(html)
        data = json.loads(found[1]) if found else None
        frame = pd.DataFrame(data["rows"], columns=list(COLUMNS)) if data else None
        seed = int(data["seed"]) if data else 0
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): make it again with make book") from error
    if frame is None:
        raise ValueError(
            f"{path} holds no table of claims as data: is it the page of chapter 15, made by this code?"
        )
    frame[list(NUMBERS)] = frame[list(NUMBERS)].astype(float)
    tiers = tuple(tier for tier in dict.fromkeys(frame["tier"]) if tier)
    return Page(path=path, frame=frame, tiers=tiers, seed=seed, html=html)


def _outputs(notebook: Mapping[str, Any]) -> Iterator[str]:
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            yield "".join(output.get("data", {}).get("text/html", ""))


def check(path: Path) -> Report:
    """Judge the claims again from the committed records alone, and list where a page says something else.

    Args:
        path: an executed notebook or a built HTML page.

    Raises:
        ValueError: it is not a page of claims.
        RecordError: a committed record or its weights are damaged.
    """
    page = read(path)
    ids = [claim["id"] for claim in claims() if claim["id"] not in TIMED]
    again = by_tier(page.tiers, page.seed, places=("results",), ids=ids)
    ours = {(row["id"], row["tier"]): row for row in again.to_dict("records")}
    theirs = {
        (row["id"], row["tier"]): row for row in page.frame.to_dict("records") if row["id"] not in TIMED
    }
    differences = [f"{_label(key)}: not on the page" for key in ours if key not in theirs]
    differences += [f"{_label(key)}: on the page, but no such claim" for key in theirs if key not in ours]
    skipped = []
    for key, row in ours.items():
        if key not in theirs:
            continue
        if row["missing"] and _lacks_images(row):
            skipped.append(_label(key))
        elif what := difference(theirs[key], row):
            differences.append(f"{_label(key)}: {what}{_why(theirs[key], row)}")
    for what, made in (("first screen", html_overview), ("list of claims", html_list)):
        if made(page.frame) not in page.html:
            differences.append(
                f"the {what} that the page shows is not the one that its data make: it was edited by hand, "
                "or made by other code"
            )
    return Report(compared=len(ours) - len(skipped), differences=differences, skipped=skipped)


def difference(page: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """Say how a row of a page differs from the same row judged again; nothing if they agree.

    Verdict and n are the same. Numbers from records agree to `RECORD_TOLERANCE`, and so do the words that
    hold them; those that networks are asked for again, to `NETWORK_TOLERANCE`. The deviations of exact claims
    are rounding errors, which every processor has of its own: of them only the verdict counts.

    Args:
        page: a row of the page.
        again: the row that the committed records give.

    Example:
        >>> row = {"id": "a", "kind": "order", "verdict": "opposite", "n": 3, "value": 1.0, "low": 0.5,
        ...     "high": 1.5, "measured": "a - b +1"}
        >>> difference(row, row | {"verdict": "undecided"})
        "the page says 'opposite', the records 'undecided'"
    """
    for name in ("verdict", "n"):
        if page[name] != again[name]:
            what = "" if name == "verdict" else f"{name} = "
            return f"the page says {what}{page[name]!r}, the records {what}{again[name]!r}"
    if page["kind"] == "exact" or page["verdict"] in EMPTY:
        return ""
    tolerance = NETWORK_TOLERANCE if page["id"] in FROM_NETWORKS else RECORD_TOLERANCE
    old, new = ([float(row[name]) for name in NUMBERS] for row in (page, again))
    if any(map(_apart, old, new, [tolerance * _size(old + new)] * len(NUMBERS))):
        return f"the page says {_interval(old)}, the records {_interval(new)}"
    if page["id"] not in FROM_NETWORKS and page["measured"] != again["measured"]:
        return f"the page says {page['measured']!r}, the records {again['measured']!r}"
    return ""


def _size(values: list[float]) -> float:
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)


def _apart(first: float, second: float, allowed: float) -> bool:
    """Say whether two numbers differ; infinities and nans are equal to their like alone."""
    if math.isfinite(first) and math.isfinite(second):
        return abs(first - second) > allowed
    return first != second and not (math.isnan(first) and math.isnan(second))


def _interval(ends: list[float]) -> str:
    return "{:.6g} ({:.6g} to {:.6g})".format(*ends)


def _label(key: tuple[str, str]) -> str:
    name, tier = key
    return f"{name} at tier {tier}" if tier else name


def _why(page: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    """Say what explains a difference, if the runs that were used do."""
    old, new = (set(paths_of(row)) for row in (page, again))
    own = sorted(path for path in old if path.startswith("_runs/"))
    if own:
        return f" (the page used runs of this machine that are not committed: {', '.join(own)})"
    if old != new:
        return f" (records that the page used: {len(old)}; in results/: {len(new)})"
    return ""


def _lacks_images(row: Mapping[str, Any]) -> bool:
    """Say whether a row is open only because the images are not on this machine."""
    try:
        images_of(row["dataset"])
    except ImagesMissing as command:
        return row["missing"] == str(command)
    return False
