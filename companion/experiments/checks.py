"""Checks of what a person gives: settings, options, a device, a record. Each says what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any

import torch

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}


def whole_number(name: str, value: object, minimum: int, maximum: int | None = None) -> None:
    """Raise a ValueError unless the value is an integer, and not a bool, between the two ends."""
    if not _is(value, int) or value < minimum or (maximum is not None and value > maximum):  # type: ignore[operator]
        most = "" if maximum is None else f" and at most {maximum}"
        raise ValueError(f"{name} must be a whole number of at least {minimum}{most}; got {value!r}")


def positive_number(name: str, value: object) -> None:
    """Raise a ValueError unless the value is a finite number above 0."""
    if not _is(value, float) or not 0 < value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a finite number above 0; got {value!r}")


def number_from_zero(name: str, value: object, below: float = math.inf) -> None:
    """Raise a ValueError unless the value is a number of at least 0 and below an end."""
    if not _is(value, float) or not 0 <= value < below:  # type: ignore[operator]
        kind = "a finite number of at least 0" if below == math.inf else f"at least 0 and below {below:g}"
        raise ValueError(f"{name} must be {kind}; got {value!r}")


def truth(name: str, value: object) -> None:
    """Raise a ValueError unless the value is a bool."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false; got {value!r}")


def folder_name(name: str, value: object) -> None:
    """Raise a ValueError unless the value can be one folder's name, and the same one on every system.

    It may not end as the folders themselves do, in `-seed` and a number: which run would that be?
    """
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", value):
        raise ValueError(
            f"{name} must begin with a letter or a digit and hold only letters, digits and . _ + -, since it "
            f"names a folder; got {value!r}"
        )
    if re.search(r"-seed[0-9]*$", value, re.IGNORECASE):
        raise ValueError(
            f"{name} must not end in -seed and a number, which the run's folder adds to it: the seed is a "
            f"setting of its own; got {value!r}"
        )


def keyword_arguments(name: str, given: object, kind: type) -> None:
    """Raise a ValueError unless the keyword arguments of a dataclass are known and of their defaults' types.

    Their ranges are left to the dataclass itself.

    Example:
        >>> from companion.losses import GradientNorm
        >>> keyword_arguments("penalty", {"weight": 0.1}, GradientNorm)
        >>> keyword_arguments("penalty", {"weight": "much"}, GradientNorm)
        Traceback (most recent call last):
        ...
        ValueError: penalty.weight must be a number; got 'much'
    """
    known = {f.name: type(f.default) for f in fields(kind) if f.default is not MISSING}
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} must hold options, of {', '.join(known)}; got {given!r}")
    for option, value in given.items():
        if option not in known:
            listed = ", ".join(f"{name}.{one}" for one in known)
            raise ValueError(f"{name}.{option} does not exist; choose one of {listed}")
        if not _is(value, known[option]):
            raise ValueError(f"{name}.{option} must be {_KINDS[known[option]]}; got {value!r}")


def device(name: str) -> str:
    """Return the device's name if this machine has it.

    Raises:
        ValueError: another device than cpu, cuda or cuda:N, or one that PyTorch does not find here.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ValueError(f"device {name!r} does not exist; use cpu, cuda or cuda:N, for example cuda:0")
    if name != "cpu":
        if not torch.cuda.is_available():
            raise ValueError(
                f"device {name!r} was asked for, but PyTorch finds no CUDA device here: use --device cpu, or "
                "see `companion doctor`"
            )
        count = torch.cuda.device_count()
        if int(name.partition(":")[2] or 0) >= count:
            found = ", ".join(f"cuda:{number}" for number in range(count))
            raise ValueError(f"device {name!r} was asked for, but this machine has only {found}")
    return name


def record_contents(values: object, known: Collection[str]) -> dict[str, Any]:
    """Return a record's values if its fields are there, and of the right types.

    Raises:
        ValueError: the first thing that is wrong.
    """
    if not isinstance(values, dict):
        raise ValueError(f"it holds {type(values).__name__}, not an object")
    # Records may be from before these were fields.
    contents: dict[str, Any] = {"diverged": None, "notes": [], "digests": {}, **values}
    missing = [name for name in known if name not in contents]
    unknown = [name for name in contents if name not in known]
    if missing or unknown:
        lists = {"missing": missing, "unknown": unknown}
        raise ValueError("; ".join(f"{what}: {', '.join(names)}" for what, names in lists.items() if names))
    for name in ("settings", "metrics", "source_hash", "versions", "seconds", "digests"):
        if not isinstance(contents[name], dict):
            raise ValueError(f"{name} must be an object; got {contents[name]!r}")
    for name in ("status", "commit", "device", "weights_sha256"):
        _text(name, contents[name])
    for name in ("source_hash", "versions", "digests"):
        for key, value in contents[name].items():
            _text(f"{name}.{key}", value)
    for key, value in contents["seconds"].items():
        number_from_zero(f"seconds.{key}", value)
    for key, metric in contents["metrics"].items():
        _metric(key, metric)
    if not isinstance(contents["notes"], list):
        raise ValueError(f"notes must be a list of texts; got {contents['notes']!r}")
    for note in contents["notes"]:
        _text("a note", note)
    stopped = contents["diverged"]
    if stopped is not None:
        if not isinstance(stopped, dict) or set(stopped) != {"epoch", "step"}:
            raise ValueError(f"diverged must be null or have epoch and step; got {stopped!r}")
        for key, value in stopped.items():
            whole_number(f"diverged.{key}", value, 1)
    return contents


def _metric(name: str, metric: object) -> None:
    if not isinstance(metric, dict) or set(metric) != {"value", "low", "high", "n"}:
        raise ValueError(f"metric {name} must have value, low, high and n; got {metric!r}")
    for end in ("value", "low", "high"):
        if metric[end] is not None and not _is(metric[end], float):
            raise ValueError(f"metric {name}: {end} must be a number or null; got {metric[end]!r}")
    whole_number(f"metric {name}: n", metric["n"], 0)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text; got {value!r}")


def _is(value: object, kind: type) -> bool:
    """Say whether a value is of a kind: a bool is no number, and a whole number may stand for any."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
