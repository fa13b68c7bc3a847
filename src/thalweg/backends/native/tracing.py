"""Traced programs: the rows of a program, with kernels in them that time its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.driver.layouts import (
    CLAIMS_BIT,
    CONTROL,
    EVENT_WORDS,
    SERIAL,
    LogLayout,
)
from thalweg.backends.native.driver.timing import Timing, load_timing
from thalweg.backends.native.parts import Part
from thalweg.backends.native.shared import shared_jit
from thalweg.backends.native.slices import MOST_FUEL, Slices
from thalweg.backends.native.summary import KernelSummary
from thalweg.backends.native.table import Row, make_program
from thalweg.backends.native.team import ProgramTable, shared_team
from thalweg.backends.state import address_of
from thalweg.backends.trace import RunTrace, Unit
from thalweg.base.record import Record

Array = np.ndarray[Any, Any]
Room = Callable[[ProgramTable], int]

LEAST_ROOM = 1 << 14  # events for which each log has room at least
LOG_WORDS = LogLayout.BYTES // 8


class Clock:
    """Turns ticks of the processor into seconds of `time.perf_counter`."""

    def __init__(self, ticks: Callable[[], int]) -> None:
        self._ticks = ticks
        self._begin = self._now()

    def seconds(self, ticks: Array) -> Array:
        """When ticks were, by the pace since the clock was made."""
        (first, start), (last, end) = self._begin, self._now()
        made: Array = start + (ticks - first) * ((end - start) / (last - first))
        return made

    def _now(self) -> tuple[int, float]:
        """The ticks and the time at one moment: of some tries the one that took the least."""
        tries = []
        for _ in range(5):
            before = time.perf_counter()
            ticks = self._ticks()
            after = time.perf_counter()
            tries.append((after - before, ticks, (before + after) / 2))
        _, ticks, seconds = min(tries)
        return ticks, seconds


class Measured(Record):
    """A kernel that is timed.

    Attributes:
        summary: what it costs to run it once.
        pieces: how many calls, or tasks, run it once.
        is_member: whether calls count, since it is run in a chain.
    """

    summary: KernelSummary
    pieces: int
    is_member: bool

    @property
    def ops(self) -> tuple[str, ...]:
        """The operations that it computes; none if the compiler has added it."""
        named = zip(self.summary.ops, self.summary.types, strict=True)
        return tuple(name for name, kind in named if kind)


class Tracer:
    """A program once more, traced.

    Args:
        rows: of the program.
        parts: that its rows run, in order.
        summaries: of their kernels, each for running its part once.
        threads: how many it may use.
        most: how often it may jump back at a time, if there is a limit.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        parts: Sequence[Part],
        summaries: Sequence[KernelSummary],
        threads: int,
        most: Room | None = None,
    ) -> None:
        self._most = most
        events = sum(_most_events(part, row, threads) for part, row in _kernels(rows, parts))
        self._once = max(events, 1)
        room = max(2 * self._once, LEAST_ROOM)
        self._events = [memory.zeros((room, EVENT_WORDS), np.int64) for _ in range(threads)]
        self._logs = memory.zeros((threads, LOG_WORDS), np.int64)
        self._logs[:, LogLayout.ROOM // 8] = room
        self._logs[:, LogLayout.EVENTS // 8] = [address_of(events) for events in self._events]
        self._measured = list(_measured(parts, summaries))
        self._blocks: list[Array] = []
        self._program = make_program(list(self._timed(rows, parts)), ())
        self._slices = Slices(shared_team(), threads, self._room)
        self._trace = RunTrace()
        self._units: list[Unit] = []

    def run(self, threads: int, trace: RunTrace) -> float:
        """Run the program to its end, and note in the trace what ran when.

        Returns:
            how many seconds it took, without what the tracing of loops takes in between.
        """
        with trace.excluding():
            self._trace = trace
            self._units = [Unit(one.ops, _label(one.summary)) for one in self._measured]
            self._logs[:, LogLayout.COUNT // 8] = 0
        start = time.perf_counter() - trace.excluded
        self._slices.run_program(self._program, threads)
        seconds = time.perf_counter() - trace.excluded - start
        with trace.excluding():
            self._drain()
            trace.units += [unit for unit in self._units if unit.calls]
            self._trace = RunTrace()
        return seconds

    def _timed(self, rows: Sequence[Row], parts: Sequence[Part]) -> Iterator[Row]:
        """The rows, of which those with a kernel run one that times it."""
        code, logs, unit = _timing(), address_of(self._logs), 0
        left = iter(parts)
        for kernel, args, tasks, flags in rows:
            if flags & CONTROL:
                yield kernel, args, tasks, flags
                continue
            part = next(left)
            block = memory.array([kernel, args, logs, unit], np.int64)
            self._blocks.append(block)
            yield code.chain if part.parts else code.kernel, address_of(block), tasks, flags
            unit += len(part.steps)

    def _room(self, program: ProgramTable) -> int:
        """How often the program may jump back until the logs are full."""
        with self._trace.excluding():
            self._drain()
        most = MOST_FUEL if self._most is None else self._most(program)
        return min(most, max(len(self._events[0]) // self._once - 1, 1))

    def _drain(self) -> None:
        """Empty the logs into the trace."""
        counts = self._logs[:, LogLayout.COUNT // 8]
        kept = [events[:count] for events, count in zip(self._events, counts, strict=True)]
        numbers, *ticks, tasks = np.concatenate(kept).T
        threads = np.repeat(np.arange(len(kept)), [len(events) for events in kept])
        start, stop = _clock().seconds(np.stack(ticks))  # at one pace
        self._trace.note(self._units, numbers, threads, start, stop)
        self._count(numbers, tasks)
        counts[:] = 0

    def _count(self, numbers: Array, tasks: Array) -> None:
        """Add what kernels cost for as often as they ran."""
        calls = np.bincount(numbers, minlength=len(self._units)).tolist()
        done = np.bincount(numbers, tasks, len(self._units)).tolist()
        for unit, one, called, ran in zip(self._units, self._measured, calls, done, strict=True):
            times = (called if one.is_member else ran) / one.pieces
            unit.flops += one.summary.flops * times
            unit.bytes += one.summary.bytes * times


def _kernels(rows: Sequence[Row], parts: Sequence[Part]) -> Iterator[tuple[Part, Row]]:
    """The parts, each with its row."""
    running = [row for row in rows if not row[3] & CONTROL]
    return zip(parts, running, strict=True)


def _most_events(part: Part, row: Row, threads: int) -> int:
    """The most events that one run of a row can leave in a log."""
    if part.parts:
        return sum(part.times(step) for step in part.steps)
    _, _, tasks, flags = row
    if flags & SERIAL or threads == 1:
        return 1
    # A thread claims a quarter of what is left of a share, but a share's claims at least.
    return min(tasks, threads * 3 * max(flags >> CLAIMS_BIT, 1))


def _measured(parts: Sequence[Part], summaries: Sequence[KernelSummary]) -> Iterator[Measured]:
    steps = [(part, step) for part in parts for step in part.steps]
    for (part, step), summary in zip(steps, summaries, strict=True):
        is_member = bool(part.parts)
        yield Measured(summary, max(part.times(step) if is_member else part.tasks, 1), is_member)


def _label(kernel: KernelSummary) -> str:
    """The loops of a kernel."""
    return " ".join(f"{name}<{extent}" for name, extent in kernel.loops) or "once"


@cache
def _timing() -> Timing:
    return load_timing(shared_jit())


@cache
def _clock() -> Clock:
    return Clock(_timing().ticks)
