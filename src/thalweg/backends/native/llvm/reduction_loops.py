"""Loops over reduced axes: unrolled, in blocks, in K blocks, and what is left over.

A visit is a piece of code for one point of the reduced axes. How many points an iteration visits,
and which of them are masked off, is decided here; what is done there is the visitor's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from thalweg.backends.native.llvm.addresses import Point
from thalweg.backends.native.llvm.builder import EmittedLoop
from thalweg.backends.native.llvm.expressions import Expressions
from thalweg.backends.native.llvm.long_sums import KBlock, LongSums
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.backends.native.llvm.target import Target
from thalweg.base.dims import Dim
from thalweg.formula import Axis
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule

Body = Callable[[SsaValue | EmittedLoop, Sequence[int]], None]  # of a loop, or at one index


class ReductionLoops(Expressions):
    """Writes the loops of reductions inside of a tile.

    Attributes:
        k_block: the present one, if the first reduced axis is taken in K blocks.
        offsets: of the points of the present tile, along each axis of the nest.
    """

    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        super().__init__(nest, schedule, target)
        self.k_block: KBlock | None = None
        self.offsets: dict[Axis, list[int]] = {}

    def step_of(self, axis: Axis) -> int:
        return self.s.lanes if axis is self.s.vector else 1

    @contextmanager
    def masked(self, rest: int, step: int) -> Iterator[None]:
        """Mask the last vector of a rest of known length."""
        if step > 1 and rest % step:
            last = rest // step * step
            self.masks = {last: self.lane_mask(self.b.index(rest - last))}
            self.used = {last: rest - last}
        yield
        if step > 1:
            self.masks, self.used = {}, {}

    def lane_mask(self, count: SsaValue) -> SsaValue:
        lanes = self.b.lanes("i64", range(self.s.lanes))
        return lanes < self.b.splat(count, self.s.lanes)

    def used_lanes(self, point: Point) -> int:
        """How many lanes of the vector at a point are in use."""
        return self.used.get(point.get(self.s.vector, 0) if self.s.vector else 0, self.s.lanes)

    @contextmanager
    def only(self, condition: SsaValue | None) -> Iterator[None]:
        """Run what is written inside under a condition, if there is one."""
        if condition is None:
            yield
            return
        with self.opened(), self.b.when(condition), self.scope():
            yield

    def reduction_loops(
        self,
        axes: list[Axis],
        offsets: Point,
        visit: Callable[[Point], None],
        long: LongSums | None = None,
    ) -> None:
        """Visit all points of reduced axes; the offsets are those inside unrolled loops."""
        if not axes:
            visit(offsets)
            return
        axis, rest = axes[0], axes[1:]
        step = self.step_of(axis)
        unroll = (self.s.unroll if not rest else 1) * step

        def body(start: SsaValue | EmittedLoop, steps: Sequence[int]) -> None:
            loop = start if isinstance(start, EmittedLoop) else None
            self.index[axis] = start.index if isinstance(start, EmittedLoop) else start
            with self.scope(axis, loop=loop):
                for offset in steps:
                    self.reduction_loops(rest, {**offsets, axis: offset}, visit, long)

        self._cover(axis, unroll, step, body, long)

    def _cover(
        self, axis: Axis, size: int, step: int, body: Body, long: LongSums | None = None
    ) -> None:
        """Run `body` over an axis: blocks of `size`, then what is left."""
        b, extent = self.b, axis.extent
        length = long.length(axis) if long is not None else 0
        if length:
            size = next(n for n in range(size, 0, -step) if length % n == 0)
        if self.is_k_blocked(axis):
            self._cover_chunk(axis, size, body, long)
            return
        if isinstance(extent, Dim):
            with self._block_of(axis, b.index(0), self.number(extent), long) as part:
                self._cover_part(*part, size, step, body)
            return
        whole, rest = extent // size * size, extent % size
        if whole == size:
            body(b.index(0), range(0, size, step))
        elif whole:
            with self._block_of(axis, b.index(0), b.index(whole), long) as part:
                self._cover_whole(*part, size, step, body)
        if rest:
            if long is not None and length and whole % length == 0:
                long.flush(axis, b.index(whole))
            with self.masked(rest, step):
                body(b.index(whole), range(0, rest, step))

    def is_k_blocked(self, axis: Axis) -> bool:
        return self.k_block is not None and axis is self.nest.reductions[0].axes[0]

    def _cover_chunk(self, axis: Axis, size: int, body: Body, long: LongSums | None) -> None:
        """The part of the first reduced axis that belongs to this K block."""
        assert self.k_block is not None
        start, k_block = self.k_block.start, self.s.k_block
        length = long.length(axis) if long is not None else 0
        is_known = not isinstance(axis.extent, Dim) and axis.extent % k_block == 0
        if is_known or length:
            size = next(n for n in range(size, 0, -1) if k_block % n == 0 and length % n == 0)
        if is_known and size == k_block and not length:
            body(start, range(size))
            return
        stop = start + k_block if is_known else self.k_block.stop
        with self._block_of(axis, start, stop, long) as part:
            (self._cover_whole if is_known else self._cover_part)(*part, size, 1, body)

    @contextmanager
    def _block_of(
        self, axis: Axis, start: SsaValue, stop: SsaValue, long: LongSums | None
    ) -> Iterator[tuple[SsaValue, SsaValue]]:
        """Write what is done for each block of a long sum, from where to where it is to go."""
        length = long.length(axis) if long is not None else 0
        if long is None or not length:
            yield start, stop
            return
        blocked = self.is_k_blocked(axis)
        first = start.udiv(length) * length if blocked else start
        with self.opened(), self.b.loop(first, stop, length) as block, self.scope():
            long.flush(axis, block.index)
            after = block.index + length
            begun = (block.index < start).select(start, block.index) if blocked else block.index
            yield begun, (after < stop).select(after, stop)

    def _cover_whole(
        self, start: SsaValue, stop: SsaValue, size: int, step: int, body: Body
    ) -> None:
        """From start to stop, which are so far apart that nothing is left."""
        with self.opened(), self.b.loop(start, stop, size) as loop:
            body(loop, range(0, size, step))

    def _cover_part(
        self, start: SsaValue, stop: SsaValue, size: int, step: int, body: Body
    ) -> None:
        """From start to stop, which are known only at run time; then what is left."""
        if size == 1:
            self._cover_whole(start, stop, size, step, body)
            return
        whole = start + (stop - start).udiv(size) * size
        self._cover_whole(start, whole, size, step, body)
        with self.opened(), self.b.loop(whole, stop, step) as loop:
            if step > 1:
                self.masks = {0: self.lane_mask(stop - loop.index)}
            body(loop, [0])
            if step > 1:
                self.masks = {}
