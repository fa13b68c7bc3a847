"""Measure how a kernel runs fastest, where the model may be wrong, and remember it.

Only schedules that give the same bits are tried, so that tuning changes how fast a program is and
nothing else. A kernel is tried alone, on memory of its own, on as many threads as the program has.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Address
from thalweg.backends.native.team import Words, shared_team
from thalweg.backends.state import address_of
from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.choose import alternatives, variants
from thalweg.kernels.schedules.schedule import Schedule, tasks

CANDIDATES = 12  # tiles to try
FORGOTTEN = 8 << 20  # bytes after whose use what was used before is in no second-level cache
MOST_COPIES = 64
RUNS = 9  # of a candidate and of the best one so far, in turn
PROOF = 41  # runs that the winner must be faster in again, and in three quarters of them at all
MIN_GAIN = 1.05  # times faster that a candidate must be


class Tuned(Record):
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
            if bool(trial.k_block) == bool(nest.scratch):  # it has the memory for K blocks
                chosen = bench.faster(chosen, trial)
        for trial in variants(nest, chosen):
            chosen = bench.faster(chosen, trial)
        gain = bench.confirmed(schedule, chosen) if chosen is not schedule else 1.0
        if gain > 1.0:
            library.remember(nest, chosen)
        yield Tuned(nest, gain)


class _Bench:
    """Runs a kernel on memory of its own.

    Each run takes other memory than the one before. In a program too, most of what a kernel reads
    has not been in the second-level cache since the last step.
    """

    def __init__(self, nest: Nest, library: Library, threads: int) -> None:
        self._nest, self._library, self._threads = nest, library, threads
        copies = min(FORGOTTEN // max(sum(value.bytes for value in nest.slots), 1) + 1, MOST_COPIES)
        self._memory = [_memory_of(nest) for _ in range(copies)]
        words = [[*map(address_of, arrays), *nest.numbers] for arrays in self._memory]
        self._code: list[Address] = []  # of what has been tried
        self._words = itertools.cycle([np.array(own, np.int64) for own in words])

    def faster(self, chosen: Schedule, trial: Schedule) -> Schedule:
        """The trial, if it is clearly faster, else the one chosen before."""
        return trial if statistics.median(self._gains(chosen, trial, RUNS)) > MIN_GAIN else chosen

    def confirmed(self, before: Schedule, after: Schedule) -> float:
        """How many times faster the schedule is that has won, or 1 if it was luck."""
        gains = self._gains(before, after, PROOF)
        typical, low = statistics.median(gains), statistics.quantiles(gains)[0]
        return typical if typical > MIN_GAIN and low > 1.0 else 1.0

    def _gains(self, one: Schedule, other: Schedule, runs: int) -> list[float]:
        """How many times faster the other is, in each of several runs.

        They take turns and each pair is compared by itself, since machines change their pace.
        """
        first, second = self._table(one), self._table(other)
        self._once(first), self._once(second)  # into the caches
        return [self._once(first) / self._once(second) for _ in range(runs)]

    def _table(self, schedule: Schedule) -> Words:
        (address,) = self._library.code([(self._nest, schedule)])
        self._code.append(address)
        return np.array([[address, 0, tasks(schedule), 0]], np.int64)

    def _once(self, table: Words) -> float:
        table[0, 1] = address_of(next(self._words))
        start = time.perf_counter()
        shared_team().run(table, 1, self._threads)
        return time.perf_counter() - start


def _memory_of(nest: Nest) -> list[np.ndarray[Any, Any]]:
    """Arrays for all slots of a kernel."""
    arrays = [memory.aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
    for array in arrays:
        array.fill(1 if array.dtype.kind == "f" else 0)  # indices must be valid
    return arrays
