"""Which later code computes the same as the code of a record.

A hash of code changes with every edit, and most edits change no result. So `results/behaviour.json` keeps two
more things: what the recorded code computes on small fixed cases (`reference`), and which later hashes were
shown to compute the same there (`codes`); `behaviour` fills both. A record is by *this code* if its hash is
today's, by *code that computes the same* if today's code is known to equal the record's on each case that
matters to the run, and otherwise by *earlier code*.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from companion.experiments.provenance import KINDS, PROJECT, cases, source_hash

if TYPE_CHECKING:
    from companion.experiments.settings import Settings


PATH = PROJECT / "results" / "behaviour.json"
THIS, SAME, EARLIER = "this code", "code that computes the same", "earlier code"
STANDINGS = (THIS, SAME, EARLIER)
"""What a record can be of, from best to worst."""
_ROW = {
    "kind": str,
    "case": str,
    "recorded": str,
    "equals": str,
    "commit": str,
    "worst": float,
    "allowed": float,
}


class RegistryError(ValueError):
    """`behaviour.json` is damaged or of another kind; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The contents of `behaviour.json`.

    Attributes:
        same_text: hashes of an older format -> today's format, of the same code.
        reference: kind -> case -> quantity -> value, as the recorded code computes it.
        codes: rows of `kind, case, recorded, equals, commit, worst, allowed`: the hash `equals`, at that
            commit, deviated from the reference of the code `recorded` by `worst` at most.

    Example:
        >>> EMPTY.in_words([THIS, THIS, EARLIER])
        '3 records: 2 by this code, 1 by earlier code'
        >>> Registry(same_text={"an older hash": "today's"}, reference={}, codes=()).text("an older hash")
        "today's"
    """

    same_text: Mapping[str, str]
    reference: Mapping[str, Mapping[str, Mapping[str, float]]]
    codes: tuple[Mapping[str, Any], ...]

    def text(self, code: str) -> str:
        """Return a hash in today's format."""
        return self.same_text.get(code, code)

    def canonical(self, kind: str, case: str, code: str) -> str:
        """Return the hash of the recorded code that this one equals on a case; its own, if none is known."""
        code = self.text(code)
        for row in self.codes:
            if (row["kind"], row["case"], row["equals"]) == (kind, case, code):
                return row["recorded"]
        return code

    def standing(self, hashes: Mapping[str, str], settings: Settings) -> str:
        """Return which of `STANDINGS` a record has.

        Args:
            hashes: kind -> the record's hash.
            settings: of the run.
        """
        if all(self.text(code) == source_hash(kind, settings) for kind, code in hashes.items()):
            return THIS
        same = all(
            self.codes_of(kind, settings, code) == self.codes_of(kind, settings)
            for kind, code in hashes.items()
        )
        return SAME if same else EARLIER

    def in_words(self, standings: Sequence[str]) -> str:
        """Say how many records are by which code, and how that is known.

        Args:
            standings: one of `STANDINGS` for each record.
        """
        counts = {standing: standings.count(standing) for standing in STANDINGS if standing in standings}
        parts = [f"{count if len(counts) > 1 else 'all'} by {standing}" for standing, count in counts.items()]
        text = f"{len(standings)} records: {', '.join(parts) or 'none'}"
        if SAME in standings:
            cases = {(row["kind"], row["case"]) for row in self.codes}
            worst = max(row["worst"] for row in self.codes)
            text += f" ({len(cases)} cases, worst deviation {worst:.0e})"
        return text

    def codes_of(self, kind: str, settings: Settings, code: str | None = None) -> dict[str, str]:
        """Return the recorded code that some code equals, for each case that matters to a run.

        Args:
            kind: one of `KINDS`.
            settings: of the run.
            code: a hash; today's if None.
        """
        code = source_hash(kind, settings) if code is None else code
        return {case: self.canonical(kind, case, code) for case in cases(kind, settings)}


EMPTY = Registry(same_text={}, reference={kind: {} for kind in KINDS}, codes=())


def read(path: Path | None = None) -> Registry:
    """Read `behaviour.json`; where there is none, nothing is known of any code.

    Raises:
        RegistryError: the file is damaged, or not what it should be.

    Example:
        >>> found = read()
        >>> found.reference.keys() == KINDS.keys(), read(Path("no such file.json")) == EMPTY
        (True, True)
    """
    path = PATH if path is None else path
    return _read(path, path.stat().st_mtime_ns) if path.exists() else EMPTY


@cache
def _read(path: Path, _changed: int) -> Registry:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.keys() != {"same_text", "reference", "codes"}:
            raise ValueError("it must have same_text, reference and codes, and nothing else")
        _check(values)
    except (ValueError, OSError) as error:
        raise RegistryError(
            f"{path} cannot be read ({error}). Restore it from the repository: git checkout -- "
            f"{path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path.name}"
        ) from error
    return Registry(**{**values, "codes": tuple(values["codes"])})


def _check(values: Mapping[str, Any]) -> None:
    same_text, reference, codes = values["same_text"], values["reference"], values["codes"]
    if not isinstance(same_text, dict) or not all(isinstance(code, str) for code in same_text.values()):
        raise ValueError("same_text must map hashes to hashes")
    if not isinstance(reference, dict) or reference.keys() != KINDS.keys():
        raise ValueError(f"reference must have {' and '.join(KINDS)}")
    for kind, found in reference.items():
        if not isinstance(found, dict):
            raise ValueError(f"reference of {kind} must map cases to quantities")
        for case, quantities in found.items():
            if not isinstance(quantities, dict) or not all(
                isinstance(value, int | float) for value in quantities.values()
            ):
                raise ValueError(f"reference of {kind}, {case!r} must map quantities to numbers")
    if not isinstance(codes, list):
        raise ValueError("codes must be a list of rows")
    for row in codes:
        right = isinstance(row, dict) and row.keys() == _ROW.keys()
        if not right or not all(isinstance(row[name], kind) for name, kind in _ROW.items()):
            raise ValueError(f"codes must be rows of {', '.join(_ROW)}; one is {str(row)[:80]}")
        if not row["worst"] <= row["allowed"]:
            raise ValueError(f"{row['equals'][:12]} is said to equal another code, but deviates too much")


def written(found: Registry) -> str:
    """Return the text of `behaviour.json`: a line a case, a line a row, so that a difference can be read.

    Example:
        >>> json.loads(written(EMPTY))
        {'same_text': {}, 'reference': {'train': {}, 'evaluate': {}}, 'codes': []}
        >>> written(read()) == PATH.read_text(encoding="utf-8")
        True
    """

    def lines(values: Iterable[str]) -> str:
        return ",\n".join(f"  {value}" for value in values)

    def pairs(values: Mapping[str, object]) -> str:
        return lines(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(values.items()))

    reference = ",\n".join(f' "{kind}": {{\n{pairs(found.reference[kind])}\n }}' for kind in KINDS)
    return (
        f'{{\n"same_text": {{\n{pairs(found.same_text)}\n}},\n"reference": {{\n{reference}\n}},\n'
        f'"codes": [\n{lines(map(json.dumps, found.codes))}\n]\n}}\n'
    )
