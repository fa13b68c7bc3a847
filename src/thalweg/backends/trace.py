"""What a traced run leaves: what ran when, on which thread, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np

from thalweg.base.record import Record, field
from thalweg.passes.costs import OpCost

Array = np.ndarray[Any, Any]

MOST_SPANS = 200_000  # that are kept one by one; what comes later is only added up


class Unit(Record, frozen=False, eq=False):
    """What is timed as a whole: a kernel, or an operation. Times are in seconds.

    Attributes:
        ops: names of the operations that it computes; none if it only prepares for the next unit
            that has some, by packing what that reads, say.
        label: what it is, for people.
        flops: floating-point operations of a run, as the kernel does them.
        bytes: that it reads and writes in a run, each element counted once.
        seconds: that it took of the run. Where several threads were at work, or several units were
            run by turns, each moment is shared out evenly among the threads that were busy then.
        busy: the same in thread-seconds.
        calls: how many spans there were.
        first: when the first one began.
        thread: that began it.
    """

    ops: tuple[str, ...]
    label: str = ""
    flops: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0
    busy: float = 0.0
    calls: int = 0
    first: float = float("inf")
    thread: int = 0


# Units, and for each call the number of its unit, its thread, when it began and ended.
_Calls: TypeAlias = tuple[Sequence[Unit], Array, Array, Array, Array]


class Span(Record):
    """One call: by `time.perf_counter`, when it began and ended."""

    unit: Unit
    thread: int
    start: float
    stop: float


class RunTrace(Record, frozen=False, eq=False):
    """What ran in a run.

    Attributes:
        units: in the order in which they were first noted.
        start: when the run began, by `time.perf_counter`.
        stop: when it ended.
        excluded: seconds in between that tracing itself took.
        threads: the most that were at work in a part of it.
        epoch: what to add for the time since 1970.
        costs: of the operations that ran, each by itself, by name.
    """

    units: list[Unit] = field(default_factory=list)
    start: float = 0.0
    stop: float = 0.0
    excluded: float = 0.0
    threads: int = 1
    epoch: float = field(default_factory=lambda: time.time() - time.perf_counter())
    costs: dict[str, OpCost] = field(default_factory=dict)
    _kept: list[_Calls] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """That the run took."""
        return self.stop - self.start - self.excluded

    def spans(self) -> Iterator[Span]:
        """The calls, at most `MOST_SPANS` of them."""
        for units, *columns in self._kept:
            for number, *rest in zip(*[column.tolist() for column in columns], strict=True):
                yield Span(units[number], *rest)

    def parts(self) -> Iterator[tuple[Unit, dict[str, float]]]:
        """The units, each with the share of its time that belongs to each of its operations.

        It goes by the floating-point operations that each would take by itself; where there are
        none, by the bytes that each would move; and evenly where that is not known either. What an
        operation takes that several units compute is first divided among these, by what they do.
        """
        ops: tuple[str, ...] = ()
        owned: list[tuple[Unit, tuple[str, ...]]] = []
        for unit in reversed(self.units):
            ops = unit.ops or ops
            owned.append((unit, ops))
        owned.reverse()
        flops = _amounts([(u.flops, ops) for u, ops in owned], self.costs, attrgetter("flops"))
        moved = _amounts([(u.bytes, ops) for u, ops in owned], self.costs, attrgetter("bytes"))
        for (unit, ops), *amounts in zip(owned, flops, moved, strict=True):
            yield unit, _parts(ops, *amounts)

    @contextmanager
    def excluding(self) -> Iterator[None]:
        """Leave what is done in the block out of the run's time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.excluded += time.perf_counter() - start

    @contextmanager
    def timing(self, unit: Unit) -> Iterator[None]:
        """Note that a unit runs in the block, on the thread that called."""
        start = time.perf_counter()
        excluded = self.excluded
        yield
        seconds = time.perf_counter() - start - (self.excluded - excluded)
        self.units.append(unit)
        unit.seconds, unit.busy, unit.calls, unit.first = seconds, seconds, 1, start
        zero, began = np.zeros(1, np.int64), np.array([start])
        self._keep([unit], zero, zero, began, began + seconds)

    def note(
        self, units: Sequence[Unit], numbers: Array, threads: Array, start: Array, stop: Array
    ) -> None:
        """Note calls that overlap with no others than among themselves.

        Args:
            units: that may have run.
            numbers: for each call, that of its unit.
            threads: for each call, its thread.
            start: when each began.
            stop: when each ended.
        """
        if not len(numbers):
            return
        count = len(units)
        shares = np.bincount(numbers, shared_out(start, stop), count)
        busy = np.bincount(numbers, stop - start, count)
        calls = np.bincount(numbers, minlength=count)
        order = np.argsort(start, kind="stable")
        found, places = np.unique(numbers[order], return_index=True)
        first = dict(zip(found.tolist(), order[places].tolist(), strict=True))
        for number, place in first.items():
            unit = units[number]
            unit.seconds += float(shares[number])
            unit.busy += float(busy[number])
            unit.calls += int(calls[number])
            if start[place] < unit.first:
                unit.first, unit.thread = float(start[place]), int(threads[place])
        self.threads = max(self.threads, int(threads.max()) + 1)
        self._keep(units, numbers, threads, start, stop)

    def _keep(
        self, units: Sequence[Unit], numbers: Array, threads: Array, start: Array, stop: Array
    ) -> None:
        """Keep calls one by one, as long as there is room."""
        room = MOST_SPANS - sum(len(kept) for _, kept, *_ in self._kept)
        if room > 0:
            self._kept.append((units, numbers[:room], threads[:room], start[:room], stop[:room]))


def _amounts(
    units: Sequence[tuple[float, Sequence[str]]],
    costs: Mapping[str, OpCost],
    of: Callable[[OpCost], int],
) -> Iterator[dict[str, float]]:
    """How much of what each operation takes is done in each unit.

    Args:
        units: how much each does, and the operations that it computes.
        costs: what the operations take by themselves.
        of: which part of that.
    """
    around = dict[str, float]()
    for done, ops in units:
        for name in ops:
            around[name] = around.get(name, 0.0) + done
    for done, ops in units:
        known = [name for name in ops if name in costs]
        yield {n: of(costs[n]) * done / around[n] if around[n] else 0.0 for n in known}


def _parts(ops: Sequence[str], *amounts: Mapping[str, float]) -> dict[str, float]:
    """Shares by the first amounts that are not all nothing, or else even ones."""
    for by_name in amounts:
        if total := sum(by_name.values()):
            return {name: amount / total for name, amount in by_name.items()}
    names = list(amounts[0]) or ops
    return dict.fromkeys(names, 1 / len(names)) if names else {}


def shared_out(start: Array, stop: Array) -> Array:
    """For each span its share of the time, of which each moment is shared evenly by all in it.

    Args:
        start: when each began.
        stop: when each ended, not before it began.
    """
    times = np.concatenate([start, stop])
    order = np.argsort(times, kind="stable")
    steps = np.where(order < len(start), 1, -1)
    active = np.cumsum(steps)[:-1]
    pace = np.divide(1.0, active, out=np.zeros(len(active)), where=active > 0)
    clock = np.empty(len(times))
    clock[order] = np.concatenate([[0.0], np.cumsum(np.diff(times[order]) * pace)])
    shares: Array = clock[len(start) :] - clock[: len(start)]
    return shares
