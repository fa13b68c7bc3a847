"""Measure how a kernel runs fastest, where the model may be wrong, and remember it.

Only schedules that give the same bits are tried, so that tuning changes how fast a program is and
nothing else. A kernel is tried alone, on memory of its own, on as many threads as the program has.
"""

from __future__ import annotations

import statistics
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
RUNS = 9  # of a candidate and of the best one so far, in turn
ENOUGH = 1.05  # times faster that a candidate must be


@dataclass(frozen=True)
class Tuned:
    """What trying a kernel's schedules has shown.

    Attributes:
        nest: the kernel.
        gain: how many times faster the best one is than the one that the kernel had.
    """

    nest: Nest
    gain: float


def tune(
    kernels: Iterable[tuple[Nest, Schedule]], library: Library, threads: int
) -> Iterator[Tuned]:
    """Try other schedules for each kernel; the library remembers one that is faster."""
    for nest, schedule in kernels:
        bench = _Bench(nest, library, threads)
        chosen = schedule
        for trial in alternatives(nest, schedule, library.machine, CANDIDATES):
            if bool(trial.chunk) == (nest.scratch is not None):  # it has the memory for sweeps
                chosen = bench.faster(chosen, trial)
        for trial in variants(nest, chosen):
            chosen = bench.faster(chosen, trial)
        gain = bench.gain(schedule, chosen) if chosen is not schedule else 1.0
        if gain > ENOUGH:  # it was no luck
            library.remember(nest, chosen)
        yield Tuned(nest, gain if gain > ENOUGH else 1.0)


class _Bench:
    """Runs a kernel on memory of its own."""

    def __init__(self, nest: Nest, library: Library, threads: int) -> None:
        self._nest, self._library, self._threads = nest, library, threads
        self._memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
        for array in self._memory:
            array.fill(1 if array.dtype.kind == "f" else 0)  # indices must be valid
        words = [*map(address_of, self._memory), *nest.numbers]
        self._words = np.array(words, np.int64)

    def faster(self, chosen: Schedule, trial: Schedule) -> Schedule:
        """The trial, if it is clearly faster, else the one chosen before."""
        return trial if self.gain(chosen, trial) > ENOUGH else chosen

    def gain(self, one: Schedule, other: Schedule) -> float:
        """How many times faster the other is.

        They take turns and each pair is compared by itself, since machines change their pace.
        """
        first, second = self._table(one), self._table(other)
        self._once(first), self._once(second)  # into the caches
        return statistics.median(self._once(first) / self._once(second) for _ in range(RUNS))

    def _table(self, schedule: Schedule) -> Words:
        (address,) = self._library.code([(self._nest, schedule)])
        return np.array([[address, address_of(self._words), tasks(schedule), 0]], np.int64)

    def _once(self, table: Words) -> float:
        start = time.perf_counter()
        shared_team().run(table, 1, self._threads)
        return time.perf_counter() - start
