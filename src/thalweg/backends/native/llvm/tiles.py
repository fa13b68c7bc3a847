"""One tile: its sums, and what is stored at each of its points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from thalweg.backends.native.llvm.addresses import Guards, Point
from thalweg.backends.native.llvm.epilogue import ByRow, Spill, by_row
from thalweg.backends.native.llvm.functions import (
    emit_function,
    from_memory,
    memory_type,
    to_memory,
    unify,
)
from thalweg.backends.native.llvm.long_sums import LongSums
from thalweg.backends.native.llvm.prefetch import Prefetcher
from thalweg.backends.native.llvm.reduction_loops import ReductionLoops
from thalweg.backends.native.llvm.reductions import Accumulator, MemoryCell, results
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.backends.native.llvm.stages import Stage
from thalweg.backends.native.llvm.target import Target
from thalweg.backends.native.llvm.transpose import Place, load_columns, store_columns
from thalweg.base.dtypes import DType
from thalweg.formula import Affine, Axis, Expr, Read, Reduce
from thalweg.kernels.nests.blocks import levels
from thalweg.kernels.nests.nest import Nest, Store
from thalweg.kernels.schedules.schedule import Schedule


class Tiles(ReductionLoops):
    """Writes a tile where its loops are open.

    Attributes:
        k_block_depth: the depth of the scope of a K block.
    """

    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        super().__init__(nest, schedule, target)
        self._staged = {id(stage.read): stage for stage in self._make_stages()}
        self._by_row = by_row(nest, schedule, self.deps)
        self._spilled: dict[int, Spill] = {}
        self._prefetcher = Prefetcher(self)
        self.k_block_depth = 0

    def points(self) -> list[Point]:
        points: list[dict[Axis, int]] = [{}]
        for axis in self.nest.axes:
            points = [{**p, axis: o} for p in points for o in self.offsets.get(axis, [0])]
        return list(points)

    def tile(self) -> None:
        points = self.points()
        self._prefetcher.fetch_operands(points)
        self._prefetcher.fetch_rows()
        self._prefetcher.fetch_lookups(points)
        for reductions in self._sharing_loops():
            self._reduce(reductions, points)
        if self.k_block is None:
            self._epilogue(points)
        else:
            with self.opened():
                self.b.either(
                    self.k_block.is_last,
                    lambda: self._at_last(lambda: self._epilogue(points)),
                    lambda: self._in_scope(lambda: self._keep_sums(points)),
                )

    def _in_scope(self, write: Callable[[], None]) -> None:
        with self.scope():
            write()

    def _at_last(self, write: Callable[[], None]) -> None:
        """Write what only the last K block runs."""
        with self.scope():
            self.seldom = len(self.scopes) - 1, self.k_block_depth
            write()
            self.seldom = None

    # -- sums

    def _sharing_loops(self) -> list[list[Reduce]]:
        """The reductions, those over the same axes together; they do not need one another."""
        groups: dict[tuple[Axis, ...], list[Reduce]] = {}
        for reduce in self.nest.reductions:
            groups.setdefault(reduce.axes, []).append(reduce)
        return list(groups.values())

    def _reduce(self, reductions: Sequence[Reduce], points: Sequence[Point]) -> None:
        """Run reductions for the whole tile; the results go where `value` looks for them."""
        sums: dict[tuple[object, ...], Accumulator] = {}
        order = [a for a in reductions[0].axes if a is not self.s.vector]
        order += [a for a in reductions[0].axes if a is self.s.vector]
        blocks = levels(order, self.s.vector, self.s.lanes)
        is_first = self.k_block.is_first if self.k_block is not None else None
        # A row's element meets all its vectors before the next one needs a register.
        rows_first = sorted(points, key=self._row_of)
        for reduce in reductions:
            deps = self.deps(reduce)
            distinct = {self.key_of(reduce, deps, p, ()): p for p in rows_first}
            sums |= {
                key: Accumulator(self, reduce, p, len(blocks), self._kept(p), is_first)
                for key, p in distinct.items()
            }
        ahead = list(self._prefetcher.following(reductions, points))

        def add(offsets: Point) -> None:
            for total in sums.values():
                total.add(offsets)
            for read, point in ahead:
                at = {**point, **offsets}
                self.b.prefetch(self.pointer(read.source, read.index[0], read.dtype, at))

        outermost = order[0] if order else None
        long = LongSums(self.b, blocks, list(sums.values()), outermost, self.only, self.k_block)
        long.begin(self.number)
        self.reduction_loops(order, {}, add, long)
        long.finish(self.number)
        self.scopes[-1].memo.update(zip(sums, results(list(sums.values())), strict=True))

    def _row_of(self, point: Point) -> list[int]:
        """Where a point is along the tile's axes but the vectors' own."""
        return [offset for axis, offset in point.items() if axis is not self.s.vector]

    def _keep_sums(self, points: Sequence[Point]) -> None:
        self._write(self.nest.scratch[:1], points)

    def _kept(self, point: Point) -> list[MemoryCell]:
        """Where the sum at a point is kept between K blocks, and the totals of its blocks."""

        def place(store: Store) -> MemoryCell:
            read = Read(store.slot, (store.offset,), store.dtype)
            return MemoryCell(
                lambda: self.load(read, point, ()), lambda value: self.store(store, value, point)
            )

        return list(map(place, self.nest.scratch))

    # -- results

    def _epilogue(self, points: Sequence[Point]) -> None:
        if self._by_row is not None and len(self.offsets.get(self._by_row.axis, ())) > 1:
            self._write_by_row(self._by_row, points)
        else:
            self._write(self.nest.stores, points)

    def _write_by_row(self, epilogue: ByRow, points: Sequence[Point]) -> None:
        """Spill the results of all rows, and go on with them in a loop."""
        axis, row = epilogue.axis, epilogue.row
        rows = self.offsets[axis]
        of_row = [point for point in points if point[axis] == rows[0]]
        for read, result in epilogue.results:
            self._spilled[id(read)] = Spill(self, epilogue, read, result, of_row, rows)
        with self.opened(), self.b.loop(self.b.index(0), self.b.index(len(rows))) as loop:
            self.index[row] = loop.index
            with self.scope(row):
                self._write(epilogue.stores, of_row)

    def _write(self, stores: Sequence[Store], points: Sequence[Point]) -> None:
        """Store everything; blocks that lie across the vectors as soon as they are complete."""
        blocks: dict[object, list[SsaValue]] = {}
        for point in points:
            values = [self.value(store.body, point) for store in stores]
            for store, value in zip(stores, values, strict=True):
                along = None if store.scatters else self._transposed_axis(store.offset, point)
                if along is None:
                    self.store(store, value, point)
                    continue
                key = (id(store), *(n for axis, n in point.items() if axis is not along))
                block = blocks.setdefault(key, [])
                block.append(self.b.splat(to_memory(value, store.dtype), self.s.lanes))
                if len(block) == len(self.offsets[along]):
                    place = self._transposed_place(
                        store.slot, store.offset, store.dtype, along, point
                    )
                    store_columns(block, place, self.used_lanes(point))

    def store(self, store: Store, value: SsaValue, point: Point) -> None:
        vector = self.s.vector if self.s.vector in self.nest.axes else None
        if store.cleared is not None:
            value = self._added(store, value, point)
        value = to_memory(value, store.dtype)
        if vector is None or not store.offset.coefficient(vector):
            self.b.store(value, self.pointer(store.slot, store.offset, store.dtype, point))
            return
        value = self.b.splat(value, self.s.lanes)
        mask = self.masks.get(point.get(vector, 0))
        if mask is not None and self.used_lanes(point) == 1:
            # LLVM 22 stores a whole lane where a mask of one, known to it, meets a narrowing cast.
            pointer = self.pointer(store.slot, store.offset, store.dtype, point)
            self.b.store(self.b.extract(value, 0), pointer)
        elif store.offset.coefficient(vector) == 1:
            pointer = self.pointer(store.slot, store.offset, store.dtype, point)
            self.b.store(value, pointer, mask)
        else:
            pointers = self.lane_pointers(store.slot, store.offset, store.dtype, point)
            self.b.scatter(value, pointers, mask or self.all_lanes())

    def _added(self, store: Store, value: SsaValue, point: Point) -> SsaValue:
        """What is in memory already plus a value; never remembered, as memory changes."""
        before = self.load(Read(store.slot, (store.offset,), store.dtype), point, ())
        left, right = unify(self.b, [before, value])
        return emit_function(self.b, "add", [left, right], [store.dtype] * 2, store.dtype)

    # -- what is not read from where it lies

    @property
    def stages(self) -> Iterable[Stage]:
        """Of the operands that the schedule wants staged."""
        return self._staged.values()

    def _make_stages(self) -> Iterator[Stage]:
        """A stage for every operand that the schedule wants staged."""
        for reduce in self.nest.reductions if self.s.staged else ():
            for read in reduce.body.reads:
                if read.source in self.s.staged:
                    yield Stage(self, reduce, read)

    def _compute(self, expr: Expr, point: Point, guards: Guards) -> SsaValue:
        held = self._staged.get(id(expr)) or self._spilled.get(id(expr))
        if held is not None:
            return held.load(point)
        if isinstance(expr, Read) and not guards:
            along = self._transposed_axis(expr.index[0], point)
            if along is not None:
                return self._load_transposed(expr, along, point)
        return super()._compute(expr, point, guards)

    def _transposed_axis(self, index: Affine, point: Point) -> Axis | None:
        """The axis of the tile along which memory lies, if the vectors run across it."""
        vector = self.s.vector
        if vector is None or index.coefficient(vector) in (0, 1):
            return None
        if point.get(vector, 0) in self.masks.keys() - self.used.keys():
            return None
        jumps = frozenset[Axis]().union(
            *(self.deps(a) for a, _ in index.terms if isinstance(a, Expr))
        )
        if vector in jumps:
            return None
        along = [axis for axis in self.nest.axes if len(self.offsets.get(axis, ())) > 1]
        own = (a for a in along if a is not vector and index.coefficient(a) == 1 and a not in jumps)
        return next(own, None)

    def _load_transposed(self, read: Read, along: Axis, point: Point) -> SsaValue:
        """A vector of a block, which is loaded with the first of them."""
        memo, deps = self.scopes[-1].memo, self.deps(read)
        key = (
            "transposed",
            id(read),
            *((id(a), n) for a, n in point.items() if a is not along and a in deps),
        )
        if (key, 0) not in memo:
            kind = memory_type(read.dtype, self.s.lanes)
            place = self._transposed_place(read.source, read.index[0], read.dtype, along, point)
            used = self.used_lanes(point)
            vectors = load_columns(self.b, kind, len(self.offsets[along]), place, used)
            for n, vector in enumerate(vectors):
                memo[key, n] = from_memory(vector, read.dtype)
        return memo[key, self.offsets[along].index(point[along])]

    def _transposed_place(
        self, slot: int, index: Affine, dtype: DType, along: Axis, point: Point
    ) -> Place:
        vector = self.s.vector
        assert vector is not None

        def place(row: int, column: int) -> SsaValue:
            at = {**point, vector: point[vector] + row, along: self.offsets[along][column]}
            return self.pointer(slot, index, dtype, at)

        return place
