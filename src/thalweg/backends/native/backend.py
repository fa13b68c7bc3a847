"""The native backend: plans to kernels, kernels to machine code, machine code to programs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.arguments import Arguments
from thalweg.backends.native.compiled import ArenaMemory, Compiled
from thalweg.backends.native.driver.driver import begin_driver
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Address
from thalweg.backends.native.parts import Code, cycles_of, parts_for
from thalweg.backends.native.plans import Planned, Plans
from thalweg.backends.native.rows import SMALL_WORK, SMALL_WORK_IN_LOOP, USUAL_TIMES, Layout
from thalweg.backends.native.shared import shared_cache, shared_jit
from thalweg.backends.native.slices import Slices
from thalweg.backends.native.summary import KernelSummary, summarise
from thalweg.backends.native.table import Move, make_program
from thalweg.backends.native.tapes import Tapes
from thalweg.backends.native.team import ProgramTable as Table
from thalweg.backends.native.team import shared_team
from thalweg.backends.native.thread_count import LoopTuner, ThreadCountTuner
from thalweg.backends.native.tracing import Room, Tracer
from thalweg.backends.protocol import BackendSettings, Feed, MiniBatches, Program
from thalweg.backends.reference.backend import ReferenceProgram
from thalweg.backends.state import VariableStore, address_of
from thalweg.backends.trace import RunTrace
from thalweg.base.dims import Given, Sizes
from thalweg.base.dtypes import DType
from thalweg.base.errors import OpError
from thalweg.base.fallback import first_working
from thalweg.base.record import replace
from thalweg.graph import in_iteration
from thalweg.kernels.kernel import Kernel, Kernels
from thalweg.kernels.memory import plan_memory
from thalweg.kernels.printer import show_nest, show_schedule
from thalweg.passes.plan import RUN_TIME, Interface, Plan

Array = np.ndarray[Any, Any]

# Cycles of shareable work under which a program stays on the calling thread while the others may be
# asleep: waking them takes 25 us, half of what so many cycles take on one.
SMALL_PROGRAM = 150_000
TINY_PROGRAM = 40_000  # the same while they are awake
AWAKE_SECONDS = 150e-6  # for which they surely are, after a run
WORTH_TUNING = 100_000  # cycles from which on a kernel's schedule is worth measuring
ROW_NUMBER_BYTES = 8


@cache
def shared_library() -> Library:
    """Its schedules and code, by the structure of kernels."""
    return Library(shared_jit(), shared_cache())


class NativeBackend:
    """Compiles plans to native code for this machine."""

    def __init__(self, settings: BackendSettings) -> None:
        self._threads, self._use_winograd = settings.threads, settings.use_winograd
        self._library = shared_library()
        self._plans = Plans(self._library, shared_cache())
        self._arenas = {0: ArenaMemory()}
        begin_driver(shared_jit())

    def new_state(self) -> VariableStore:
        return VariableStore()

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: VariableStore,
        batched_feeds: Mapping[int, DType],
        signature: str | None = None,
    ) -> Program:
        from thalweg.kernels import pipeline  # only when something is planned
        from thalweg.kernels.link import link

        library, winograd = self._library, self._use_winograd
        choose, begin = library.schedule, library.begin

        def scheduled(plan: Plan, batched_feeds: Mapping[int, DType]) -> Kernels:
            return pipeline.make_kernels(
                plan, library.machine, choose, batched_feeds, begin, winograd
            )

        def fast() -> Program:
            made = link(plan, scheduled, batched_feeds)
            return self._compiled(plan, seen, state, made, signature)

        def plain() -> Program:
            made = link(plan, pipeline.make_plain_kernels, batched_feeds)
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
        self, signature: str, given: Sequence[Given], state: VariableStore
    ) -> tuple[NativeProgram, Interface] | None:
        found = self._plans.get(self._signed(signature), given)
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
        taped = [RUN_TIME in shape for shape, _ in planned.interface.fetches]
        return (TapedProgram if any(taped) else NativeProgram)(compiled, sizes)


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
        groups = parts_for(kernels, compiled.codes, sizes)
        parts = self._parts = tuple(part for group in groups for part in group)
        self.steps = tuple(step for part in parts for step in part.steps)
        own = max((part.private.size for part in parts), default=0)
        self._memory = plan_memory(kernels.temporaries, lambda value: value.bytes_at(sizes))
        self.arena_bytes = self._memory.size + own * threads
        self._fetches = [(sizes.shape(shape), dtype.numpy) for shape, dtype in interface.fetches]
        self._arguments = Arguments(compiled, sizes, self._memory)
        self._layout = Layout(kernels.flow, groups, self._arguments, sizes)
        self._checked = kernels.checked
        self._bound_arena = -1
        shared = self._shareable(SMALL_WORK)
        self._threads = threads if shared >= TINY_PROGRAM else 1
        self._sleepy = shared < SMALL_PROGRAM  # not worth waking anybody
        self._tuner = ThreadCountTuner(self._threads)
        self._loop_tuner = LoopTuner(threads if self._shareable(SMALL_WORK_IN_LOOP) else 1)
        self._ended = 0.0
        self._words, self._temporaries = self._arguments.words, self._arguments.temporaries
        places = enumerate((*self._arguments.fed, *self._arguments.fetched))
        self._places = [(number, place) for number, own in places for place in own]
        self._cells = self._words.data
        self._run_number = self._arguments.counter.data
        self._first_run = 0
        self._program = make_program(self._layout.rows(SMALL_WORK), ())
        self._loop: Table | None = None
        self._tracer: Tracer | None = None
        team = shared_team()
        slices = Slices(team, self._threads) if self._layout.has_loops else None
        self._run_program = (slices or team).run_program

    def at(self, given: Sequence[Given]) -> NativeProgram | None:
        sizes = self._compiled.planned.trace.replay(given)
        return None if sizes is None else type(self)(self._compiled, sizes)

    def clone(self, workspace: int | None) -> NativeProgram:
        arenas = self._compiled.arenas
        arena = ArenaMemory() if workspace is None else arenas.setdefault(workspace, ArenaMemory())
        return type(self)(replace(self._compiled, arena=arena), self._sizes)

    def _moves(self, batch: int) -> list[Move]:
        """What changes from step to step: the run's number, where results go, which rows it takes.

        Args:
            batch: how many.
        """
        arguments = self._arguments
        moves = [_step(address_of(arguments.counter), 1)]
        for (shape, dtype), places in zip(self._fetches, arguments.fetched, strict=True):
            size = math.prod(shape) * dtype.itemsize
            moves += [_step(arguments.at(place), size) for place in places]
        size = batch * ROW_NUMBER_BYTES
        return moves + [_step(arguments.at(place), size) for place in arguments.ordered]

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        made = [memory.empty(shape, dtype) for shape, dtype in self._fetches]
        return self._run_with(feeds, made, run_counter)

    def run_into(
        self, feeds: Sequence[Array], run_counter: int, old: Sequence[Array | None]
    ) -> list[Array]:
        made = []
        for (shape, dtype), array in zip(self._fetches, old, strict=True):
            fits = array is not None and array.shape == shape and array.dtype == dtype
            made.append(array if array is not None and fits else memory.empty(shape, dtype))
        return self._run_with(feeds, made, run_counter)

    def _run_with(self, feeds: Sequence[Array], made: list[Array], run_counter: int) -> list[Array]:
        self._bind([*feeds, *made], run_counter)
        if self._threads == 1:
            self._execute(self._program, 1)
        else:
            self._execute_timed()
        return made

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        made = [memory.empty(shape, dtype) for shape, dtype in self._fetches]
        self._bind([*feeds, *made], run_counter)
        self._execute_traced(trace)
        return made

    def _execute_traced(self, trace: RunTrace, most: Room | None = None) -> None:
        """Run with a time for each kernel, on as many threads as a run would take."""
        if self._tracer is None:
            with trace.excluding():
                rows, costs = self._layout.rows(SMALL_WORK), self._summaries(itertools.repeat(1))
                self._tracer = Tracer(rows, self._parts, costs, self._threads, most)
        apart = self._is_apart(time.perf_counter())
        seconds = self._tracer.run(1 if apart else self._tuner.choose(), trace)
        self._ended = time.perf_counter()
        if not apart:
            self._tuner.took(seconds)
        self._raise_failure()

    def _is_apart(self, now: float) -> bool:
        """Whether other threads are not worth waking: they may be asleep, and there is little."""
        return self._sleepy and now - self._ended > AWAKE_SECONDS

    def _execute_timed(self) -> None:
        """Run on as many threads as are fastest at present."""
        start = time.perf_counter()
        apart = self._is_apart(start)
        self._execute(self._program, 1 if apart else self._tuner.choose())
        self._ended = time.perf_counter()
        if not apart:
            self._tuner.took(self._ended - start)

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
        orders = [feed.order for feed in feeds if isinstance(feed, MiniBatches)]
        fed = [feed.source if isinstance(feed, MiniBatches) else feed for feed in feeds]
        self._bind([*fed, *made], run_counter)
        for place in self._arguments.ordered:  # they are the same for all feeds
            self._cells[place] = address_of(orders[0])
        if not steps:
            return made
        if self._loop is None:
            batch = orders[0].shape[1] if orders else 0
            rows, moves = self._layout.rows(SMALL_WORK_IN_LOOP), self._moves(batch)
            self._loop = make_program(rows, moves)
        self._loop_tuner.run(steps, self._repeat)
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
        return int(self._arguments.counter[0]) - self._first_run

    def _execute(self, program: Table, threads: int) -> None:
        self._run_program(program, threads)
        if self._checked:
            self._raise_failure()

    def _raise_failure(self) -> None:
        """Raise the error for a check that has ended the run, if any has."""
        if self._arguments.verdicts.any():
            raise self._failure()

    def _failure(self) -> OpError:
        """The error for the check that ended the run; the next run starts with a clean sheet."""
        verdicts = self._arguments.verdicts
        number = int(verdicts[:, 0].nonzero()[0][0])
        words = verdicts[number].tolist()
        verdicts[:] = 0
        error = self._checked[number].error(words, self._sizes)
        for place in self._layout.counters.get(number, ()):
            error = in_iteration(error, int(self._arguments.words[place]))
        return error

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

    def _shareable(self, small_work: float) -> float:
        """Cycles of the parts that threads share, as a rule."""
        cycles = 0.0
        for part, times in zip(self._parts, self._layout.times(USUAL_TIMES), strict=True):
            if not part.is_serial(small_work) and not part.is_rare:
                cycles += times * part.cycles
        return cycles

    def summary(self) -> tuple[KernelSummary, ...]:
        """What every kernel computes and costs, in the order in which they run."""
        return self._summaries(self._layout.times())

    def _summaries(self, times: Iterable[int]) -> tuple[KernelSummary, ...]:
        """The same, for parts that run so often."""
        types = self._compiled.planned.interface.types
        return tuple(
            summarise(step, part, types, part.is_serial(SMALL_WORK), often)
            for part, often in zip(self._parts, times, strict=False)
            for step in part.steps
        )

    def nest(self, number: int) -> str:
        """The loops of a kernel, by its place in `summary`, and how they run."""
        code = self.steps[number].code
        return f"{show_nest(code.nest)}\n{show_schedule(code.schedule)}"

    def llvm(self, number: int) -> str:
        """The LLVM IR of a kernel, by its place in `summary`."""
        code = self.steps[number].code
        return shared_library().llvm(code.nest, code.schedule)

    def assembly(self, number: int) -> str:
        """The machine code of a kernel, by its place in `summary`."""
        code = self.steps[number].code
        return shared_library().assembly(code.nest, code.schedule)

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


class TapedProgram(NativeProgram):
    """A program of which the run tells how large some results are; see `native.tapes`."""

    def __init__(self, compiled: Compiled, sizes: Sizes) -> None:
        super().__init__(compiled, sizes)
        self._tapes = Tapes(self._layout, self._arguments)
        self._run_program = Slices(shared_team(), self._threads, self._tapes.room).run_program

    def run_into(
        self, feeds: Sequence[Array], run_counter: int, old: Sequence[Array | None]
    ) -> list[Array]:
        return self.run(feeds, run_counter)

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        self._bind([*feeds, *self._tapes.begin(self._fetches)], run_counter)
        self._execute_timed()
        return self._tapes.end()

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        self._bind([*feeds, *self._tapes.begin(self._fetches)], run_counter)
        self._execute_traced(trace, self._tapes.room)
        return self._tapes.end()

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        raise NotImplementedError("only a run tells how large its results are")


def _step(word: int, by: int) -> Move:
    """The move that adds to a word."""
    return word, word, by
