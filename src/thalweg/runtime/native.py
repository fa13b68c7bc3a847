"""The native backend: plans to kernels, kernels to machine code, machine code to programs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends.llvm.driver import (
    BARRIER,
    COUNTER_BIT,
    GRABS_BIT,
    SERIAL,
    STEALS,
    VERDICT,
)
from thalweg.backends.llvm.jit import Jit
from thalweg.backends.llvm.target import Target
from thalweg.backends.protocol import Feed, Rows
from thalweg.backends.state import VariableStore, address_of, aligned_empty
from thalweg.base import settings
from thalweg.base.dtypes import DType
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import known
from thalweg.kernels import values
from thalweg.kernels.cost import Cost, cost_of
from thalweg.kernels.memory import NOTHING, Arena
from thalweg.kernels.model import Model
from thalweg.kernels.nest import Nest, show, structure
from thalweg.kernels.pipeline import Chain, Kernel, Kernels, kernels_of, make_kernels
from thalweg.kernels.schedule import Schedule, tasks
from thalweg.kernels.values import Value
from thalweg.passes.plan import Plan
from thalweg.runtime.disk_cache import DiskCache
from thalweg.runtime.library import Library
from thalweg.runtime.table import Move, Row, make_program
from thalweg.runtime.team import Program, chain_kernel, shared_team
from thalweg.runtime.trial import BurstTrial, Trial
from thalweg.runtime.tuning import tune

Array = np.ndarray[Any, Any]

# Cycles of shareable work under which a program stays on the calling thread while the others may be
# asleep: waking them takes 25 us, half of what so many cycles take.
SMALL_PROGRAM = 150_000
TINY_PROGRAM = 40_000  # the same while they are awake
AWAKE_SECONDS = 60e-6  # for which they surely are, after a run
WORTH_TUNING = 100_000  # cycles from which on a kernel's schedule is worth measuring
SMALL_WORK = 30_000  # cycles under which waking other threads costs more than it gains
SMALL_WORK_IN_LOOP = 10_000  # the same where they are awake, and meeting them takes 0.2 us
# Cycles from which on threads take a kernel's tasks in grabs: 25 us on two threads.
LARGE_WORK = 150_000
GRABS, SWEEPING_GRABS = 8, 2  # of each thread
# Cycles of shareable work from which on a loop need not find out whether sharing pays.
LARGE_PROGRAM = 3_000_000
TELLING_SECONDS = 1e-3  # a shorter time says more about waking than about the steps
ROW_NUMBER_BYTES = 8


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


@dataclass(frozen=True, eq=False)
class Step:
    """A kernel in a program, with what it was made from."""

    nest: Nest
    schedule: Schedule
    address: int
    tasks: int
    cycles: float

    @property
    def cost(self) -> Cost:
        return cost_of(self.nest)


@dataclass(frozen=True)
class Part:
    """What threads share among them: the tasks of a kernel, or the parts of a chain.

    Attributes:
        steps: its kernels.
        before: of a chain, those of them that run once for each part.
        extent: of a chain, for how many slices the others run.
        parts: in how many parts these are cut; 0 if it is no chain.
        private: what each thread has memory of its own for.
    """

    steps: tuple[Step, ...]
    before: tuple[Step, ...] = ()
    extent: int = 1
    parts: int = 0
    private: Arena = NOTHING

    @property
    def tasks(self) -> int:
        return self.parts or self.steps[0].tasks

    @property
    def cycles(self) -> float:
        return sum(step.cycles * self.times(step) for step in self.steps)

    @property
    def grabs(self) -> int:
        """In how many grabs a thread takes its share; few where each sweeps over the operands."""
        return SWEEPING_GRABS if any(step.schedule.chunk for step in self.steps) else GRABS

    def times(self, step: Step) -> int:
        """How often one of the kernels runs."""
        return self.parts if step in self.before else self.extent

    def is_serial(self, small_work: float) -> bool:
        """Whether one thread runs it: it has fewer cycles than that, or cannot be shared."""
        return self.cycles < small_work or self.tasks < 2


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

    def compile(
        self, plan: Plan, state: VariableStore, picked: Mapping[int, DType]
    ) -> NativeProgram:
        library = self._library
        kernels = make_kernels(plan, library.machine, library.schedule, picked)
        addresses = iter(library.code(kernels.nests))
        parts = [made for part in kernels.parts for made in _parts(part, addresses)]
        return NativeProgram(plan, kernels, parts, state, self._arena, self._threads)


def _parts(part: Kernel | Chain, addresses: Iterator[int]) -> list[Part]:
    """A kernel, or a chain; one of a single slice is its kernels, whose tasks threads can share."""
    steps = tuple(_step(*kernel, next(addresses)) for kernel in kernels_of(part))
    if not isinstance(part, Chain):
        return [Part(steps)]
    extent, before = int(part.extent), steps[: len(part.before)]
    if extent <= 1 and not part.parts:
        return [Part((step,), private=part.private) for step in steps[: len(steps) * extent]]
    return [Part(steps, before, extent, part.parts or extent, part.private)]


def _step(nest: Nest, chosen: Schedule, address: int) -> Step:
    return Step(nest, chosen, address, tasks(chosen), Model(nest).cycles(chosen))


class NativeProgram:
    """Kernels in order with their arguments laid out in memory; a run only fills in addresses."""

    def __init__(
        self,
        plan: Plan,
        kernels: Kernels,
        parts: Sequence[Part],
        state: VariableStore,
        arena: ArenaMemory,
        threads: int,
    ) -> None:
        self._parts = tuple(parts)
        self.steps = tuple(step for part in parts for step in part.steps)
        self._types = {op.name: op.type for op in plan.graph.operations}
        own = max((part.private.size for part in parts), default=0)
        self.arena_bytes = kernels.arena.size + own * threads
        self._arena = arena
        self._counter = np.zeros(1, np.int64)
        self._fetches = [(known(t.static_shape), t.dtype.numpy) for t in plan.fetches]
        self._fed: list[list[int]] = [[] for _ in plan.feeds]
        self._ordered: list[int] = []
        self._fetched: list[list[int]] = [[] for _ in plan.fetches]
        self._temporaries: list[tuple[int, int]] = []
        self._kept: list[Array] = []
        self._checked = kernels.checked
        self._verdicts = np.zeros((len(kernels.checked), 2), np.int64)
        self._bound_arena = -1
        shared = sum(part.cycles for part in parts if not part.is_serial(SMALL_WORK))
        self._threads = threads if shared >= SMALL_PROGRAM else 1
        self._trial = Trial(_loop_threads(parts, threads))
        tries = threads > 1 and TINY_PROGRAM <= shared < SMALL_PROGRAM
        self._run_trial = BurstTrial((threads, 1)) if tries else None
        self._ended = 0.0
        self._words = self._lay_out(kernels, state)
        self._places = (*self._fed, *self._fetched, self._ordered)
        self._cells = self._words.data
        self._run_number = self._counter.data
        self._first_run = 0
        self._most_threads = threads
        self._program = make_program(self._rows(SMALL_WORK), (), threads)
        self._loop: Program | None = None
        self._team = shared_team()

    def _lay_out(self, kernels: Kernels, state: VariableStore) -> Array:
        """The arguments of all kernels, one after the other."""
        self._starts: list[int] = []
        words: list[int] = []
        for private, step in [(p.private.offsets, step) for p in self._parts for step in p.steps]:
            self._starts.append(len(words))
            for value in step.nest.slots:
                if value in private:
                    place = kernels.arena.size + private[value]
                    self._temporaries.append((len(words), place))
                    words.append(0)
                else:
                    words.append(self._address(value, len(words), kernels, state))
            words.extend(step.nest.numbers)
        return np.array(words or [0], np.int64)

    def _address(self, value: Value, place: int, kernels: Kernels, state: VariableStore) -> int:
        """The address of a value, or 0 with a note of what to put there later."""
        match value.storage:
            case values.Slice(whole):
                return self._address(whole, place, kernels, state)
            case values.Feed(number):
                self._fed[number].append(place)
            case values.Fetch(number):
                self._fetched[number].append(place)
            case values.RowNumbers():
                self._ordered.append(place)
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

    def _rows(self, small_work: float) -> list[Row]:
        """What the driver runs; parts with less work than that are for one thread."""
        base = int(self._words.ctypes.data)
        rows: list[Row] = []
        starts = iter(self._starts)
        fresh = serial = True  # whether no thread but the first, or none, has worked since they met
        grabbed = 0  # parts whose tasks are taken in grabs
        for part in self._parts:
            alone = part.is_serial(small_work)
            barrier = not fresh and not (serial and alone)
            serial = alone and (serial or barrier)
            fresh = False
            flags = (SERIAL if alone else 0) | (BARRIER if barrier else 0)
            if not alone and part.cycles >= LARGE_WORK:
                flags |= STEALS | part.grabs << GRABS_BIT | grabbed << COUNTER_BIT
                grabbed += 1
            places = [base + 8 * next(starts) for _ in part.steps]
            if part.parts:
                rows.append((chain_kernel(), self._chain(part, places), part.tasks, flags))
            else:
                rows.append((part.steps[0].address, places[0], part.tasks, flags))
            for number in [n for step in part.steps for n in _decided(step.nest)]:
                word = int(self._verdicts.ctypes.data) + 16 * number
                rows.append((0, word, 0, VERDICT | BARRIER))
                fresh = serial = True
        return rows

    def _chain(self, part: Part, places: Sequence[int]) -> int:
        """The address of a chain's arguments; those of its kernels lie at the places."""
        most = max(_word_count(step) for step in part.steps)
        words = [len(part.steps), most, part.extent, part.tasks]
        for step, place in zip(part.steps, places, strict=True):
            steps = np.zeros((_word_count(step), 3), np.int64)  # by slice, by part, by thread
            for n, value in enumerate(step.nest.slots):
                if value in part.private.offsets:
                    steps[n, 2] = part.private.size
                elif isinstance(value.storage, values.Slice):
                    steps[n, int(value.storage.by_part)] = value.bytes
            self._kept.append(steps)
            count, once = _word_count(step), int(step in part.before)
            words += [step.address, step.tasks, place, count, int(steps.ctypes.data), once]
        arguments = np.array(words, np.int64)
        self._kept.append(arguments)
        return int(arguments.ctypes.data)

    def _moves(self, batch: int) -> list[Move]:
        """What changes from step to step: the run's number, where results go, which rows it takes.

        Args:
            batch: how many.
        """
        base = int(self._words.ctypes.data)
        moves = [(int(self._counter.ctypes.data), 1)]
        for (shape, dtype), places in zip(self._fetches, self._fetched, strict=True):
            size = math.prod(shape) * dtype.itemsize
            moves += [(base + 8 * place, size) for place in places]
        moves += [(base + 8 * place, batch * ROW_NUMBER_BYTES) for place in self._ordered]
        return moves

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        made = [np.empty(shape, dtype) for shape, dtype in self._fetches]
        self._bind([*feeds, *made], run_counter)
        if self._run_trial is None:
            self._execute(self._program, self._threads)
        else:
            self._execute_often(self._run_trial)
        return made

    def _execute_often(self, trial: BurstTrial) -> None:
        """Share a small program if the workers are awake, and if that is found to be faster."""
        start = time.perf_counter()
        awake = start - self._ended < AWAKE_SECONDS
        threads = trial.choose() if awake else 1
        self._execute(self._program, threads)
        self._ended = time.perf_counter()
        if awake:
            trial.took(self._ended - start)

    def tune(self) -> dict[str, float]:
        shared: dict[str, Kernel] = {}
        chained: dict[str, Kernel] = {}  # a chain's kernels run on one thread each
        for part in self._parts:
            for step in part.steps:
                if step.cycles >= WORTH_TUNING:
                    kernels = chained if part.parts else shared
                    kernels[structure(step.nest)] = step.nest, step.schedule
        found = [
            *tune(shared.values(), shared_library(), self._threads),
            *tune(chained.values(), shared_library(), 1),
        ]
        return {", ".join(one.nest.ops): one.gain for one in found}

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        made = [np.empty((steps, *shape), dtype) for shape, dtype in self._fetches]
        orders = [feed.order for feed in feeds if isinstance(feed, Rows)][:1]  # the same for all
        fed = [feed.source if isinstance(feed, Rows) else feed for feed in feeds]
        self._bind([*fed, *made, *orders], run_counter)
        if not steps:
            return made
        if self._loop is None:
            batch = orders[0].shape[1] if orders else 0
            rows, moves = self._rows(SMALL_WORK_IN_LOOP), self._moves(batch)
            self._loop = make_program(rows, moves, self._most_threads)
        self._loop.repeat(steps)
        threads = self._trial.choose()
        start = time.perf_counter()
        self._execute(self._loop, threads)
        seconds = time.perf_counter() - start
        if seconds > TELLING_SECONDS:
            self._trial.took(threads, seconds / steps)
        return made

    @property
    def finished(self) -> int:
        return int(self._counter[0]) - self._first_run

    def _execute(self, program: Program, threads: int) -> None:
        self._team.run_program(program, threads)
        if self._checked and self._verdicts.any():
            raise self._failure()

    def _failure(self) -> InvalidArgumentError:
        """The error for the check that ended the run; the next run starts with a clean sheet."""
        number = int(self._verdicts[:, 0].nonzero()[0][0])
        words = self._verdicts[number].tolist()
        self._verdicts[:] = 0
        return self._checked[number].error(words)

    def _bind(self, arrays: Sequence[Array], run_counter: int) -> None:
        """Write the addresses of feeds and results to their places, and the run's number."""
        cells = self._cells
        for array, places in zip(arrays, self._places, strict=False):  # row numbers only in loops
            address = address_of(array)
            for place in places:
                cells[place] = address
        self._first_run = self._run_number[0] = run_counter
        if self._temporaries:
            self._bind_arena()

    def _bind_arena(self) -> None:
        base = self._arena.reserve(self.arena_bytes)
        if base != self._bound_arena:
            for place, offset in self._temporaries:
                self._words[place] = base + offset
            self._bound_arena = base

    def summary(self) -> tuple[KernelSummary, ...]:
        """What every kernel computes and costs, in the order in which they run."""
        return tuple(
            _summary(step, part, self._types) for part in self._parts for step in part.steps
        )

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


def _word_count(step: Step) -> int:
    """How many words its arguments take."""
    return len(step.nest.slots) + len(step.nest.numbers)


def _loop_threads(parts: Sequence[Part], threads: int) -> tuple[int, ...]:
    """The numbers of threads that a loop may use; it finds out which is faster."""
    shared = sum(part.cycles for part in parts if not part.is_serial(SMALL_WORK_IN_LOOP))
    if threads == 1 or not shared:
        return (1,)
    return (threads, 1) if shared < LARGE_PROGRAM else (threads,)


def _summary(step: Step, part: Part, types: Mapping[str, str]) -> KernelSummary:
    s, slices = step.schedule, [("n", part.times(step))] if part.parts else []
    cost = step.cost.times(part.times(step))
    tile = {axis.name: size for axis, size in s.tile.items()}
    if s.vector is not None and s.vector not in s.tile:
        tile[s.vector.name] = s.lanes
    return KernelSummary(
        ops=step.nest.ops,
        types=tuple(types.get(name, "") for name in step.nest.ops),
        loops=(*slices, *((axis.name, int(axis.extent)) for axis in step.nest.axes)),
        flops=cost.flops,
        bytes=cost.bytes,
        lanes=s.lanes,
        tile=" ".join(f"{size}{name}" for name, size in tile.items()) or "1",
        tasks=1 if part.is_serial(SMALL_WORK) else part.tasks,
        formulas=tuple(show(step.nest).splitlines()),
    )
