"""The native backend: plans to kernels, kernels to machine code, machine code to programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends.llvm.driver import BARRIER, SERIAL, VERDICT
from thalweg.backends.llvm.jit import Jit
from thalweg.backends.llvm.target import Target
from thalweg.backends.state import VariableStore, aligned_empty
from thalweg.base import settings
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import known
from thalweg.kernels import values
from thalweg.kernels.cost import Cost, cost_of
from thalweg.kernels.model import Model
from thalweg.kernels.nest import Nest, show
from thalweg.kernels.pipeline import Kernels, make_kernels
from thalweg.kernels.schedule import Schedule, tasks
from thalweg.kernels.values import Value
from thalweg.passes.plan import Plan
from thalweg.runtime.disk_cache import DiskCache
from thalweg.runtime.library import Library
from thalweg.runtime.team import shared_team

Array = np.ndarray[Any, Any]

# Cycles of shareable work under which a whole program stays on the calling thread: the others may
# be asleep by the time it runs, and waking them takes some 40 us.
SMALL_PROGRAM = 300_000
SMALL_WORK = 30_000  # cycles under which waking other threads costs more than it gains


@cache
def shared_jit() -> Jit:
    """One compiler for the process: sessions share the code of equal kernels."""
    return Jit(Target.host(), _shared_cache())


@cache
def shared_library() -> Library:
    """Its schedules and code, by the structure of kernels."""
    return Library(shared_jit(), _shared_cache())


@cache
def _shared_cache() -> DiskCache:
    return DiskCache(settings.cache_dir(), settings.cache_limit_bytes())


@dataclass
class ArenaMemory:
    """Memory for temporaries, shared by the programs of a session, which run one at a time."""

    memory: Array | None = None

    def reserve(self, size: int) -> int:
        """The address of at least `size` bytes."""
        if self.memory is None or self.memory.nbytes < size:
            self.memory = None  # give the old one back before asking for more
            self.memory = aligned_empty((size,), np.dtype(np.uint8))
        return int(self.memory.ctypes.data)


@dataclass(frozen=True)
class Step:
    """A kernel in a program, with what it was made from."""

    nest: Nest
    schedule: Schedule
    address: int
    tasks: int
    cycles: float
    serial: bool

    @property
    def cost(self) -> Cost:
        return cost_of(self.nest)


@dataclass(frozen=True)
class KernelSummary:
    """A kernel in terms for people.

    Attributes:
        ops: names of the graph's operations that it computes; an operation may be in several.
        types: their types; "" for what the compiler has added.
        loops: the loops over its results, with their extents.
        flops: floating-point operations; see `kernels.cost`.
        bytes: of the elements that it reads and writes.
        lanes: of the vectors that it computes with.
        tile: what is computed together in registers: "32o 14i" for 32 values of o times 14 of i.
        tasks: how many parts threads can share; 1 if one thread runs it.
        formulas: its loop nest as lines of text.
    """

    ops: tuple[str, ...]
    types: tuple[str, ...]
    loops: tuple[tuple[str, int], ...]
    flops: int
    bytes: int
    lanes: int
    tile: str
    tasks: int
    formulas: tuple[str, ...]


class LlvmBackend:
    """Compiles plans to native code for this machine.

    Args:
        threads: how many threads a program may use.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._library = shared_library()
        self._arena = ArenaMemory()

    def compile(self, plan: Plan, state: VariableStore) -> NativeProgram:
        library = self._library
        kernels = make_kernels(plan, library.machine, library.schedule)
        code = zip(kernels.nests, library.code(kernels.nests), strict=True)
        steps = [_step(nest, chosen, address) for (nest, chosen), address in code]
        return NativeProgram(plan, kernels, steps, state, self._arena, self._threads)


def _step(nest: Nest, chosen: Schedule, address: int) -> Step:
    cycles, count = Model(nest).cycles(chosen), tasks(chosen)
    return Step(nest, chosen, address, count, cycles, cycles < SMALL_WORK or count < 2)


class NativeProgram:
    """Kernels in order with their arguments laid out in memory; a run only fills in addresses."""

    def __init__(
        self,
        plan: Plan,
        kernels: Kernels,
        steps: Sequence[Step],
        state: VariableStore,
        arena: ArenaMemory,
        threads: int,
    ) -> None:
        self.steps = tuple(steps)
        self._types = {op.name: op.type for op in plan.graph.operations}
        self.arena_bytes = kernels.arena.size
        self._arena = arena
        self._counter = np.zeros(1, np.int64)
        self._fetches = [(known(t.static_shape), t.dtype.numpy) for t in plan.fetches]
        self._fed: list[list[int]] = [[] for _ in plan.feeds]
        self._fetched: list[list[int]] = [[] for _ in plan.fetches]
        self._temporaries: list[tuple[int, int]] = []
        self._kept: list[Array] = []
        self._checked = kernels.checked
        self._verdicts = np.zeros((len(kernels.checked), 2), np.int64)
        self._bound_arena = -1
        shared = sum(step.cycles for step in steps if not step.serial)
        self._threads = threads if shared >= SMALL_PROGRAM else 1
        self._words = self._lay_out(kernels, state)
        self._table = self._make_table()
        self._team = shared_team()

    def _lay_out(self, kernels: Kernels, state: VariableStore) -> Array:
        """The arguments of all kernels, one after the other."""
        self._starts: list[int] = []
        words: list[int] = []
        for step in self.steps:
            self._starts.append(len(words))
            for value in step.nest.slots:
                words.append(self._address(value, len(words), kernels, state))
            words.extend(step.nest.numbers)
        return np.array(words or [0], np.int64)

    def _address(self, value: Value, place: int, kernels: Kernels, state: VariableStore) -> int:
        """The address of a value, or 0 with a note of what to put there later."""
        match value.storage:
            case values.Feed(number):
                self._fed[number].append(place)
            case values.Fetch(number):
                self._fetched[number].append(place)
            case values.Temporary():
                self._temporaries.append((place, kernels.arena.offsets[value]))
            case values.Variable(name):
                buffer = state.allocate(name, known(value.shape), value.dtype.numpy)
                self._kept.append(buffer)
                return int(buffer.ctypes.data)
            case values.Constant(array):
                aligned = aligned_empty(array.shape, array.dtype)
                np.copyto(aligned, array)
                self._kept.append(aligned)
                return int(aligned.ctypes.data)
            case values.Counter():
                return int(self._counter.ctypes.data)
            case values.Verdict(number, word):
                return int(self._verdicts.ctypes.data) + 8 * (2 * number + word)
        return 0

    def _make_table(self) -> Array:
        base = int(self._words.ctypes.data)
        rows: list[tuple[int, int, int, int]] = []
        fresh = serial = True  # whether no thread but the first, or none, has worked since they met
        for step, start in zip(self.steps, self._starts, strict=True):
            barrier = not fresh and not (serial and step.serial)
            serial = step.serial and (serial or barrier)
            fresh = False
            flags = (SERIAL if step.serial else 0) | (BARRIER if barrier else 0)
            rows.append((step.address, base + 8 * start, step.tasks, flags))
            for number in _decided(step.nest):
                word = int(self._verdicts.ctypes.data) + 16 * number
                rows.append((0, word, 0, VERDICT | BARRIER))
                fresh = serial = True
        return np.array(rows, np.int64).reshape(-1, 4)

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        words = self._words
        for array, places in zip(feeds, self._fed, strict=True):
            words[places] = array.ctypes.data
        made = [np.empty(shape, dtype) for shape, dtype in self._fetches]
        for array, places in zip(made, self._fetched, strict=True):
            words[places] = array.ctypes.data
        self._counter[0] = run_counter
        self._bind_arena()
        self._team.run(self._table, len(self._table), self._threads)
        if self._checked and self._verdicts.any():
            raise self._failure()
        return made

    def _failure(self) -> InvalidArgumentError:
        """The error for the check that ended the run; the next run starts with a clean sheet."""
        number = int(self._verdicts[:, 0].nonzero()[0][0])
        words = self._verdicts[number].tolist()
        self._verdicts[:] = 0
        return self._checked[number].error(words)

    def _bind_arena(self) -> None:
        if not self._temporaries:
            return
        base = self._arena.reserve(self.arena_bytes)
        if base != self._bound_arena:
            for place, offset in self._temporaries:
                self._words[place] = base + offset
            self._bound_arena = base

    def summary(self) -> tuple[KernelSummary, ...]:
        """What every kernel computes and costs, in the order in which they run."""
        return tuple(_summary(step, self._types) for step in self.steps)

    def describe(self) -> str:
        """Every kernel with what was fused into it, its tile and its cost."""
        lines = [f"{len(self.steps)} kernels, arena of {self.arena_bytes:,} bytes"]
        for number, kernel in enumerate(self.summary()):
            tasks = "one thread" if kernel.tasks == 1 else f"{kernel.tasks} tasks"
            lines += [
                "",
                f"kernel {number}: {', '.join(kernel.ops)}",
                f"  {kernel.flops:,} FLOP, {kernel.bytes:,} bytes, tile {kernel.tile}, {tasks}",
                *("  " + line for line in kernel.formulas),
            ]
        return "\n".join(lines)


def _decided(nest: Nest) -> list[int]:
    """The checks whose second and last word the nest writes."""
    written = [nest.slots[store.slot].storage for store in nest.stores]
    return [s.number for s in written if isinstance(s, values.Verdict) and s.word == 1]


def _summary(step: Step, types: Mapping[str, str]) -> KernelSummary:
    s = step.schedule
    cost = step.cost
    tile = {axis.name: size for axis, size in s.tile.items()}
    if s.vector is not None and s.vector not in s.tile:
        tile[s.vector.name] = s.lanes
    return KernelSummary(
        ops=step.nest.ops,
        types=tuple(types.get(name, "") for name in step.nest.ops),
        loops=tuple((axis.name, int(axis.extent)) for axis in step.nest.axes),
        flops=cost.flops,
        bytes=cost.bytes,
        lanes=s.lanes,
        tile=" ".join(f"{size}{name}" for name, size in tile.items()) or "1",
        tasks=1 if step.serial else step.tasks,
        formulas=tuple(show(step.nest).splitlines()),
    )
