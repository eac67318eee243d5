"""Whether today's code computes what the recorded code computed.

`accept` compares the two on small fixed cases (`cases.measure`), and returns what `results/behaviour.json` is
to say: on which of them they are the same. New code is always compared with the recorded code, never with
the code before it, so that nothing drifts.

Equality on cases is no proof. The cases are chosen so that each option of a loss, each kind of schedule and
each experiment is in one, and the tests recompute whole committed runs besides.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from companion import losses
from companion.experiments import presets, provenance, series, shelf
from companion.experiments.cases import COUNT, measure, penalty_of
from companion.experiments.methods import METHODS
from companion.experiments.presets import preset
from companion.experiments.provenance import KINDS
from companion.experiments.records import Run
from companion.experiments.registry import Registry
from companion.experiments.settings import Settings
from companion.trace.taylor import VARIANTS

ALLOWED = {"step": 1e-4, "loop": 4e-3, "divergence": 0.05, "evaluate": 2e-3}
"""The largest deviations that count as rounding: of float64 (where 2/sigma^2 magnifies it, and a square once
more), of float32 over some training, of weights after steps that are far too long, of float32.

With two threads, and with kernels for processors without AVX-512 or without any vector units, which is what
other hardware does, the same code deviates by 4e-6, 6e-4, 4e-3 and 1e-4 at most.
"""
OPTIONS = {
    "variant": VARIANTS,
    "norm": losses.NORMS,
    "batch_norm": losses.BATCH_NORMS,
    "squared": losses.SQUARES,
    "clamp": losses.CLAMPS,
}
"""The options of the losses. All combinations are cases, whether a record has them or not."""
Case = tuple[str, str]
"""A kind of result, and a case of it."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far today's code is from the recorded code on one case; infinite where a quantity is missing."""

    case: Case
    worst: float
    quantity: str

    @property
    def allowed(self) -> float:
        """The largest deviation that counts as rounding."""
        kind, name = self.case
        return ALLOWED["evaluate" if kind == "evaluate" else name.split(" ")[0]]

    @property
    def is_rounding(self) -> bool:
        """Whether it is small enough."""
        return self.worst <= self.allowed


def users() -> dict[Case, list[Settings]]:
    """Return every case with the settings that it matters to.

    They are the presets', the committed records', and all combinations of the losses' options.

    Example:
        >>> {settings.method for settings in users()["train", "step method=gradient_norm norm=pair"]}
        {'gradient_norm'}
    """
    found: dict[Case, list[Settings]] = {}
    for settings in _all_penalties():
        found.setdefault(("train", provenance.cases("train", settings)[0]), []).append(settings)
    planned = [s for tier in presets.SEEDS for s in series.committed_plan(tier)]
    for settings in planned + [run.settings for run in shelf.committed()]:
        for kind in KINDS:
            for name in provenance.cases(kind, settings):
                found.setdefault((kind, name), []).append(settings)
    return found


def _all_penalties() -> Iterator[Settings]:
    for method, row in METHODS.items():
        names = [name for name in OPTIONS if row.loss is not None and hasattr(row.loss, name)]
        for values in product(*(OPTIONS[name] for name in names)):
            penalty = penalty_of(method, dict(zip(names, values, strict=True)))
            with suppress(ValueError):  # Options that exclude each other.
                yield preset("quick", "mnist5k", method, penalty=penalty)


def compare(case: Case, reference: Mapping[str, float] | None, now: Mapping[str, float]) -> Deviation:
    """Compare numbers with the reference.

    Quantities whose names begin with the same word are one vector: a deviation is relative to the root mean
    square of its entries.

    Example:
        >>> one = compare(("train", "step method=baseline"), {"loss": 2.0}, {"loss": 2.00001})
        >>> one.quantity, f"{one.worst:.0e}", one.is_rounding
        ('loss', '5e-06', True)
    """
    if reference is None:
        return Deviation(case=case, worst=math.inf, quantity="it has no reference")
    if missing := now.keys() ^ reference.keys():
        return Deviation(case=case, worst=math.inf, quantity=min(missing))
    vectors: dict[str, list[float]] = {}
    for name, value in reference.items():
        vectors.setdefault(name.split(" ")[0], []).append(value)
    sizes = {word: math.sqrt(math.fsum(v * v for v in vs) / len(vs)) or 1.0 for word, vs in vectors.items()}

    def size(name: str) -> float:
        difference = abs(now[name] - reference[name])
        if math.isnan(difference) or (name.startswith(COUNT) and difference):
            return math.inf
        return difference / sizes[name.split(" ")[0]]

    quantity = max(reference, key=size)
    return Deviation(case=case, worst=size(quantity), quantity=quantity)


def accept(found: Registry, *, again: bool = False) -> tuple[Registry, list[Deviation]]:
    """Compare today's code with the recorded code, case by case; note where they are the same.

    A case that no committed record of other code rests on gets its reference from today's code.

    Args:
        found: what is known.
        again: also measure the cases on which today's code was compared before.

    Returns:
        The registry to write, and the deviation of each case that was measured; of those that are more than
        rounding nothing is noted.

    Example:
        >>> from companion.experiments import registry
        >>> found, deviations = accept(registry.read())  # doctest: +SKIP
        >>> [one.case for one in deviations if not one.is_rounding]  # doctest: +SKIP
        []
    """
    reference = {kind: dict(found.reference[kind]) for kind in KINDS}
    rows: dict[Case, list[dict[str, Any]]] = {}
    for row in found.codes:
        rows.setdefault((row["kind"], row["case"]), []).append(dict(row))
    deviations = []
    for (kind, name), settings in users().items():
        mine = rows.setdefault((kind, name), [])
        new = {provenance.source_hash(kind, one) for one in settings} - {row["equals"] for row in mine}
        if not new and not again:
            continue
        numbers = measure(kind, name)
        deviation = compare((kind, name), reference[kind].get(name), numbers)
        if not deviation.is_rounding and not runs_to_remake(found, [(kind, name)]):
            reference[kind][name] = numbers
            mine.clear()
            deviation = replace(deviation, worst=0.0, quantity="a new reference")
        deviations.append(deviation)
        for code in sorted(new) if deviation.is_rounding else []:
            row = {"kind": kind, "case": name, "recorded": mine[0]["recorded"] if mine else code}
            row |= {"equals": code, "commit": provenance.commit()}
            mine.append(row | {"worst": deviation.worst, "allowed": deviation.allowed})
    codes = tuple(row for mine in rows.values() for row in mine)
    return replace(found, reference=reference, codes=codes), deviations


def runs_to_remake(found: Registry, which: Iterable[Case]) -> list[tuple[Run, list[str]]]:
    """Return the committed runs of other code that rest on some cases, and which of their results do.

    Example:
        >>> from companion.experiments import registry
        >>> runs_to_remake(registry.read(), [("train", "no such case")])
        []
    """
    wanted = set(which)
    runs = []
    for run in shelf.committed():
        kinds = [
            kind
            for kind, code in run.record.source_hash.items()
            if found.text(code) != provenance.source_hash(kind, run.settings)
            and any((kind, name) in wanted for name in provenance.cases(kind, run.settings))
        ]
        if kinds:
            runs.append((run, kinds))
    return runs


def command(run: Run, kinds: Collection[str]) -> str:
    """Return the command that makes some of a run's results anew; a training goes below `_runs/`.

    Example:
        >>> run = shelf.load(shelf.committed_directory(preset("quick", "mnist5k", "baseline")))
        >>> command(run, ["evaluate"])
        'companion evaluate results/quick/mnist5k/baseline-seed0'
        >>> command(run, ["train"])
        'companion train --tier quick --dataset mnist5k --method baseline --seed 0 --again && ...'
    """
    settings, folder = run.settings, run.directory
    parts = []
    if "train" in kinds or not (folder / "weights.safetensors").exists():
        folder = shelf.directory(settings)
        parts.append(f"{presets.command(settings)} --again")
    if "evaluate" in run.record.source_hash:
        brief = "--brief " if settings.is_brief else ""
        parts.append(
            f"companion evaluate {brief}{shlex.quote(folder.relative_to(provenance.PROJECT).as_posix())}"
        )
    return " && ".join(parts)
