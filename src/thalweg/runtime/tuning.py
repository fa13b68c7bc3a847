"""Measure how a kernel runs fastest, where the model may be wrong, and remember it.

Only schedules that give the same bits are tried, so that tuning changes how fast a program is and
nothing else. A kernel is tried alone, on one thread, on memory of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.backends.state import address_of, aligned_empty
from thalweg.base.shapes import known
from thalweg.kernels.choose import alternatives, variants
from thalweg.kernels.nest import Nest
from thalweg.kernels.schedule import Schedule, tasks
from thalweg.runtime.library import Library
from thalweg.runtime.team import Words, shared_team

CANDIDATES = 12  # tiles to try
RUNS = 7  # of a candidate and of the best one so far, of which the fastest count
ENOUGH = 1.03  # times faster that a candidate must be


@dataclass(frozen=True)
class Tuned:
    """What trying a kernel's schedules has shown.

    Attributes:
        nest: the kernel.
        gain: how many times faster the best one is than the one that the kernel had.
    """

    nest: Nest
    gain: float


def tune(kernels: Iterable[tuple[Nest, Schedule]], library: Library) -> Iterator[Tuned]:
    """Try other schedules for each kernel; the library remembers the best."""
    for nest, schedule in kernels:
        bench = _Bench(nest, library)
        chosen, gain = schedule, 1.0
        for trial in alternatives(nest, schedule, library.machine, CANDIDATES):
            chosen, gain = bench.faster(trial, chosen, gain)
        for trial in variants(nest, chosen):
            chosen, gain = bench.faster(trial, chosen, gain)
        if chosen is not schedule:
            library.remember(nest, chosen)
        yield Tuned(nest, gain)


class _Bench:
    """Runs a kernel on memory of its own."""

    def __init__(self, nest: Nest, library: Library) -> None:
        self._nest, self._library = nest, library
        self._memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
        for array in self._memory:
            array.fill(1 if array.dtype.kind == "f" else 0)  # indices must be valid
        words = [*map(address_of, self._memory), *nest.numbers]
        self._words = np.array(words, np.int64)

    def faster(self, trial: Schedule, chosen: Schedule, gain: float) -> tuple[Schedule, float]:
        """The trial, if it is clearly faster, and how many times faster than the first one."""
        ratio = self._ratio(chosen, trial)
        return (trial, gain * ratio) if ratio > ENOUGH else (chosen, gain)

    def _ratio(self, one: Schedule, other: Schedule) -> float:
        """How many times faster the other is: both in turn, since machines change their pace."""
        tables = self._table(one), self._table(other)
        times = [[self._once(table) for table in tables] for _ in range(RUNS)]
        return min(a for a, _ in times) / min(b for _, b in times)

    def _table(self, schedule: Schedule) -> Words:
        (address,) = self._library.code([(self._nest, schedule)])
        return np.array([[address, address_of(self._words), tasks(schedule), 0]], np.int64)

    def _once(self, table: Words) -> float:
        start = time.perf_counter()
        shared_team().run(table, 1, 1)
        return time.perf_counter() - start
