"""A scheduled loop nest as LLVM IR.

    void kernel(ptr args, i64 begin, i64 end, i64 thread)      runs the tasks [begin, end)

`args` holds the slots' pointers and then the numbers that may differ from run to run (extents and
strides that come from a `Dim`), so that the same code serves every batch size.

This file writes the loops: tasks, blocks, tiles, reductions, sweeps. What is computed at a point of
a tile is written by `expressions.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from thalweg.backends.native.llvm.across import Place, load_columns, store_columns
from thalweg.backends.native.llvm.builder import I64, Loop, Value
from thalweg.backends.native.llvm.epilogue import Aside, ByRow, by_row
from thalweg.backends.native.llvm.expressions import Expressions, Guards, Point
from thalweg.backends.native.llvm.functions import (
    emit_function,
    from_memory,
    memory_type,
    to_memory,
    unify,
)
from thalweg.backends.native.llvm.long_sums import LongSums, Sweep
from thalweg.backends.native.llvm.reductions import Accumulator, Rest, results
from thalweg.backends.native.llvm.target import Target
from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.base.record import replace
from thalweg.base.shapes import typical_size
from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Expr,
    Read,
    Reduce,
    Rewrite,
    affine,
    expressions,
)
from thalweg.kernels.nests.blocks import levels
from thalweg.kernels.nests.nest import Nest, Store
from thalweg.kernels.schedules.model import LINE
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.values import RowNumbers

LINES = 4  # from where a row begins, until the processor has seen where it goes
FEW = 32  # terms of a sum, in which time memory is not heard from


Body = Callable[[Value | Loop, Sequence[int]], None]  # of a loop, or at one index


def emit(nest: Nest, schedule: Schedule, target: Target) -> str:
    """A module of IR that defines `@kernel` for a nest; its numbers follow the pointers."""
    writer, attributes = _Writer(nest, schedule, target), target.attributes
    body = writer.write()
    declarations = "\n".join(dict.fromkeys(writer.b.declarations.values()))
    apart = [function.text(attributes) for function in writer.b.functions.values()]
    return (
        f"{declarations}\n"
        f"{''.join(apart)}"
        "define void @kernel(ptr noalias %args, i64 %begin, i64 %end, i64 %thread) "
        f"{attributes} {{\n"
        f"{body}\n}}\n"
    )


class _Writer(Expressions):
    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        super().__init__(nest, schedule, target)
        self.sweep: Sweep | None = None
        self._in_sweep = 0  # the depth of its scope
        self._offsets: dict[Axis, list[int]] = {}
        self._stages = {id(stage.read): stage for stage in self._make_stages()}
        self._by_row = by_row(nest, schedule, self.deps)
        self._aside: dict[int, Aside] = {}

    # -- loops

    def write(self) -> str:
        if self.nest.when:
            with self._opened(), self.b.when(self._is_asked()), self._scope():
                self._all_tasks()
        else:
            self._all_tasks()
        self.b.line("ret void")
        return self.b.body_text()

    def _is_asked(self) -> Value:
        """Whether one of the words holds that ask for the kernel."""
        b, kind = self.b, memory_type(dtypes.bool_)
        found = b.local(kind)
        b.store(b.constant(kind, 0), found)
        for slot, count in zip(self.nest.when, self.nest.words, strict=True):
            words = self._slot(slot)
            with b.loop(b.index(0), self.number(count)) as word:
                held = b.load(kind, b.address(words, word.index, kind.element))
                b.store(b.load(kind, found) | held, found)
        return b.load(kind, found).differs(0)

    def _all_tasks(self) -> None:
        if self.s.chunk:
            self._sweeps()
        else:
            self._empty_stages()
            self._task_loop()

    def _task_loop(self) -> None:
        begin, end = Value(self.b, I64, "%begin"), Value(self.b, I64, "%end")
        prefix = self.s.order[: self.s.parallel]
        with self._opened(), self.b.loop(begin, end) as task, self._scope():
            blocks = self._decode(task.index, prefix)
            self._block_loops(list(self.s.order), blocks)

    def _sweeps(self) -> None:
        """All tasks again and again, each time with the next chunk of the first reduced axis."""
        axis, size = self.nest.reductions[0].axes[0], self.s.chunk
        extent = self.number(axis.extent)
        with self._opened(), self.b.loop(self.b.index(0), extent, size) as sweep:
            after = sweep.index + size
            is_last = after >= extent
            stop = is_last.select(extent, after)
            self.sweep = Sweep(sweep.index, stop, sweep.index.equals(0), is_last)
            self._empty_stages()
            with self._scope():
                self._in_sweep = len(self.scopes) - 1
                self._task_loop()

    def _decode(self, task: Value, prefix: Sequence[Axis]) -> dict[Axis, Value]:
        """The block number of every parallel axis, from the number of the task."""
        blocks: dict[Axis, Value] = {}
        rest = task
        for axis in reversed(prefix[1:]):
            count = self._block_count(axis)
            blocks[axis] = rest.urem(count)
            rest = rest.udiv(count)
        if prefix:
            blocks[prefix[0]] = rest
        return blocks

    def _block_count(self, axis: Axis) -> Value:
        size = self.s.tile_of(axis)
        extent = self.number(axis.extent)
        if not isinstance(axis.extent, Dim):
            return self.b.index(-(-int(axis.extent) // size))
        return extent if size == 1 else (extent + (size - 1)).udiv(size)

    def _block_loops(self, axes: list[Axis], blocks: dict[Axis, Value]) -> None:
        if len(axes) == len(self.nest.sequential):
            self._clear()
        if not axes:
            self._tile()
            return
        axis, rest = axes[0], axes[1:]

        def inner() -> None:
            with self._scope(axis):
                if axis is self.s.vector:
                    self._fill_stages(axis)
                self._block_loops(rest, blocks)

        if axis in blocks:
            self._task_block(axis, blocks[axis], inner)
        else:
            self._serial_blocks(axis, inner)

    def _task_block(self, axis: Axis, block: Value, inner: Callable[[], None]) -> None:
        """One block of a parallel axis: a full one, or the rest at the end."""
        size, extent = self.s.tile_of(axis), axis.extent
        start = block * size if size > 1 else block

        def full() -> None:
            self._full_block(axis, start, inner)

        def rest() -> None:
            self._rest_block(axis, start, inner)

        if size == 1 or (not isinstance(extent, Dim) and extent % size == 0):
            full()
        elif not isinstance(extent, Dim) and extent < size:
            rest()
        else:
            whole = start + size <= self.number(extent)
            with self._opened():
                self.b.either(whole, full, rest)

    def _serial_blocks(self, axis: Axis, inner: Callable[[], None]) -> None:
        """All blocks of an axis, one after the other."""
        size, extent = self.s.tile_of(axis), axis.extent
        dynamic = isinstance(extent, Dim)
        if dynamic:
            whole = self.number(extent) if size == 1 else self.number(extent).udiv(size) * size
        else:
            whole = self.b.index(extent // size * size)
        if dynamic or extent // size > 1:
            with self._opened(), self.b.loop(self.b.index(0), whole, size) as loop:
                self._full_block(axis, loop.index, inner)
        elif extent >= size:
            self._full_block(axis, self.b.index(0), inner)
        if size > 1 and (dynamic or extent % size):
            self._rest_block(axis, whole, inner)

    def _full_block(self, axis: Axis, start: Value, inner: Callable[[], None]) -> None:
        self._block(axis, start, range(0, self.s.tile_of(axis), self._step(axis)), inner)

    def _block(
        self, axis: Axis, start: Value, offsets: Sequence[int], inner: Callable[[], None]
    ) -> None:
        before = self.index.get(axis)
        self.index[axis] = start
        self._offsets[axis] = list(offsets)
        inner()
        if before is not None:
            self.index[axis] = before

    def _step(self, axis: Axis) -> int:
        return self.s.lanes if axis is self.s.vector else 1

    def _rest_block(self, axis: Axis, start: Value, inner: Callable[[], None]) -> None:
        """What is left of an axis after its full tiles."""
        extent, size, step = axis.extent, self.s.tile_of(axis), self._step(axis)
        if not isinstance(extent, Dim):
            rest = extent % size
            with self._masked(rest, step):
                self._block(axis, start, range(0, rest, step), inner)
            return
        if step == 1:
            self._dynamic_rest(axis, start, inner)
            return
        with self._opened(), self.b.loop(start, self.number(extent), step) as loop:
            self.masks = {0: self._lane_mask(self.number(extent) - loop.index)}
            self._block(axis, loop.index, [0], inner)
            self.masks = {}

    def _dynamic_rest(self, axis: Axis, start: Value, inner: Callable[[], None]) -> None:
        """A rest whose length is known only at run time, in ever smaller tiles."""
        extent = self.number(axis.extent)
        for size in rest_sizes(self.s.tile_of(axis)):
            stop = start + (extent - start).udiv(size) * size
            with self._opened(), self.b.loop(start, stop, size) as loop:
                self._block(axis, loop.index, range(size), inner)
            start = stop

    @contextmanager
    def _masked(self, rest: int, step: int) -> Iterator[None]:
        """Mask the last vector of a rest of known length."""
        if step > 1 and rest % step:
            last = rest // step * step
            self.masks = {last: self._lane_mask(self.b.index(rest - last))}
            self.used = {last: rest - last}
        yield
        if step > 1:
            self.masks, self.used = {}, {}

    def _lane_mask(self, count: Value) -> Value:
        lanes = self.b.lanes("i64", range(self.s.lanes))
        return lanes < self.b.splat(count, self.s.lanes)

    # -- staged operands

    def _make_stages(self) -> Iterator[Stage]:
        """A stage for every operand that the schedule wants staged."""
        for reduce in self.nest.reductions if self.s.staged else ():
            for read in reduce.body.reads:
                if read.source in self.s.staged:
                    yield Stage(self, reduce, read)

    def _empty_stages(self) -> None:
        for stage in self._stages.values():
            stage.empty()

    def _fill_stages(self, vector: Axis) -> None:
        """Copy what the tile of the vector axis needs, unless the task before needed the same."""
        for stage in self._stages.values():
            held = self.b.load(I64, stage.held)
            with self._opened(), self.b.when(self.index[vector].differs(held)), self._scope():
                stage.fill(vector)

    def _compute(self, expr: Expr, point: Point, guards: Guards) -> Value:
        held = self._stages.get(id(expr)) or self._aside.get(id(expr))
        if held is not None:
            return held.load(point)
        if isinstance(expr, Read) and not guards:
            along = self._crossed(expr.index[0], point)
            if along is not None:
                return self._load_across(expr, along, point)
        return super()._compute(expr, point, guards)

    # -- blocks that lie across the tile's vectors

    def _crossed(self, index: Affine, point: Point) -> Axis | None:
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
        along = [axis for axis in self.nest.axes if len(self._offsets.get(axis, ())) > 1]
        own = (a for a in along if a is not vector and index.coefficient(a) == 1 and a not in jumps)
        return next(own, None)

    def _load_across(self, read: Read, along: Axis, point: Point) -> Value:
        """A vector of a block, which is loaded with the first of them."""
        memo, deps = self.scopes[-1].memo, self.deps(read)
        key = (
            "across",
            id(read),
            *((id(a), n) for a, n in point.items() if a is not along and a in deps),
        )
        if (key, 0) not in memo:
            kind = memory_type(read.dtype, self.s.lanes)
            place = self._place_across(read.source, read.index[0], read.dtype, along, point)
            used = self._used(point)
            vectors = load_columns(self.b, kind, len(self._offsets[along]), place, used)
            for n, vector in enumerate(vectors):
                memo[key, n] = from_memory(vector, read.dtype)
        return memo[key, self._offsets[along].index(point[along])]

    def _used(self, point: Point) -> int:
        """How many lanes of the vector at a point are in use."""
        return self.used.get(point.get(self.s.vector, 0) if self.s.vector else 0, self.s.lanes)

    def _place_across(
        self, slot: int, index: Affine, dtype: DType, along: Axis, point: Point
    ) -> Place:
        vector = self.s.vector
        assert vector is not None

        def place(row: int, column: int) -> Value:
            at = {**point, vector: point[vector] + row, along: self._offsets[along][column]}
            return self._pointer(slot, index, dtype, at)

        return place

    # -- a tile

    def _points(self) -> list[Point]:
        points: list[dict[Axis, int]] = [{}]
        for axis in self.nest.axes:
            points = [{**p, axis: o} for p in points for o in self._offsets.get(axis, [0])]
        return list(points)

    def _tile(self) -> None:
        points = self._points()
        if self.sweep is None:  # or it would be fetched in all sweeps, and used in the last
            self._fetch_operands(points)
        self._fetch_rows()
        for reductions in self._sharing_loops():
            self._reduce(reductions, points)
        if self.sweep is None:
            self._epilogue(points)
        else:
            with self._opened():
                self.b.either(
                    self.sweep.is_last,
                    lambda: self._at_last(lambda: self._epilogue(points)),
                    lambda: self._in_scope(lambda: self._keep_sums(points)),
                )

    def _fetch_operands(self, points: Sequence[Point]) -> None:
        """Have the processor fetch what the epilogue reads while the sums are taken.

        Weights, and what an optimiser keeps of them, come from memory: for each tile a piece of
        some rows, which the processor does not foresee.
        """
        vector = self.s.vector
        summed = [axis.extent for reduce in self.nest.reductions for axis in reduce.axes]
        if vector is None or vector not in self.nest.axes or typical_size(summed) < FEW:
            return
        tiled = {vector, *(axis for axis, own in self._offsets.items() if len(own) > 1)}
        written = {store.slot for store in self.nest.stores}
        reads = {(r.source, r.index): r for s in self.nest.stores for r in _always_read(s.body)}
        for read in reads.values():
            if tiled <= self.deps(read) and self._is_contiguous(read.index[0], vector):
                lines: dict[object, Point] = {}
                for point in points:
                    lines.setdefault(self._line_of(read, vector, point), point)
                for point in lines.values():
                    pointer = self._pointer(read.source, read.index[0], read.dtype, point)
                    self.b.prefetch(pointer, write=read.source in written)

    def _line_of(self, read: Read, vector: Axis, point: Point) -> object:
        """What is the same for points of a tile that are in one line of memory, as a rule."""
        rows = tuple((id(axis), n) for axis, n in point.items() if axis is not vector)
        return rows, point.get(vector, 0) * read.dtype.size // LINE

    def _fetch_rows(self) -> None:
        """Have the processor fetch where the rows begin that the next tile reads.

        It goes on with a row by itself, once some of it is read.
        """
        reductions = [r for r in self.nest.reductions if r.axes and self.sweep is None]
        for reduce in reductions:
            for read in reduce.body.reads:
                inner = reduce.axes[-1]
                axis = self._jumping_axis(read, inner)
                if axis is not None and self._is_contiguous(read.index[0], inner):
                    first = dict.fromkeys(reduce.axes, affine(0))
                    for n in self._offsets[axis]:
                        self._fetch_row(read, first, axis, n + len(self._offsets[axis]))

    def _fetch_row(
        self, read: Read, first: Mapping[Axis, Affine], axis: Axis, distance: int
    ) -> None:
        """Fetch the beginning of the row that is so many further, or the last one."""
        ahead = Axis(axis.extent, "ahead")
        moved = Rewrite(axes={**first, axis: ahead})(read)
        assert isinstance(moved, Read)
        row, last = self.index[axis] + distance, self.number(axis.extent) - 1
        self.index[ahead] = (row < last).select(row, last)
        with self._scope(ahead):
            for n in range(LINES):
                index = moved.index[0] + n * LINE // read.dtype.size
                self.b.prefetch(self._pointer(moved.source, index, read.dtype, {}))

    def _jumping_axis(self, read: Read, inner: Axis) -> Axis | None:
        """The axis of the tile along which the processor cannot foresee rows, if the tile is full.

        They may lie anywhere, or a part of each is left out.
        """
        axes: list[Axis] = []
        anywhere = [self.deps(atom) for atom, _ in read.index[0].terms if isinstance(atom, Expr)]
        if len(anywhere) == 1:
            axes += anywhere[0]
        elif not anywhere and self.s.vector not in self.deps(read):
            axes += [axis for axis in self.nest.axes if self._leaves_out(read, axis, inner)]
        full = [axis for axis in axes if len(self._offsets.get(axis, ())) == self.s.tile_of(axis)]
        return full[0] if len(axes) == len(full) == 1 else None

    def _leaves_out(self, read: Read, axis: Axis, inner: Axis) -> bool:
        """Whether a tile has several rows so far apart that a sum takes a part of each."""
        step = read.index[0].coefficient(axis)
        is_known = not isinstance(step, Dim) and not isinstance(inner.extent, Dim)
        return is_known and step > inner.extent and self.s.tile_of(axis) > 1

    def _clear(self) -> None:
        """Set to 0 what the sequential loops inside will add to."""
        for store in self.nest.stores:
            if store.cleared is not None:
                self._clear_over(store.cleared, store.clearing)

    def _clear_over(self, axis: Axis, zero: Store) -> None:
        with self._opened(), self.b.loop(self.b.index(0), self.number(axis.extent)) as loop:
            self.index[axis] = loop.index
            with self._scope(axis):
                for point in self._points():
                    self._store(zero, self.value(zero.body, point), point)

    def _in_scope(self, write: Callable[[], None]) -> None:
        with self._scope():
            write()

    def _at_last(self, write: Callable[[], None]) -> None:
        """Write what only the last sweep runs."""
        with self._scope():
            self.seldom = len(self.scopes) - 1, self._in_sweep
            write()
            self.seldom = None

    def _keep_sums(self, points: Sequence[Point]) -> None:
        self._write(self.nest.scratch[:1], points)

    def _kept(self, point: Point) -> list[Rest]:
        """Where the sum at a point rests between sweeps, and the totals of its blocks."""

        def place(store: Store) -> Rest:
            read = Read(store.slot, (store.offset,), store.dtype)
            return Rest(
                lambda: self.load(read, point, ()), lambda value: self._store(store, value, point)
            )

        return list(map(place, self.nest.scratch))

    @contextmanager
    def _only(self, condition: Value | None) -> Iterator[None]:
        """Run what is written inside under a condition, if there is one."""
        if condition is None:
            yield
            return
        with self._opened(), self.b.when(condition), self._scope():
            yield

    def _epilogue(self, points: Sequence[Point]) -> None:
        if self._by_row is not None and len(self._offsets.get(self._by_row.axis, ())) > 1:
            self._write_by_row(self._by_row, points)
        else:
            self._write(self.nest.stores, points)

    def _write_by_row(self, epilogue: ByRow, points: Sequence[Point]) -> None:
        """Put the results of all rows aside, and go on with them in a loop."""
        axis, row = epilogue.axis, epilogue.row
        rows = self._offsets[axis]
        of_row = [point for point in points if point[axis] == rows[0]]
        for read, result in epilogue.results:
            self._aside[id(read)] = Aside(self, epilogue, read, result, of_row, rows)
        with self._opened(), self.b.loop(self.b.index(0), self.b.index(len(rows))) as loop:
            self.index[row] = loop.index
            with self._scope(row):
                self._write(epilogue.stores, of_row)

    def _write(self, stores: Sequence[Store], points: Sequence[Point]) -> None:
        """Store everything; blocks that lie across the vectors as soon as they are complete."""
        blocks: dict[object, list[Value]] = {}
        for point in points:
            values = [self.value(store.body, point) for store in stores]
            for store, value in zip(stores, values, strict=True):
                along = None if store.cleared else self._crossed(store.offset, point)
                if along is None:
                    self._store(store, value, point)
                    continue
                key = (id(store), *(n for axis, n in point.items() if axis is not along))
                block = blocks.setdefault(key, [])
                block.append(self.b.splat(to_memory(value, store.dtype), self.s.lanes))
                if len(block) == len(self._offsets[along]):
                    place = self._place_across(store.slot, store.offset, store.dtype, along, point)
                    store_columns(block, place, self._used(point))

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
        is_first = self.sweep.is_first if self.sweep is not None else None
        # A row's element meets all its vectors before the next one needs a register.
        rows_first = sorted(points, key=self._row_of)
        for reduce in reductions:
            deps = self.deps(reduce)
            distinct = {self._key(reduce, deps, p, ()): p for p in rows_first}
            sums |= {
                key: Accumulator(self, reduce, p, len(blocks), self._kept(p), is_first)
                for key, p in distinct.items()
            }
        ahead = list(self._next_batch(reductions, points))

        def add(offsets: Point) -> None:
            for total in sums.values():
                total.add(offsets)
            for read, point in ahead:
                at = {**point, **offsets}
                self.b.prefetch(self._pointer(read.source, read.index[0], read.dtype, at))

        outermost = order[0] if order else None
        long = LongSums(self.b, blocks, list(sums.values()), outermost, self._only, self.sweep)
        long.begin(self.number)
        self._reduction_loops(order, {}, add, long)
        long.finish(self.number)
        self.scopes[-1].memo.update(zip(sums, results(list(sums.values())), strict=True))

    def _next_batch(
        self, reductions: Sequence[Reduce], points: Sequence[Point]
    ) -> Iterator[tuple[Read, Point]]:
        """What sums over the rows of a mini-batch have fetched of the next one, line by line.

        Its rows may lie anywhere, but their numbers follow those of this batch.
        """
        vector = self.s.vector
        for reduce in reductions:
            for read in reduce.body.reads:
                rows = self._row_numbers(read)
                if rows is None or vector is None or reduce.axes != tuple(self.deps(rows)):
                    continue
                if self._is_contiguous(read.index[0], vector):
                    (axis,) = reduce.axes
                    following = Rewrite(axes={axis: axis + axis.extent})(read)
                    assert isinstance(following, Read)
                    places = [{vector: point[vector]} for point in points]
                    lines = {self._line_of(read, vector, place): place for place in places}
                    yield from ((following, place) for place in lines.values())

    def _row_numbers(self, read: Read) -> Read | None:
        """Where a read of a mini-batch's row has its number from."""
        inner = [e for e in expressions(read.index[0]) if isinstance(e, Read)]
        numbers = [e for e in inner if isinstance(self.nest.slots[e.source].storage, RowNumbers)]
        return numbers[0] if numbers else None

    def _row_of(self, point: Point) -> list[int]:
        """Where a point is along the tile's axes but the vectors' own."""
        return [offset for axis, offset in point.items() if axis is not self.s.vector]

    def _reduction_loops(
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
        step = self._step(axis)
        unroll = (self.s.unroll if not rest else 1) * step

        def body(start: Value | Loop, steps: Sequence[int]) -> None:
            loop = start if isinstance(start, Loop) else None
            self.index[axis] = start.index if isinstance(start, Loop) else start
            with self._scope(axis, loop=loop):
                for offset in steps:
                    self._reduction_loops(rest, {**offsets, axis: offset}, visit, long)

        self._cover(axis, unroll, step, body, long)

    def _cover(
        self, axis: Axis, size: int, step: int, body: Body, long: LongSums | None = None
    ) -> None:
        """Run `body` over an axis: blocks of `size`, then what is left."""
        b, extent = self.b, axis.extent
        length = long.length(axis) if long is not None else 0
        if length:
            size = next(n for n in range(size, 0, -step) if length % n == 0)
        if self._is_swept(axis):
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
            with self._masked(rest, step):
                body(b.index(whole), range(0, rest, step))

    def _is_swept(self, axis: Axis) -> bool:
        return self.sweep is not None and axis is self.nest.reductions[0].axes[0]

    def _cover_chunk(self, axis: Axis, size: int, body: Body, long: LongSums | None) -> None:
        """The part of the first reduced axis that belongs to this sweep."""
        assert self.sweep is not None
        start, chunk = self.sweep.start, self.s.chunk
        length = long.length(axis) if long is not None else 0
        is_known = not isinstance(axis.extent, Dim) and axis.extent % chunk == 0
        if is_known or length:
            size = next(n for n in range(size, 0, -1) if chunk % n == 0 and length % n == 0)
        if is_known and size == chunk and not length:
            body(start, range(size))
            return
        stop = start + chunk if is_known else self.sweep.stop
        with self._block_of(axis, start, stop, long) as part:
            (self._cover_whole if is_known else self._cover_part)(*part, size, 1, body)

    @contextmanager
    def _block_of(
        self, axis: Axis, start: Value, stop: Value, long: LongSums | None
    ) -> Iterator[tuple[Value, Value]]:
        """Write what is done for each block of a long sum, from where to where it is to go."""
        length = long.length(axis) if long is not None else 0
        if long is None or not length:
            yield start, stop
            return
        swept = self._is_swept(axis)
        first = start.udiv(length) * length if swept else start
        with self._opened(), self.b.loop(first, stop, length) as block, self._scope():
            long.flush(axis, block.index)
            after = block.index + length
            begun = (block.index < start).select(start, block.index) if swept else block.index
            yield begun, (after < stop).select(after, stop)

    def _cover_whole(self, start: Value, stop: Value, size: int, step: int, body: Body) -> None:
        """From start to stop, which are so far apart that nothing is left."""
        with self._opened(), self.b.loop(start, stop, size) as loop:
            body(loop, range(0, size, step))

    def _cover_part(self, start: Value, stop: Value, size: int, step: int, body: Body) -> None:
        """From start to stop, which are known only at run time; then what is left."""
        if size == 1:
            self._cover_whole(start, stop, size, step, body)
            return
        whole = start + (stop - start).udiv(size) * size
        self._cover_whole(start, whole, size, step, body)
        with self._opened(), self.b.loop(whole, stop, step) as loop:
            if step > 1:
                self.masks = {0: self._lane_mask(stop - loop.index)}
            body(loop, [0])
            if step > 1:
                self.masks = {}

    def _store(self, store: Store, value: Value, point: Point) -> None:
        vector = self.s.vector if self.s.vector in self.nest.axes else None
        if store.cleared is not None:
            value = self._added(store, value, point)
        value = to_memory(value, store.dtype)
        if vector is None or not store.offset.coefficient(vector):
            self.b.store(value, self._pointer(store.slot, store.offset, store.dtype, point))
            return
        value = self.b.splat(value, self.s.lanes)
        mask = self.masks.get(point.get(vector, 0))
        if mask is not None and self._used(point) == 1:
            # LLVM 22 stores a whole lane where a mask of one, known to it, meets a narrowing cast.
            pointer = self._pointer(store.slot, store.offset, store.dtype, point)
            self.b.store(self.b.extract(value, 0), pointer)
        elif store.offset.coefficient(vector) == 1:
            pointer = self._pointer(store.slot, store.offset, store.dtype, point)
            self.b.store(value, pointer, mask)
        else:
            pointers = self._lane_pointers(store.slot, store.offset, store.dtype, point)
            self.b.scatter(value, pointers, mask or self._all_lanes())

    def _added(self, store: Store, value: Value, point: Point) -> Value:
        """What is in memory already plus a value; never remembered, as memory changes."""
        before = self.load(Read(store.slot, (store.offset,), store.dtype), point, ())
        left, right = unify(self.b, [before, value])
        return emit_function(self.b, "add", [left, right], [store.dtype] * 2, store.dtype)


def _always_read(expr: Expr) -> Iterator[Read]:
    """What an expression reads beside its sums, whatever the data."""
    seen: set[int] = set()
    left = [expr]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, Reduce):
            continue
        seen.add(id(found))
        if isinstance(found, Read):
            yield found
        is_choice = isinstance(found, Apply) and found.function == "select"
        left += found.children[:1] if is_choice else found.children


def rest_sizes(tile: int) -> list[int]:
    """Tiles for what a tile leaves over: 14 leaves work for tiles of 4 and of 1."""
    size, sizes = 1 << max(0, tile.bit_length() - 2), []
    while size > 1:
        sizes.append(size)
        size //= 4
    return [*sizes, 1]


# -- staged operands


class Stage:
    """A place where one operand's part for a tile of the vector axis is copied to.

    It has a row of the tile's width for every point of the reduced axes, in their order.

    Attributes:
        read: what is copied.
        held: a cell with the start of the tile whose part is there; -1 at first.
    """

    def __init__(self, writer: _Writer, reduce: Reduce, read: Read) -> None:
        self.w, self.read = writer, read
        self._axes = reduce.axes
        self._kind = memory_type(read.dtype, writer.s.lanes)
        vector = writer.s.vector
        assert vector is not None
        self._width = writer.s.tile_of(vector)
        rows = [int(axis.extent) for axis in reduce.axes]
        rows[0] = writer.s.chunk or rows[0]
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
            for offset in self.w._offsets[vector]:
                point = {**offsets, vector: offset}
                value = self.w.load(self.read, point, ())
                self.w.b.store(to_memory(value, self.read.dtype), self._place(point, offset))

        self.w._reduction_loops(list(self._axes), {}, copy)

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

        with w._opened(), w.b.loop(w.b.index(0), count) as loop, w._scope(column):
            w.index[column] = loop.index
            w.s = replace(kept, vector=None, lanes=1)
            w._reduction_loops(list(self._axes), {}, copy)
            w.s = kept

    def load(self, point: Point) -> Value:
        """The operand's vector at a point of the tile; lanes beyond the extent hold anything."""
        vector = self.w.s.vector
        place = self._place(point, point.get(vector, 0) if vector else 0)
        return from_memory(self.w.b.load(self._kind, place), self.read.dtype)

    def _place(self, point: Point, column: int) -> Value:
        """The address of the copy."""
        depth = self.w._depth(frozenset(self._axes))
        scope = self.w.scopes[depth]
        if self not in scope.memo:
            scope.memo[self] = self._row(depth)
        constant = point.get(self._axes[-1], 0) * self._width + column
        return self.w.b.address(scope.memo[self], self.w.b.index(constant), self._kind.element)

    def _row(self, depth: int) -> Value:
        """The address of the row of the present reduced indices."""
        w, last = self.w, self._axes[-1]
        loop = w._reduction_loop(last)
        if loop is None or w._depth(frozenset((last,))) != depth:
            with w._in(depth):
                return self._row_of(w.index[last])
        with w._in(depth - 1):
            first, width = self._row_of(loop.start), w.b.index(self._width)
        return w.b.walk(loop, first, width, self._kind.element)

    def _row_of(self, last: Value) -> Value:
        """The same for a given index of the last of the reduced axes."""
        w = self.w
        number = w.b.index(0)
        for axis in self._axes:
            own = last if axis is self._axes[-1] else w.index[axis]
            if w.sweep is not None and axis is self._axes[0]:
                own = own - w.sweep.start
            number = number * int(axis.extent) + own if axis is not self._axes[0] else own
        return w.b.address(self._memory, number * self._width, self._kind.element)
