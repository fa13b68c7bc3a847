"""Long sums of a tile: when a block begins, and where the blocks' sums are kept.

The blocks are those of `kernels.nests.blocks`.

    for block in range(0, extent, length):    total += sum; sum = 0
        for k in range(block, block + length):    sum += ...
    result = total + sum

The totals are kept in memory, on the stack or between K blocks in the nest's scratch, so that the
loop inside has the registers for itself. A sum whose length only the run knows has totals only if
they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from thalweg.backends.native.llvm.builder import Builder
from thalweg.backends.native.llvm.reductions import Accumulator
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.formula import Axis
from thalweg.kernels.nests.blocks import Level


class KBlock(Record):
    """A pass over all tasks with one block of a reduction.

    Attributes:
        start: of the block.
        stop: of the block.
        is_first: no sums have been kept yet.
        is_last: the sums are complete afterwards.
    """

    start: SsaValue
    stop: SsaValue
    is_first: SsaValue
    is_last: SsaValue


class LongSums:
    """The blocks of the sums that share a tile's loops.

    Args:
        builder: writes the code.
        levels: of the blocks, smaller ones first.
        sums: all that is added up in these loops.
        outermost: the axis of the first loop.
        only: a context for code that runs under a condition.
        k_block: the present one, if the first axis is taken in K blocks.
    """

    def __init__(
        self,
        builder: Builder,
        levels: Sequence[Level],
        sums: Sequence[Accumulator],
        outermost: Axis | None,
        only: Callable[[SsaValue | None], AbstractContextManager[None]],
        k_block: KBlock | None,
    ) -> None:
        self._b, self._only, self._k_block = builder, only, k_block
        self._outermost = outermost
        self._sums = [total for total in sums if total.totals]
        self._levels = levels if self._sums else ()

    def length(self, axis: Axis) -> int:
        """The smallest block along an axis, or 0 if there are none."""
        return next((level.length for level in self._levels if level.axis is axis), 0)

    def begin(self, number: Callable[[int], SsaValue]) -> None:
        """Set the totals to 0 if there will be any."""
        for n, level in enumerate(self._levels):
            first = (
                self._k_block.is_first if self._k_block is not None else self._used(level, number)
            )
            with self._only(first):
                for total in self._sums:
                    total.clear(n)

    def flush(self, axis: Axis, start: SsaValue) -> None:
        """What must be done where a block of the smallest size begins: a larger one may, too."""
        for n, level in enumerate(self._levels):
            if level.axis is axis:
                with self._only(self._begins(level, start)):
                    for total in self._sums:
                        total.flush(n)
                if n == 0 and self._k_block is None:  # known to be 0 now, whether flushed or not
                    for total in self._sums:
                        total.restart()

    def finish(self, number: Callable[[int], SsaValue]) -> None:
        """Add the totals to what the last blocks have come to."""
        for n, level in enumerate(self._levels):
            last = self._k_block.is_last if self._k_block is not None else self._used(level, number)
            with self._only(last):
                for total in self._sums:
                    total.collect(n)

    def _used(self, level: Level, number: Callable[[int], SsaValue]) -> SsaValue | None:
        """Whether there is more than one block, if only the run can tell."""
        if level.axis is not self._outermost or not isinstance(level.axis.extent, Dim):
            return None
        return number(level.axis.extent) > level.length

    def _begins(self, level: Level, start: SsaValue) -> SsaValue | None:
        """Whether a block of the level begins there, with another one before it."""
        conditions: list[SsaValue] = []
        if level.axis is self._outermost:
            conditions.append(start > 0)
            if self._k_block is not None:  # or it has begun in the K block before
                conditions.append(start >= self._k_block.start)
        if level.length > self.length(level.axis):
            conditions.append(start.urem(level.length).equals(0))
        every = conditions[0] if conditions else None
        for condition in conditions[1:]:
            every = condition if every is None else every & condition
        return every
