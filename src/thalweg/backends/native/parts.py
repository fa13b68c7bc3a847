"""Kernels as machine code, and the parts of a program that they make for given extents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

from thalweg.backends.native.llvm.jit import Address
from thalweg.base.dims import Sizes
from thalweg.base.record import Record
from thalweg.kernels.cost import Cost, cost_of
from thalweg.kernels.kernel import Kernel, Kernels, TiledKernels, kernels_of
from thalweg.kernels.memory import NOTHING, Arena, plan_memory
from thalweg.kernels.nests.nest import Nest, all_axes, resized
from thalweg.kernels.schedules.model import Model
from thalweg.kernels.schedules.schedule import AbstractSchedule, Schedule, tasks

CLAIMS, K_BLOCKED_CLAIMS = 16, 2  # of each thread, at most


class Code(Record, eq=False):
    """A kernel as machine code: it serves all extents that the plan holds for.

    Attributes:
        nest: the kernel.
        schedule: how it runs.
        cycles_a_point: see the function of this name.
        address: of the code, which it keeps in memory.
    """

    nest: Nest
    schedule: Schedule
    cycles_a_point: float
    address: Address

    def cycles(self, sizes: Sizes) -> float:
        """About what one thread would take."""
        return self.cycles_a_point * math.prod(map(sizes, _extents(self.nest)))


def cycles_a_point(nest: Nest, schedule: Schedule) -> float:
    """As the model says for the plan's own extents; for others it is about the same."""
    return Model(nest).cycles(schedule) / max(math.prod(map(int, _extents(nest))), 1)


def cycles_of(kernels: Sequence[Kernel]) -> tuple[float, ...]:
    """The same of many kernels, of which those that are alike have one schedule."""
    found: dict[int, float] = {}
    for nest, schedule in kernels:
        if id(schedule) not in found:
            found[id(schedule)] = cycles_a_point(nest, schedule)
    return tuple([found[id(schedule)] for _, schedule in kernels])


def _extents(nest: Nest) -> list[int]:
    return [axis.extent for axis in all_axes(nest)]


class Step(Record, eq=False):
    """A kernel in a program.

    Attributes:
        code: of the kernel.
        sizes: the program's extents.
        tasks: how many parts threads can share.
        cycles: about what one thread takes.
    """

    code: Code
    sizes: Sizes
    tasks: int
    cycles: float

    @staticmethod
    def of(code: Code, sizes: Sizes) -> Step:
        """The step that runs a kernel's code."""
        return Step(code, sizes, tasks(code.schedule, sizes), code.cycles(sizes))

    @cached_property
    def nest(self) -> Nest:
        """The kernel, for the program's extents."""
        return resized(self.code.nest, self.sizes)

    @cached_property
    def schedule(self) -> Schedule:
        """How that one runs."""
        return AbstractSchedule.of(self.code.schedule, self.code.nest).on(self.nest)

    @property
    def cost(self) -> Cost:
        """What that one costs; nothing if it is hardly ever needed."""
        return Cost(0, 0) if self.nest.when else cost_of(self.nest)

    @property
    def words(self) -> int:
        """How many words its arguments take."""
        return len(self.code.nest.slots) + len(self.code.nest.numbers)


class Part(Record):
    """What threads share among them: the tasks of a kernel, or the parts of a tiling.

    Attributes:
        steps: its kernels.
        before: of a tiling, those of them that run once for each part.
        extent: of a tiling, for how many slices the others run.
        parts: in how many parts these are cut; 0 if it is none.
        private: what each thread has memory of its own for.
    """

    steps: tuple[Step, ...]
    before: tuple[Step, ...] = ()
    extent: int = 1
    parts: int = 0
    private: Arena = NOTHING

    @property
    def tasks(self) -> int:
        """How many of them threads can share."""
        return self.parts or self.steps[0].tasks

    @cached_property
    def cycles(self) -> float:
        """About what one thread would take, with what is hardly ever needed only if that is all."""
        usual = [step for step in self.steps if not step.code.nest.when] or self.steps
        return sum(step.cycles * self.times(step) for step in usual)

    @property
    def is_rare(self) -> bool:
        """Whether there is hardly ever anything to do."""
        return all(step.code.nest.when for step in self.steps)

    @property
    def claims(self) -> int:
        """In how many claims a thread takes its share; few where each goes over the operands."""
        blocked = any(step.code.schedule.k_block for step in self.steps)
        return K_BLOCKED_CLAIMS if blocked else CLAIMS

    def times(self, step: Step) -> int:
        """How often one of the kernels runs."""
        return self.parts if step in self.before else self.extent

    def is_serial(self, small_work: float) -> bool:
        """Whether one thread runs it: it has fewer cycles than that, or cannot be shared."""
        return self.cycles < small_work or self.tasks < 2


def parts_for(
    kernels: Kernels, codes: Sequence[Code], sizes: Sizes
) -> tuple[tuple[Part, ...], ...]:
    """The parts of a program for some extents: those of each part of the plan.

    Args:
        kernels: of the plan.
        codes: one for each kernel, in order.
        sizes: the extents.
    """
    left = iter(codes)
    return tuple(tuple(_parts(part, left, sizes)) for part in kernels.parts)


def _parts(part: Kernel | TiledKernels, codes: Iterator[Code], sizes: Sizes) -> list[Part]:
    """A kernel, or those of a tiling; for one slice each by itself, its tasks to be shared."""
    steps = tuple(Step.of(next(codes), sizes) for _ in kernels_of(part))
    if not isinstance(part, TiledKernels):
        return [Part(steps)]
    extent, before = sizes(part.extent), steps[: len(part.before)]
    private = plan_memory(part.private, lambda value: value.bytes_at(sizes))
    if extent <= 1 and not part.parts:
        return [Part((step,), private=private) for step in steps[: len(steps) * extent]]
    return [Part(steps, before, extent, part.parts or extent, private)]
