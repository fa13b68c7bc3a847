"""The native backend: plans to kernels, kernels to machine code, machine code to programs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.driver.driver import begin_driver
from thalweg.backends.native.driver.layouts import CLAIMS_BIT, SERIAL, VERDICT
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Address
from thalweg.backends.native.parts import Code, Part, cycles_of, parts_for
from thalweg.backends.native.plans import Planned, Plans
from thalweg.backends.native.shared import shared_cache, shared_jit
from thalweg.backends.native.summary import KernelSummary, summarise
from thalweg.backends.native.table import Move, Row, make_program
from thalweg.backends.native.team import Program as Table
from thalweg.backends.native.team import chain_kernel, shared_team
from thalweg.backends.native.trial import LoopTrial, Trial
from thalweg.backends.protocol import BackendSettings, Feed, Program, Rows
from thalweg.backends.reference.backend import ReferenceProgram
from thalweg.backends.state import VariableStore, address_of
from thalweg.base.dims import Sizes
from thalweg.base.dtypes import DType
from thalweg.base.errors import OpError
from thalweg.base.fallback import first_working
from thalweg.base.record import Record, field, replace
from thalweg.base.shapes import known
from thalweg.kernels import values
from thalweg.kernels.kernel import Kernel, Kernels
from thalweg.kernels.memory import plan_memory
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.values import Value
from thalweg.passes.plan import Interface, Plan

Array = np.ndarray[Any, Any]

# Cycles of shareable work under which a program stays on the calling thread while the others may be
# asleep: waking them takes 25 us, half of what so many cycles take on one.
SMALL_PROGRAM = 150_000
TINY_PROGRAM = 40_000  # the same while they are awake
AWAKE_SECONDS = 150e-6  # for which they surely are, after a run
WORTH_TUNING = 100_000  # cycles from which on a kernel's schedule is worth measuring
SMALL_WORK = 30_000  # cycles under which waking other threads costs more than it gains
SMALL_WORK_IN_LOOP = 10_000  # the same where they are awake, and meeting them takes 0.2 us
# Cycles from which on threads claim a kernel's tasks bit by bit: 25 us on two threads.
LARGE_WORK = 150_000
ROW_NUMBER_BYTES = 8


@cache
def shared_library() -> Library:
    """Its schedules and code, by the structure of kernels."""
    return Library(shared_jit(), shared_cache())


class ArenaMemory(Record, frozen=False):
    """Memory for temporaries, shared by the programs of a workspace, which run one at a time."""

    memory: Array | None = None
    size: int = 0
    address: int = 0

    def reserve(self, size: int) -> int:
        """The address of at least `size` bytes."""
        if self.size < size:
            self.memory = None  # give the old one back before asking for more
            self.memory = memory.aligned_empty((size,), np.dtype(np.uint8))
            self.size, self.address = size, address_of(self.memory)
        return self.address


class NativeBackend:
    """Compiles plans to native code for this machine."""

    def __init__(self, settings: BackendSettings) -> None:
        self._threads, self._use_winograd = settings.threads, settings.use_winograd
        self._library = shared_library()
        self._plans = Plans(self._library, shared_cache())
        self._arenas = {0: ArenaMemory()}
        begin_driver(shared_jit())

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: VariableStore,
        picked: Mapping[int, DType],
        signature: str | None = None,
    ) -> Program:
        from thalweg.kernels import pipeline  # only when something is planned

        library = self._library
        choose, begin = library.schedule, library.begin

        def fast() -> Program:
            made = pipeline.make_kernels(
                plan, library.machine, choose, picked, begin, self._use_winograd
            )
            return self._compiled(plan, seen, state, made, signature)

        def plain() -> Program:
            made = pipeline.make_plain_kernels(plan, picked)
            return self._compiled(plan, seen, state, made, None)

        # Kernels that failed the first time run by a plain schedule the second time.
        return first_working(
            "to compile a graph", fast, fast, plain, lambda: ReferenceProgram(plan, state)
        )

    def _compiled(
        self,
        plan: Plan,
        seen: Interface,
        state: VariableStore,
        kernels: Kernels,
        signature: str | None,
    ) -> NativeProgram:
        """The program of a plan's kernels; when they have code, planning has come to its end."""
        with plan.trace.paused():
            addresses = self._library.code(kernels.nests)
            cycles = cycles_of(kernels.nests)
        sizes = plan.trace.close()
        planned = Planned(kernels, cycles, plan.trace, seen)
        if signature is not None:
            self._plans.put(self._signed(signature), planned)
        return self._program(planned, sizes, state, addresses)

    def recall(
        self, signature: str, numbers: Sequence[int], state: VariableStore
    ) -> tuple[NativeProgram, Interface] | None:
        found = self._plans.get(self._signed(signature), numbers)
        if found is None:
            return None
        planned, sizes = found
        addresses = self._library.code(planned.kernels.nests)
        return self._program(planned, sizes, state, addresses), planned.interface

    def _signed(self, signature: str) -> str:
        """What a plan is kept under: another one is made without Winograd's algorithm."""
        return signature if self._use_winograd else f"{signature} without Winograd's algorithm"

    def _program(
        self, planned: Planned, sizes: Sizes, state: VariableStore, addresses: Sequence[Address]
    ) -> NativeProgram:
        made = zip(planned.kernels.nests, planned.cycles, addresses, strict=True)
        codes = [Code(*kernel, cycles, address) for kernel, cycles, address in made]
        compiled = Compiled(planned, codes, state, self._arenas, self._arenas[0], self._threads)
        return NativeProgram(compiled, sizes)


class Compiled(Record, eq=False):
    """What programs of one plan share, whatever their extents.

    Attributes:
        planned: what they compute.
        codes: one for each kernel.
        state: the variables.
        arenas: memory for temporaries, by the numbers of workspaces.
        arena: that of these programs.
        threads: how many threads they may use.
        constants: copies that are aligned.
    """

    planned: Planned
    codes: Sequence[Code]
    state: VariableStore
    arenas: dict[int, ArenaMemory]
    arena: ArenaMemory
    threads: int
    constants: dict[values.ConstantMemory, Array] = field(default_factory=dict)

    def constant(self, storage: values.ConstantMemory, sizes: Sizes) -> Array:
        """Aligned memory with the contents of a constant."""
        if storage.planned is not None:
            return _aligned(sizes.array(storage.planned))
        if storage not in self.constants:
            self.constants[storage] = _aligned(storage.array)
        return self.constants[storage]


def _aligned(array: Array) -> Array:
    made = memory.aligned_empty(array.shape, array.dtype)
    np.copyto(made, array)
    return made


class NativeProgram:
    """Kernels in order with their arguments laid out in memory; a run only fills in addresses.

    Args:
        compiled: the kernels' code.
        sizes: the extents that it runs for.
    """

    def __init__(self, compiled: Compiled, sizes: Sizes) -> None:
        self._compiled, self._sizes = compiled, sizes
        kernels, threads = compiled.planned.kernels, compiled.threads
        interface = compiled.planned.interface
        parts = self._parts = parts_for(kernels, compiled.codes, sizes)
        self.steps = tuple(step for part in parts for step in part.steps)
        own = max((part.private.size for part in parts), default=0)
        self._memory = plan_memory(kernels.temporaries, lambda value: value.bytes_at(sizes))
        self.arena_bytes = self._memory.size + own * threads
        self._counter = memory.zeros(1, np.int64)
        self._fetches = [(sizes.shape(shape), dtype.numpy) for shape, dtype in interface.fetches]
        self._fed: list[list[int]] = [[] for _ in range(interface.feeds)]
        self._ordered: list[int] = []
        self._fetched: list[list[int]] = [[] for _ in interface.fetches]
        self._temporaries: list[tuple[int, int]] = []
        self._kept: list[Array] = []
        self._checked = kernels.checked
        self._verdicts = memory.zeros((len(kernels.checked), 2), np.int64)
        self._bound_arena = -1
        shared = _shareable(parts, SMALL_WORK)
        self._threads = threads if shared >= TINY_PROGRAM else 1
        self._sleepy = shared < SMALL_PROGRAM  # not worth waking anybody
        self._trial = Trial(self._threads)
        self._loop_trial = LoopTrial(threads if _shareable(parts, SMALL_WORK_IN_LOOP) else 1)
        self._ended = 0.0
        self._words = self._lay_out()
        places = enumerate((*self._fed, *self._fetched))
        self._places = [(number, place) for number, own in places for place in own]
        self._cells = self._words.data
        self._run_number = self._counter.data
        self._first_run = 0
        self._program = make_program(self._rows(SMALL_WORK), ())
        self._loop: Table | None = None
        self._team = shared_team()

    def at(self, extents: Sequence[int]) -> NativeProgram | None:
        sizes = self._compiled.planned.trace.replay(extents)
        return None if sizes is None else NativeProgram(self._compiled, sizes)

    def apart(self, workspace: int | None) -> NativeProgram:
        arenas = self._compiled.arenas
        arena = ArenaMemory() if workspace is None else arenas.setdefault(workspace, ArenaMemory())
        return NativeProgram(replace(self._compiled, arena=arena), self._sizes)

    def _lay_out(self) -> Array:
        """The arguments of all kernels, one after the other."""
        self._starts: list[int] = []
        words: list[int] = []
        for private, step in [(p.private.offsets, step) for p in self._parts for step in p.steps]:
            self._starts.append(len(words))
            for value in step.code.nest.slots:
                if value in private:
                    self._temporaries.append((len(words), self._memory.size + private[value]))
                    words.append(0)
                else:
                    words.append(self._address(value, len(words)))
            words.extend(map(self._sizes, step.code.nest.numbers))
        return memory.array(words or [0], np.int64)

    def _address(self, value: Value, place: int) -> int:
        """The address of a value, or 0 with a note of what to put there later."""
        match value.storage:
            case values.SliceMemory() | values.PartMemory() | values.Temporary():
                whole, first = _place_in(value, self._sizes)
                if isinstance(whole.storage, values.Temporary):
                    self._temporaries.append((place, self._memory.offsets[whole] + first))
                else:
                    return self._address(whole, place)
            case values.FeedMemory(number):
                self._fed[number].append(place)
            case values.FetchMemory(number):
                self._fetched[number].append(place)
            case values.RowNumbers():
                self._ordered.append(place)
            case values.VariableMemory(name):
                store = self._compiled.state
                return self._kept_at(store.allocate(name, known(value.shape), value.dtype.numpy))
            case values.ConstantMemory():
                return self._kept_at(self._compiled.constant(value.storage, self._sizes))
            case values.Counter():
                return int(self._counter.ctypes.data)
            case values.Verdict(number, word):
                return int(self._verdicts.ctypes.data) + 8 * (2 * number + word)
        return 0

    def _kept_at(self, array: Array) -> int:
        """The address of an array that lives as long as the program."""
        self._kept.append(array)
        return address_of(array)

    def _rows(self, small_work: float) -> list[Row]:
        """What the driver runs; parts with less work than that are for one thread."""
        base = int(self._words.ctypes.data)
        rows: list[Row] = []
        starts = iter(self._starts)
        for part in self._parts:
            claims = part.claims if part.cycles >= LARGE_WORK else 1
            flags = SERIAL if part.is_serial(small_work) else claims << CLAIMS_BIT
            places = [base + 8 * next(starts) for _ in part.steps]
            if part.parts:
                rows.append((chain_kernel(), self._chain(part, places), part.tasks, flags))
            else:
                rows.append((part.steps[0].code.address, places[0], part.tasks, flags))
            decided = [n for step in part.steps for n in _decided(step.code.nest)]
            rows += [(0, int(self._verdicts.ctypes.data) + 16 * n, 0, VERDICT) for n in decided]
        return rows

    def _chain(self, part: Part, places: Sequence[int]) -> int:
        """The address of a chain's arguments; those of its kernels lie at the places."""
        most = max(step.words for step in part.steps)
        words = [len(part.steps), most, part.extent, part.tasks]
        for step, place in zip(part.steps, places, strict=True):
            steps = memory.zeros((step.words, 3), np.int64)  # by slice, by part, by thread
            for n, value in enumerate(step.code.nest.slots):
                if value in part.private.offsets:
                    steps[n, 2] = part.private.size
                elif isinstance(value.storage, values.SliceMemory):
                    steps[n, int(value.storage.by_part)] = value.bytes_at(self._sizes)
            once = int(step in part.before)
            words += [step.code.address, step.tasks, place, step.words, self._kept_at(steps), once]
        return self._kept_at(memory.array(words, np.int64))

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
        made = [memory.empty(shape, dtype) for shape, dtype in self._fetches]
        self._bind([*feeds, *made], run_counter)
        if self._threads == 1:
            self._execute(self._program, 1)
        else:
            self._execute_timed()
        return made

    def _execute_timed(self) -> None:
        """Run on as many threads as are fastest at present."""
        start = time.perf_counter()
        apart = self._sleepy and start - self._ended > AWAKE_SECONDS
        self._execute(self._program, 1 if apart else self._trial.choose())
        self._ended = time.perf_counter()
        if not apart:
            self._trial.took(self._ended - start)

    def tune(self) -> dict[str, float]:
        from thalweg.backends.native.tuning import tune

        shared: dict[str, Kernel] = {}
        chained: dict[str, Kernel] = {}  # a chain's kernels run on one thread each
        for part in self._parts:
            for step in part.steps:
                if step.cycles >= WORTH_TUNING and not step.code.nest.when:
                    kernels = chained if part.parts else shared
                    kernels[step.nest.structure] = step.nest, step.schedule
        found = [
            *tune(shared.values(), shared_library(), self._threads),
            *tune(chained.values(), shared_library(), 1),
        ]
        return {", ".join(one.nest.ops): one.gain for one in found}

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        self._first_run = self._run_number[0] = run_counter  # none is finished yet
        made = [memory.empty((steps, *shape), dtype) for shape, dtype in self._fetches]
        orders = [feed.order for feed in feeds if isinstance(feed, Rows)]
        fed = [feed.source if isinstance(feed, Rows) else feed for feed in feeds]
        self._bind([*fed, *made], run_counter)
        for place in self._ordered:  # they are the same for all feeds
            self._cells[place] = address_of(orders[0])
        if not steps:
            return made
        if self._loop is None:
            batch = orders[0].shape[1] if orders else 0
            rows, moves = self._rows(SMALL_WORK_IN_LOOP), self._moves(batch)
            self._loop = make_program(rows, moves)
        self._loop_trial.run(steps, self._repeat)
        return made

    def _repeat(self, steps: int, threads: int) -> float:
        """Make steps of the loop; how many seconds they took."""
        assert self._loop is not None
        self._loop.repeat(steps)
        start = time.perf_counter()
        self._execute(self._loop, threads)
        return time.perf_counter() - start

    @property
    def finished(self) -> int:
        return int(self._counter[0]) - self._first_run

    def _execute(self, program: Table, threads: int) -> None:
        self._team.run_program(program, threads)
        if self._checked and self._verdicts.any():
            raise self._failure()

    def _failure(self) -> OpError:
        """The error for the check that ended the run; the next run starts with a clean sheet."""
        number = int(self._verdicts[:, 0].nonzero()[0][0])
        words = self._verdicts[number].tolist()
        self._verdicts[:] = 0
        return self._checked[number].error(words, self._sizes)

    def _bind(self, arrays: Sequence[Array], run_counter: int) -> None:
        """Write the addresses of feeds and results to their places, and the run's number."""
        cells = self._cells
        for number, place in self._places:
            cells[place] = address_of(arrays[number])
        self._first_run = self._run_number[0] = run_counter
        if self._temporaries:
            self._bind_arena()

    def _bind_arena(self) -> None:
        base = self._compiled.arena.reserve(self.arena_bytes)
        if base != self._bound_arena:
            for place, offset in self._temporaries:
                self._words[place] = base + offset
            self._bound_arena = base

    def summary(self) -> tuple[KernelSummary, ...]:
        """What every kernel computes and costs, in the order in which they run."""
        types = self._compiled.planned.interface.types
        return tuple(
            summarise(step, part, types, part.is_serial(SMALL_WORK))
            for part in self._parts
            for step in part.steps
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


def _place_in(value: Value, sizes: Sizes) -> tuple[Value, int]:
    """The value in whose memory one lies, and at which byte."""
    first = 0
    while isinstance(value.storage, values.SliceMemory | values.PartMemory):
        storage, value = value.storage, value.storage.whole
        if isinstance(storage, values.PartMemory):
            row = math.prod(sizes.shape(value.shape[1:])) * value.dtype.size
            first += sizes(storage.first) * row
    return value, first


def _decided(nest: Nest) -> list[int]:
    """The checks whose second and last word the nest writes."""
    written = [nest.slots[store.slot].storage for store in nest.stores]
    return [s.number for s in written if isinstance(s, values.Verdict) and s.word == 1]


def _shareable(parts: Sequence[Part], small_work: float) -> float:
    """Cycles of the parts that threads share, as a rule."""
    shared = (part for part in parts if not part.is_serial(small_work) and not part.is_rare)
    return sum(part.cycles for part in shared)
