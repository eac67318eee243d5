"""How alternatives are timed beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")


def in_turns(timers: Mapping[K, Callable[[], float]], count: int) -> dict[K, list[float]]:
    """Let the alternatives take turns, after one unmeasured turn each; return the seconds of each turn.

    In the unmeasured one kernels are chosen, and code is compiled. Each goes first as often as the others:
    what comes first finds the caches as the last one left them.
    """
    for timed in timers.values():
        timed()
    names = list(timers)
    seconds: dict[K, list[float]] = {name: [] for name in names}
    for turn in range(count):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(timers[name]())
    return seconds
