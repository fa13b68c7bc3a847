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
from thalweg.runtime.team import shared_team

CANDIDATES = 12  # tiles to try
RUNS = 5  # of a candidate, of which the fastest counts
GAIN = 0.97  # a candidate must take at most so much of the best one's time to replace it


@dataclass(frozen=True)
class Tuned:
    """What trying a kernel's schedules has shown.

    Attributes:
        nest: the kernel.
        before: seconds under the schedule that it had.
        after: seconds under the best one.
    """

    nest: Nest
    before: float
    after: float


def tune(kernels: Iterable[tuple[Nest, Schedule]], library: Library) -> Iterator[Tuned]:
    """Try other schedules for each kernel; the library remembers the best."""
    for nest, schedule in kernels:
        bench = _Bench(nest, library)
        before = best = bench.seconds(schedule)
        chosen = schedule
        for trial in alternatives(nest, schedule, library.machine, CANDIDATES):
            chosen, best = bench.better(trial, chosen, best)
        for trial in variants(nest, chosen):
            chosen, best = bench.better(trial, chosen, best)
        library.remember(nest, chosen)
        yield Tuned(nest, before, best)


class _Bench:
    """Runs a kernel on memory of its own."""

    def __init__(self, nest: Nest, library: Library) -> None:
        self._nest, self._library = nest, library
        self._memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
        for array in self._memory:
            array.fill(1 if array.dtype.kind == "f" else 0)  # indices must be valid
        words = [*map(address_of, self._memory), *nest.numbers]
        self._words = np.array(words, np.int64)

    def better(self, trial: Schedule, chosen: Schedule, best: float) -> tuple[Schedule, float]:
        """The trial with its time if it is clearly faster, else what there was."""
        taken = self.seconds(trial)
        return (trial, taken) if taken < GAIN * best else (chosen, best)

    def seconds(self, schedule: Schedule) -> float:
        """The shortest of a few runs."""
        (address,) = self._library.code([(self._nest, schedule)])
        row = [address, address_of(self._words), tasks(schedule), 0]
        table = np.array([row], np.int64)
        return min(self._once(table) for _ in range(RUNS))

    def _once(self, table: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> float:
        start = time.perf_counter()
        shared_team().run(table, 1, 1)
        return time.perf_counter() - start
