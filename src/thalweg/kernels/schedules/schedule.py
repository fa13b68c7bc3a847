"""How a nest runs: the vectorised axis, register tiles, loop order, and parallel tasks."""

from __future__ import annotations

from collections.abc import Callable

from thalweg.base.record import Record, field
from thalweg.formula import Axis
from thalweg.kernels.nests.nest import Nest, all_axes


class Machine(Record):
    """What the schedule needs to know of the processor.

    Attributes:
        vector_bits: width of a vector register.
        registers: how many there are.
    """

    vector_bits: int = 512
    registers: int = 32


class Schedule(Record):
    """How a nest runs.

    Attributes:
        order: the output axes, outermost loop first.
        vector: the axis whose consecutive values fill a vector's lanes; an output axis or a
            reduced one; None for scalar code.
        lanes: how many lanes.
        tile: how many values of an axis are computed together; for the vector axis a multiple of
            `lanes`.
        parallel: how many of the outermost loops are split into tasks.
        unroll: how many values of the innermost reduced axis are unrolled.
        k_block: how many values of the first reduced axis are summed in one pass over all tasks; 0
            for all of them. Between passes the sums are kept in memory, so that each finds its part
            of the operands in the cache.
        staged: slots of operands of a contraction that depend, beside the reduced axes, on the
            vector axis alone. The part that belongs to a tile of the vector axis, which is the
            outermost loop then, is copied row by row to one place, and read from there by all tiles
            of the other axes.
    """

    order: tuple[Axis, ...]
    vector: Axis | None = None
    lanes: int = 1
    tile: dict[Axis, int] = field(default_factory=dict)
    parallel: int = 0
    unroll: int = 1
    k_block: int = 0
    staged: tuple[int, ...] = ()

    def tile_of(self, axis: Axis) -> int:
        return self.tile.get(axis, 1)


def plain(nest: Nest) -> Schedule:
    """The simplest schedule: one value after the other, by one thread."""
    whole = {axis: int(axis.extent) for axis in nest.unrolled}
    own = tuple(axis for axis in nest.axes if axis not in nest.sequential)
    return Schedule((*own, *nest.sequential), tile=whole)


class AbstractSchedule(Record):
    """A schedule with axes by number: it serves every nest of one structure.

    Such nests differ only in extents that vary from run to run. They share a schedule and hence
    their code, so that a new batch size compiles nothing.
    """

    order: tuple[int, ...]
    vector: int | None
    lanes: int
    tile: tuple[tuple[int, int], ...]
    parallel: int
    unroll: int
    k_block: int
    staged: tuple[int, ...]

    @staticmethod
    def of(schedule: Schedule, nest: Nest) -> AbstractSchedule:
        """The schedule, which is for this nest, without its axes."""
        s, number = schedule, {axis: n for n, axis in enumerate(all_axes(nest))}
        return AbstractSchedule(
            tuple(number[a] for a in s.order),
            None if s.vector is None else number[s.vector],
            s.lanes,
            tuple((number[a], size) for a, size in s.tile.items()),
            s.parallel,
            s.unroll,
            s.k_block,
            s.staged,
        )

    def fits(self, nest: Nest) -> bool:
        """Whether it is a schedule for the nest, and so for every nest of its structure."""
        axes = range(len(all_axes(nest)))
        return (
            sorted(self.order) == list(axes[: len(nest.axes)])
            and (self.vector is None or self.vector in axes)
            and all(axis in axes and size >= 1 for axis, size in self.tile)
            and min(self.lanes, self.unroll) >= 1
            and 0 <= self.parallel <= len(self.order)
            and self.k_block >= 0
            and set(self.staged) <= set(range(len(nest.slots)))
        )

    def on(self, nest: Nest) -> Schedule:
        """The schedule for a nest of the structure."""
        axes = all_axes(nest)
        return Schedule(
            tuple(axes[n] for n in self.order),
            None if self.vector is None else axes[self.vector],
            self.lanes,
            {axes[n]: size for n, size in self.tile},
            self.parallel,
            self.unroll,
            self.k_block,
            self.staged,
        )


def tasks(schedule: Schedule, size: Callable[[int], int] = int) -> int:
    """How many parts of the nest threads can share.

    Args:
        schedule: of the nest.
        size: what its varying extents are; what they are now unless given.
    """
    count = 1
    for axis in schedule.order[: schedule.parallel]:
        count *= -(-size(axis.extent) // schedule.tile_of(axis))
    return count
