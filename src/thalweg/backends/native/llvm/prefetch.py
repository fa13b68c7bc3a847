"""Writes what the processor is to fetch ahead; `kernels.schedules.prefetch` says what that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thalweg.backends.native.llvm.addresses import Point
from thalweg.backends.native.llvm.reduction_loops import ReductionLoops
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.formula import Axis, Read, Reduce, Rewrite, affine
from thalweg.kernels.schedules.model import LINE
from thalweg.kernels.schedules.prefetch import DISTANCE, LINES, FetchedRow, prefetches


class Prefetcher:
    """Writes the prefetches of tiles.

    Args:
        writer: of the kernel.
    """

    def __init__(self, writer: ReductionLoops) -> None:
        self._w = writer
        self._plan = prefetches(writer.nest, writer.s, writer.deps)

    def fetch_operands(self, points: Sequence[Point]) -> None:
        """Fetch what the epilogue of a tile reads, each line once."""
        w, vector = self._w, self._w.s.vector
        tiled = {vector, *(axis for axis, own in w.offsets.items() if len(own) > 1)}
        written = {store.slot for store in w.nest.stores}
        for read in self._plan.operands:
            if tiled <= w.deps(read):
                for point in self._lines(read, points):
                    pointer = w.pointer(read.source, read.index[0], read.dtype, point)
                    w.b.prefetch(pointer, write=read.source in written)

    def _lines(self, read: Read, points: Sequence[Point]) -> list[Point]:
        """A point for each line of memory that a tile reads, as a rule the first one in it."""
        lines: dict[object, Point] = {}
        for point in points:
            lines.setdefault(self._line(read, point), point)
        return list(lines.values())

    def _line(self, read: Read, point: Point) -> object:
        """What is the same for points of a tile that are in one line of memory, as a rule."""
        vector = self._w.s.vector
        rows = tuple((id(axis), n) for axis, n in point.items() if axis is not vector)
        return rows, (point.get(vector, 0) if vector else 0) * read.dtype.size // LINE

    def fetch_rows(self) -> None:
        """Fetch where the rows begin that the next tile reads, if this one is full."""
        for row in self._plan.rows:
            own = self._w.offsets.get(row.axis, ())
            if len(own) == self._w.s.tile_of(row.axis):
                for n in own:
                    self._fetch_row(row, n + len(own))

    def _fetch_row(self, row: FetchedRow, distance: int) -> None:
        """Fetch the beginning of the row that is so many further, or of the last one."""
        w, axis = self._w, row.axis
        ahead = Axis(axis.extent, "ahead")
        moved = Rewrite(axes={**dict.fromkeys(row.reduced, affine(0)), axis: ahead})(row.read)
        assert isinstance(moved, Read)
        w.index[ahead] = self._bounded(axis, distance)
        with w.scope(ahead):
            for n in range(LINES):
                index = moved.index[0] + n * LINE // moved.dtype.size
                w.b.prefetch(w.pointer(moved.source, index, moved.dtype, {}))

    def fetch_lookups(self, points: Sequence[Point]) -> None:
        """Fetch the part of some later row that lies where this tile reads or stores."""
        w = self._w
        for lookup in self._plan.lookups:
            ahead = Axis(lookup.axis.extent, "ahead")
            moved = Rewrite(axes={lookup.axis: affine(ahead)})(lookup.read)
            assert isinstance(moved, Read)
            w.index[ahead] = self._bounded(lookup.axis, DISTANCE)
            with w.scope(ahead):
                for point in self._lines(lookup.read, points):
                    pointer = w.pointer(moved.source, moved.index[0], moved.dtype, point)
                    w.b.prefetch(pointer, write=lookup.write)

    def _bounded(self, axis: Axis, distance: int) -> SsaValue:
        """The value of an axis that is so much further, or its last one."""
        place, last = self._w.index[axis] + distance, self._w.number(axis.extent) - 1
        return (place < last).select(place, last)

    def following(
        self, reductions: Sequence[Reduce], points: Sequence[Point]
    ) -> Iterator[tuple[Read, Point]]:
        """What is to be fetched with each term of sums: of which read, and at which points."""
        vector = self._w.s.vector
        for ahead in self._plan.batches:
            if vector is not None and any(ahead.reduce is reduce for reduce in reductions):
                places = [{vector: point[vector]} for point in points]
                lines = {self._line(ahead.read, place): place for place in places}
                yield from ((ahead.following, place) for place in lines.values())
