"""Staged operands: parts that are copied to one place, and read from there by all tiles.

    before:  for j, i:  y[i, j] += x[i, k] * w[k, j]
    after:   for j:     copy w[:, j];  for i:  y[i, j] += x[i, k] * copy[k]

The copy lies in the order of the sum, row by row.
"""

from __future__ import annotations

import math

from thalweg.backends.native.llvm.addresses import Point
from thalweg.backends.native.llvm.functions import from_memory, memory_type, to_memory
from thalweg.backends.native.llvm.reduction_loops import ReductionLoops
from thalweg.backends.native.llvm.ssa import I64, SsaValue
from thalweg.base.record import replace
from thalweg.formula import Axis, Read, Reduce, Rewrite


class Stage:
    """A place where one operand's part for a tile of the vector axis is copied to.

    It has a row of the tile's width for every point of the reduced axes, in their order.

    Attributes:
        read: what is copied.
        held: a cell with the start of the tile whose part is there; -1 at first.
    """

    def __init__(self, writer: ReductionLoops, reduce: Reduce, read: Read) -> None:
        self.w, self.read = writer, read
        self._axes = reduce.axes
        self._kind = memory_type(read.dtype, writer.s.lanes)
        vector = writer.s.vector
        assert vector is not None
        self._width = writer.s.tile_of(vector)
        rows = [int(axis.extent) for axis in reduce.axes]
        rows[0] = writer.s.k_block or rows[0]
        self._memory = writer.b.array(self._kind.element, self._width * math.prod(rows))
        self.held = writer.b.local(I64)

    def empty(self) -> None:
        """Forget what is there."""
        self.w.b.store(self.w.b.index(-1), self.held)

    def fill(self, vector: Axis) -> None:
        """Copy the part of the present tile."""
        if self.read.index[0].coefficient(vector) == 1:
            self._copy_rows(vector)
        else:
            self._copy_columns(vector)
        self.w.b.store(self.w.index[vector], self.held)

    def _copy_rows(self, vector: Axis) -> None:
        """The operand is contiguous along the vector axis: vector by vector."""

        def copy(offsets: Point) -> None:
            for offset in self.w.offsets[vector]:
                point = {**offsets, vector: offset}
                value = self.w.load(self.read, point, ())
                self.w.b.store(to_memory(value, self.read.dtype), self._place(point, offset))

        self.w.reduction_loops(list(self._axes), {}, copy)

    def _copy_columns(self, vector: Axis) -> None:
        """The operand is contiguous along another axis: element by element, in its own order."""
        w, kept = self.w, self.w.s
        column = Axis(self._width, "column")
        read = Rewrite(axes={vector: vector + column})(self.read)
        assert isinstance(read, Read)
        left = w.number(vector.extent) - w.index[vector]
        count = (left < self._width).select(left, self._width)

        def copy(offsets: Point) -> None:
            value = to_memory(w.load(read, offsets, ()), read.dtype)
            row = self._place(offsets, 0)
            w.b.store(value, w.b.address(row, w.index[column], self._kind.element))

        with w.opened(), w.b.loop(w.b.index(0), count) as loop, w.scope(column):
            w.index[column] = loop.index
            w.s = replace(kept, vector=None, lanes=1)
            w.reduction_loops(list(self._axes), {}, copy)
            w.s = kept

    def load(self, point: Point) -> SsaValue:
        """The operand's vector at a point of the tile; lanes beyond the extent hold anything."""
        vector = self.w.s.vector
        place = self._place(point, point.get(vector, 0) if vector else 0)
        return from_memory(self.w.b.load(self._kind, place), self.read.dtype)

    def _place(self, point: Point, column: int) -> SsaValue:
        """The address of the copy."""
        depth = self.w.depth(frozenset(self._axes))
        scope = self.w.scopes[depth]
        if self not in scope.memo:
            scope.memo[self] = self._row(depth)
        constant = point.get(self._axes[-1], 0) * self._width + column
        return self.w.b.address(scope.memo[self], self.w.b.index(constant), self._kind.element)

    def _row(self, depth: int) -> SsaValue:
        """The address of the row of the present reduced indices."""
        w, last = self.w, self._axes[-1]
        loop = w.reduction_loop(last)
        if loop is None or w.depth(frozenset((last,))) != depth:
            with w.at_depth(depth):
                return self._row_of(w.index[last])
        with w.at_depth(depth - 1):
            first, width = self._row_of(loop.start), w.b.index(self._width)
        return w.b.walk(loop, first, width, self._kind.element)

    def _row_of(self, last: SsaValue) -> SsaValue:
        """The same for a given index of the last of the reduced axes."""
        w = self.w
        number = w.b.index(0)
        for axis in self._axes:
            own = last if axis is self._axes[-1] else w.index[axis]
            if w.k_block is not None and axis is self._axes[0]:
                own = own - w.k_block.start
            number = number * int(axis.extent) + own if axis is not self._axes[0] else own
        return w.b.address(self._memory, number * self._width, self._kind.element)
