"""A scheduled loop nest as LLVM IR.

    void kernel(ptr args, i64 begin, i64 end)      runs the tasks [begin, end)

`args` holds the slots' pointers and then the numbers that may differ from run to run (extents and
strides that come from a `Dim`), so that the same code serves every batch size.

Each expression is written once for every point of the tile that it really depends on, in the
outermost loop in which all that it needs is known: hoisting and sharing are decided here, because
only here is it known that nothing in between writes to what is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from thalweg.backends.llvm.builder import I64, PTR, Builder, Lines, Type, Value
from thalweg.backends.llvm.functions import (
    emit_function,
    from_memory,
    memory_type,
    register_type,
    to_memory,
    unify,
)
from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.shapes import Dim
from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    Rewrite,
    walk,
)
from thalweg.kernels.nest import Nest, Store, position
from thalweg.kernels.schedule import Schedule

Point = Mapping[Axis, int]  # offsets inside the tile
Guards = tuple[Expr, ...]

_ONE = Const(1, dtypes.int64)  # what a run-dependent constant of an index is a multiple of


@dataclass
class Scope:
    """A loop body or branch being written: which axes are known in it, and what it has computed."""

    bound: frozenset[Axis]
    memo: dict[object, Value] = field(default_factory=dict)
    place: Lines | None = None


@dataclass(frozen=True)
class Sweep:
    """A pass over all tasks with one chunk of a reduction.

    Attributes:
        start: of the chunk.
        stop: of the chunk.
        is_first: no sums have been kept yet.
        is_last: the sums are complete afterwards.
    """

    start: Value
    stop: Value
    is_first: Value
    is_last: Value


def emit(nest: Nest, schedule: Schedule, attributes: str) -> str:
    """A module of IR that defines `@kernel` for a nest; its numbers follow the pointers."""
    writer = _Writer(nest, schedule)
    body = writer.write()
    declarations = "\n".join(dict.fromkeys(writer.b.declarations.values()))
    return (
        f"{declarations}\n"
        f"define void @kernel(ptr noalias %args, i64 %begin, i64 %end) {attributes} {{\n"
        f"{body}\n}}\n"
    )


class _Writer:
    def __init__(self, nest: Nest, schedule: Schedule) -> None:
        self.b = Builder()
        self.nest = nest
        self.s = schedule
        self.scopes = [Scope(frozenset())]
        self.index: dict[Axis, Value] = {}
        self.sweep: Sweep | None = None
        self.masks: dict[int, Value] = {}  # vector offset -> lanes in use, where not all are
        self._deps: dict[int, frozenset[Axis]] = {}
        self._number_values: dict[int, Value] = {}
        self._offsets: dict[Axis, list[int]] = {}
        self._reduced: dict[int, bool] = {}
        self._negations: dict[int, Expr] = {}
        self._stages = {id(stage.read): stage for stage in self._make_stages()}
        self._choices: dict[tuple[int, ...], tuple[Expr, Guards, Expr]] = {}

    # -- loops

    def write(self) -> str:
        b = self.b
        if self.s.chunk:
            self._sweeps()
        else:
            self._empty_stages()
            self._task_loop()
        b.line("ret void")
        return b.body_text()

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
                self._task_loop()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Mark the present place as the one where the innermost scope may still add code."""
        self.scopes[-1].place = self.b.preheader()
        yield
        self.scopes[-1].place = None

    @contextmanager
    def _scope(self, *axes: Axis) -> Iterator[None]:
        """An inner scope in which the axes are known, too."""
        outer = self.scopes[-1]
        here = outer.place is None  # no loop was opened: the outer scope's code may go right here
        if here:
            outer.place = self.b.preheader()
        self.scopes.append(Scope(outer.bound | frozenset(axes)))
        yield
        self.scopes.pop()
        if here:
            outer.place = None

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
        yield
        if step > 1:
            self.masks = {}

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

    # -- a tile

    def _points(self) -> list[Point]:
        points: list[dict[Axis, int]] = [{}]
        for axis in self.nest.axes:
            points = [{**p, axis: o} for p in points for o in self._offsets.get(axis, [0])]
        return list(points)

    def _tile(self) -> None:
        points = self._points()
        for reductions in self._sharing_loops():
            self._reduce(reductions, points)
        if self.sweep is None:
            self._epilogue(points)
        else:
            with self._opened():
                self.b.either(
                    self.sweep.is_last,
                    lambda: self._in_scope(lambda: self._epilogue(points)),
                    lambda: self._in_scope(lambda: self._keep_sums(points)),
                )

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

    def _keep_sums(self, points: Sequence[Point]) -> None:
        scratch = self.nest.scratch
        assert scratch is not None
        for point in points:
            self._store(scratch, self.value(scratch.body, point), point)

    def _epilogue(self, points: Sequence[Point]) -> None:
        for point in points:
            values = [self.value(store.body, point) for store in self.nest.stores]
            for store, value in zip(self.nest.stores, values, strict=True):
                self._store(store, value, point)

    def _sharing_loops(self) -> list[list[Reduce]]:
        """The reductions, those over the same axes together; they do not need one another."""
        groups: dict[tuple[Axis, ...], list[Reduce]] = {}
        for reduce in self.nest.reductions:
            groups.setdefault(reduce.axes, []).append(reduce)
        return list(groups.values())

    def _reduce(self, reductions: Sequence[Reduce], points: Sequence[Point]) -> None:
        """Run reductions for the whole tile; the results go where `value` looks for them."""
        sums: dict[tuple[object, ...], _Accumulator] = {}
        for reduce in reductions:
            deps = self.deps(reduce)
            distinct = {self._key(reduce, deps, p, ()): p for p in points}
            sums |= {key: _Accumulator(self, reduce, p) for key, p in distinct.items()}
        order = [a for a in reductions[0].axes if a is not self.s.vector]
        order += [a for a in reductions[0].axes if a is self.s.vector]

        def add(offsets: Point) -> None:
            for total in sums.values():
                total.add(offsets)

        self._reduction_loops(order, {}, add)
        for key, total in sums.items():
            self.scopes[-1].memo[key] = total.result()

    def _reduction_loops(
        self, axes: list[Axis], offsets: Point, visit: Callable[[Point], None]
    ) -> None:
        """Visit all points of reduced axes; the offsets are those inside unrolled loops."""
        if not axes:
            visit(offsets)
            return
        axis, rest = axes[0], axes[1:]
        step = self._step(axis)
        unroll = (self.s.unroll if not rest else 1) * step

        def body(start: Value, steps: Sequence[int]) -> None:
            self.index[axis] = start
            with self._scope(axis):
                for offset in steps:
                    self._reduction_loops(rest, {**offsets, axis: offset}, visit)

        self._cover(axis, unroll, step, body)

    def _cover(
        self, axis: Axis, size: int, step: int, body: Callable[[Value, Sequence[int]], None]
    ) -> None:
        """Run `body(start, offsets)` over an axis: blocks of `size`, then what is left."""
        b, extent = self.b, axis.extent
        if self._is_swept(axis):
            self._cover_chunk(axis, size, body)
            return
        if isinstance(extent, Dim):
            self._cover_dynamic(axis, size, step, body)
            return
        whole, rest = extent // size * size, extent % size
        if whole == size:
            body(b.index(0), range(0, size, step))
        elif whole:
            with self._opened(), b.loop(b.index(0), b.index(whole), size) as loop:
                body(loop.index, range(0, size, step))
        if rest:
            with self._masked(rest, step):
                body(b.index(whole), range(0, rest, step))

    def _is_swept(self, axis: Axis) -> bool:
        return self.sweep is not None and axis is self.nest.reductions[0].axes[0]

    def _cover_chunk(
        self, axis: Axis, size: int, body: Callable[[Value, Sequence[int]], None]
    ) -> None:
        """The part of the first reduced axis that belongs to this sweep."""
        assert self.sweep is not None
        start, chunk = self.sweep.start, self.s.chunk
        if isinstance(axis.extent, Dim) or axis.extent % chunk:
            self._cover_part(start, self.sweep.stop, size, body)
            return
        size = next(n for n in range(size, 0, -1) if chunk % n == 0)
        if size == chunk:
            body(start, range(size))
            return
        with self._opened(), self.b.loop(start, start + chunk, size) as loop:
            body(loop.index, range(size))

    def _cover_part(
        self, start: Value, stop: Value, size: int, body: Callable[[Value, Sequence[int]], None]
    ) -> None:
        """From start to stop, which are known only at run time: blocks, then one by one."""
        whole = start + (stop - start).udiv(size) * size
        with self._opened(), self.b.loop(start, whole, size) as loop:
            body(loop.index, range(size))
        if size > 1:
            with self._opened(), self.b.loop(whole, stop) as loop:
                body(loop.index, [0])

    def _cover_dynamic(
        self, axis: Axis, size: int, step: int, body: Callable[[Value, Sequence[int]], None]
    ) -> None:
        b, extent = self.b, self.number(axis.extent)
        whole = extent if size == 1 else extent.udiv(size) * size
        with self._opened(), b.loop(b.index(0), whole, size) as loop:
            body(loop.index, range(0, size, step))
        if size == 1:
            return
        with self._opened(), b.loop(whole, extent, step) as loop:
            if step > 1:
                self.masks = {0: self._lane_mask(extent - loop.index)}
            body(loop.index, [0])
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
        if store.offset.coefficient(vector) == 1:
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

    def _all_lanes(self) -> Value:
        return self.b.constant(Type("i1", self.s.lanes), 1)

    # -- expressions

    def deps(self, expr: Expr) -> frozenset[Axis]:
        """The axes that an expression's value depends on."""
        if id(expr) not in self._deps:
            self._deps[id(expr)] = self._find_deps(expr)
        return self._deps[id(expr)]

    def _find_deps(self, expr: Expr) -> frozenset[Axis]:
        match expr:
            case Read():
                return self._index_deps(expr.index[0])
            case Position():
                return self._index_deps(expr.index)
            case Apply():
                return frozenset[Axis]().union(*map(self.deps, expr.args))
            case Reduce():
                return self.deps(expr.body) - frozenset(expr.axes)
        return frozenset()

    def _index_deps(self, index: Affine) -> frozenset[Axis]:
        parts = [self.deps(a) if isinstance(a, Expr) else frozenset((a,)) for a, _ in index.terms]
        return frozenset[Axis]().union(*parts)

    def _key(
        self, expr: Expr, deps: frozenset[Axis], point: Point, guards: Guards
    ) -> tuple[object, ...]:
        where = tuple((id(a), point[a]) for a in point if a in deps)
        return (id(expr), where, tuple(map(id, guards)))

    def value(self, expr: Expr, point: Point, guards: Guards = ()) -> Value:
        """The expression's value at a point of the tile.

        Args:
            expr: what to compute.
            point: offsets of the axes inside the tile.
            guards: conditions under which alone the expression may be read from memory.
        """
        if isinstance(expr, Const):
            return self.b.constant(register_type(expr.dtype), expr.value)
        active = guards if guards and any(isinstance(e, Read) for e in walk(expr)) else ()
        deps = self.deps(expr).union(*map(self.deps, active))
        key = self._key(expr, deps, point, active)
        # Results of reductions exist from the tile's own scope on, whatever they depend on.
        depth = len(self.scopes) - 1 if self._is_reduced(expr) else self._depth(deps)
        scope = self.scopes[depth]
        for known in reversed(self.scopes):
            if key in known.memo:
                return known.memo[key]
        with self._in(depth):
            made = self._compute(expr, point, active)
        scope.memo[key] = made
        return made

    def _is_reduced(self, expr: Expr) -> bool:
        if id(expr) not in self._reduced:
            self._reduced[id(expr)] = any(isinstance(e, Reduce) for e in walk(expr))
        return self._reduced[id(expr)]

    def _depth(self, deps: frozenset[Axis]) -> int:
        """The outermost scope in which all of these axes are known."""
        return next(
            (d for d, scope in enumerate(self.scopes) if deps <= scope.bound), len(self.scopes) - 1
        )

    @contextmanager
    def _in(self, depth: int) -> Iterator[None]:
        """Write into a scope, as if it were the innermost one."""
        if depth == len(self.scopes) - 1:
            yield
            return
        kept, place = self.scopes, self.scopes[depth].place
        assert place is not None
        self.scopes = kept[: depth + 1]
        with self.b.at(place):
            yield
        self.scopes = kept

    def _compute(self, expr: Expr, point: Point, guards: Guards) -> Value:
        match expr:
            case Read() if id(expr) in self._stages:
                return self._stages[id(expr)].load(point)
            case Read():
                return self.load(expr, point, guards)
            case Position():
                return self._position(expr, point)
            case Apply(function="select"):
                return self._select(expr, point, guards)
            case Apply():
                args = [self.value(a, point, guards) for a in expr.args]
                kinds = [a.dtype for a in expr.args]
                return emit_function(self.b, expr.function, args, kinds, expr.dtype)
        raise AssertionError(f"no code for {expr!r} here")

    def _select(self, expr: Apply, point: Point, guards: Guards) -> Value:
        """A choice; where it tests indices, what is not chosen is not read either."""
        condition, then, other = expr.args
        chosen, left = guards, guards
        if any(isinstance(e, Position) for e in walk(condition)):
            chosen = (*guards, condition)
            left = (*guards, self._negation(condition))
        args = [
            self.value(condition, point, guards),
            self.value(then, point, chosen),
            self.value(other, point, left),
        ]
        kinds = [condition.dtype, then.dtype, other.dtype]
        return emit_function(self.b, "select", args, kinds, expr.dtype)

    def _negation(self, condition: Expr) -> Expr:
        if id(condition) not in self._negations:
            self._negations[id(condition)] = Apply("not", (condition,), condition.dtype)
        return self._negations[id(condition)]

    # -- memory

    def load(self, read: Read, point: Point, guards: Guards) -> Value:
        index, vector = self._guarded(read.index[0], guards), self.s.vector
        conditions = [self.value(g, point) for g in guards]
        varies = vector is not None and vector in self._index_deps(index)
        if not varies and not any(c.type.lanes for c in conditions):
            return self._load_scalar(Read(read.source, (index,), read.dtype), point, conditions)
        assert vector is not None
        mask = self._mask(point.get(vector, 0), conditions)
        kind = memory_type(read.dtype, self.s.lanes)
        if self._is_contiguous(index, vector):
            pointer = self._pointer(read.source, index, read.dtype, point)
            loaded = self.b.load(kind, pointer, mask)
        else:
            pointers = self._lane_pointers(read.source, index, read.dtype, point)
            loaded = self.b.gather(kind, pointers, mask or self._all_lanes())
        return from_memory(loaded, read.dtype)

    def _guarded(self, index: Affine, guards: Guards) -> Affine:
        """The index with 0 for what it reads itself where the guards forbid that."""
        if not guards or not any(isinstance(atom, Expr) for atom, _ in index.terms):
            return index
        terms = tuple(
            (self._chosen(a, guards) if isinstance(a, Expr) else a, f) for a, f in index.terms
        )
        return Affine(terms, index.constant)

    def _chosen(self, atom: Expr, guards: Guards) -> Expr:
        key = (id(atom), *map(id, guards))
        if key not in self._choices:
            chosen = atom
            for guard in guards:
                if self.deps(guard) & self.deps(atom):  # or it says nothing about the place
                    chosen = Apply("select", (guard, chosen, Const(0, atom.dtype)), atom.dtype)
            self._choices[key] = (atom, guards, chosen)  # an id is good while its object lives
        return self._choices[key][-1]

    def _is_contiguous(self, index: Affine, vector: Axis) -> bool:
        dynamic = any(isinstance(a, Expr) and vector in self.deps(a) for a, _ in index.terms)
        return not dynamic and index.coefficient(vector) == 1

    def _load_scalar(self, read: Read, point: Point, conditions: list[Value]) -> Value:
        """One element; if a condition may forbid reading it, element 0 is read instead."""
        if conditions:
            allowed = _all(conditions)
            position = self._offset_value(read.index[0], point)
            safe = allowed.select(position, 0)
            pointer = self.b.address(self._slot(read.source), safe, memory_type(read.dtype).element)
        else:
            pointer = self._pointer(read.source, read.index[0], read.dtype, point)
        return from_memory(self.b.load(memory_type(read.dtype), pointer), read.dtype)

    def _mask(self, offset: int, conditions: list[Value]) -> Value | None:
        masks = [self.b.splat(c, self.s.lanes) for c in conditions]
        if offset in self.masks:
            masks.append(self.masks[offset])
        return _all(masks) if masks else None

    def _slot(self, slot: int) -> Value:
        """The pointer behind a slot, loaded once for the whole kernel."""
        return self._argument(("slot", slot), slot, PTR)

    def _argument(self, key: object, number: int, type: Type) -> Value:
        entry = self.scopes[0]
        if key not in entry.memo:
            with self._in(0):
                base = Value(self.b, PTR, "%args")
                where = self.b.address(base, self.b.index(number), "i64")
                entry.memo[key] = self.b.load(type, where)
        return entry.memo[key]

    def number(self, number: int) -> Value:
        """An integer of the nest: a constant, or an argument if it varies from run to run."""
        if not isinstance(number, Dim):
            return self.b.index(int(number))
        place = len(self.nest.slots) + self.nest.numbers.index(int(number))
        return self._argument(("number", int(number)), place, I64)

    def _pointer(self, slot: int, index: Affine, dtype: DType, point: Point) -> Value:
        """The address of the element at an index (of lane 0, where lanes are consecutive)."""
        element = memory_type(dtype).element
        terms, constant, varying = self._split(index, point)
        deps = self._index_deps(Affine(tuple((a, f) for a, f in terms)))
        key = ("pointer", slot, tuple((id(a), int(f)) for a, f in terms), tuple(varying))
        depth = self._depth(deps)
        scope = self.scopes[depth]
        if key not in scope.memo:
            with self._in(depth):
                offset = self._sum(terms, point)
                base = self._slot(slot)
                scope.memo[key] = self.b.address(base, offset, element) if offset else base
        base = scope.memo[key]
        return self.b.address(base, self.b.index(constant), element) if constant else base

    def _split(
        self, index: Affine, point: Point
    ) -> tuple[list[tuple[Axis | Expr, int]], int, list[tuple[int, int]]]:
        """Terms to be summed at run time, and the constant that the tile's offsets come to."""
        constant = index.constant
        varying: list[tuple[int, int]] = []  # offsets that are not in the constant
        terms: list[tuple[Axis | Expr, int]] = []
        if isinstance(constant, Dim):
            terms, constant = [(_ONE, constant)], 0
        for atom, factor in index.terms:
            terms.append((atom, factor))
            offset = point.get(atom, 0) if isinstance(atom, Axis) else 0
            if offset and isinstance(factor, Dim):
                varying.append((id(atom), offset))
            elif offset:
                constant = constant + offset * factor
            if isinstance(atom, Expr):
                varying += [(id(a), point[a]) for a in point if a in self.deps(atom)]
        return terms, constant, varying

    def _sum(self, terms: Sequence[tuple[Axis | Expr, int]], point: Point) -> Value | None:
        """The sum of terms, each part written in the outermost loop where it is known."""
        ordered = sorted(terms, key=lambda t: self._depth(self._index_deps(Affine((t,)))))
        total: Value | None = None
        key: tuple[object, ...] = ("sum",)
        for atom, factor in ordered:
            offset = point.get(atom, 0) if isinstance(atom, Axis) and isinstance(factor, Dim) else 0
            key = (*key, id(atom), int(factor), offset, self._expr_point(atom, point))
            depth = self._depth(self._index_deps(Affine(((atom, factor),))))
            scope = self.scopes[depth]
            if key not in scope.memo:
                with self._in(depth):
                    part = self._atom(atom, point, offset)
                    if factor != 1 or isinstance(factor, Dim):
                        part = part * self.number(factor)
                    scope.memo[key] = part if total is None else total + part
            total = scope.memo[key]
        return total

    def _expr_point(self, atom: Axis | Expr, point: Point) -> tuple[int, ...]:
        if isinstance(atom, Axis):
            return ()
        return tuple(n for a in point if a in self.deps(atom) for n in (id(a), point[a]))

    def _atom(self, atom: Axis | Expr, point: Point, offset: int) -> Value:
        if isinstance(atom, Axis):
            return self.index[atom] + offset if offset else self.index[atom]
        value = self.value(atom, point)
        return value if value.type.element == "i64" else value.convert("sext", "i64")

    def _offset_value(self, index: Affine, point: Point) -> Value:
        """An index as a number, for a scalar access."""
        terms, constant, _ = self._split(index, point)
        total = self._sum(terms, point)
        if total is None:
            return self.b.index(constant)
        return total + constant if constant else total

    def _lane_offsets(self, index: Affine, point: Point) -> Value:
        """An index as a vector of numbers, one for each lane."""
        vector = self.s.vector
        assert vector is not None
        lanes = self.b.lanes("i64", range(self.s.lanes))
        uniform = [(a, f) for a, f in index.terms if not self._is_vector_atom(a)]
        base = self._offset_value(Affine(tuple(uniform), index.constant), point)
        total = self.b.splat(base, self.s.lanes)
        for atom, factor in index.terms:
            if atom is vector:
                start = self.index[vector] + point.get(vector, 0)
                part = self.b.splat(start, self.s.lanes) + lanes
            elif isinstance(atom, Expr) and self._is_vector_atom(atom):
                part = self._atom(atom, point, 0)
            else:
                continue
            total = total + part * self.number(factor)
        return total

    def _is_vector_atom(self, atom: Axis | Expr) -> bool:
        if isinstance(atom, Axis):
            return atom is self.s.vector
        return self.s.vector in self.deps(atom)

    def _lane_pointers(self, slot: int, index: Affine, dtype: DType, point: Point) -> Value:
        offsets = self._lane_offsets(index, point)
        base, element = self._slot(slot), memory_type(dtype).element
        text = f"getelementptr {element}, ptr {base.ref}, {offsets.type} {offsets.ref}"
        return self.b.emit(text, Type("ptr", self.s.lanes))

    def _position(self, expr: Position, point: Point) -> Value:
        vector = self.s.vector
        if vector is not None and vector in self._index_deps(expr.index):
            value = self._lane_offsets(expr.index, point)
        else:
            value = self._offset_value(expr.index, point)
        element = register_type(expr.dtype).element
        return value if element == "i64" else value.convert("trunc", element)


def rest_sizes(tile: int) -> list[int]:
    """Tiles for what a tile leaves over: 14 leaves work for tiles of 4 and of 1."""
    size, sizes = 1 << max(0, tile.bit_length() - 2), []
    while size > 1:
        sizes.append(size)
        size //= 4
    return [*sizes, 1]


def _all(conditions: Sequence[Value]) -> Value:
    total = conditions[0]
    for condition in conditions[1:]:
        total = total & condition
    return total


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
            with self.w._in(depth):
                scope.memo[self] = self._row()
        constant = point.get(self._axes[-1], 0) * self._width + column
        return self.w.b.address(scope.memo[self], self.w.b.index(constant), self._kind.element)

    def _row(self) -> Value:
        """The address of the row of the present reduced indices."""
        w = self.w
        number = w.b.index(0)
        for axis in self._axes:
            own = w.index[axis]
            if w.sweep is not None and axis is self._axes[0]:
                own = own - w.sweep.start
            number = number * int(axis.extent) + own if axis is not self._axes[0] else own
        return w.b.address(self._memory, number * self._width, self._kind.element)


# -- reductions


class _Accumulator:
    """The running result of a reduction at one point of the tile."""

    def __init__(self, writer: _Writer, reduce: Reduce, point: Point) -> None:
        self.w, self.reduce, self.point = writer, reduce, point
        vector = writer.s.vector
        varies = vector in reduce.axes or vector in writer.deps(reduce.body)
        self.lanes = writer.s.lanes if varies else 0
        self.is_arg = reduce.combiner.startswith("arg")
        self.combiner = reduce.combiner.removeprefix("arg")
        self.kind = register_type(reduce.body.dtype, self.lanes)
        self.cell = self._cell(self.kind, _identity(self.combiner, reduce.body.dtype))
        if writer.sweep is not None:
            self._resume(writer.sweep)
        if self.is_arg:
            self.place = self._cell(register_type(reduce.dtype, self.lanes), 0)

    def _cell(self, kind: Type, start: float) -> Value:
        cell = self.w.b.local(kind)
        self.w.b.store(self.w.b.constant(kind, start), cell)
        return cell

    def _resume(self, sweep: Sweep) -> None:
        """Go on with the sum that the sweep before left."""
        w, scratch = self.w, self.w.nest.scratch
        assert scratch is not None
        kept = w.load(Read(scratch.slot, (scratch.offset,), scratch.dtype), self.point, ())
        start = sweep.is_first.select(w.b.constant(self.kind, 0), kept)
        w.b.store(start, self.cell)

    def add(self, offsets: Point) -> None:
        """Take one more value of the body into account."""
        point = {**self.point, **offsets}
        b = self.w.b
        old = b.load(self.kind, self.cell)
        if self.is_arg:
            self._add_arg(old, point)
            return
        factors = _factors(self.reduce.body) if self.combiner == "sum" else None
        if factors and self._mask(offsets) is None:
            left, right, before = unify(b, [*(self.w.value(f, point) for f in factors), old])
            b.store(left.fma(right, before), self.cell)
            return
        value = b.splat(self.w.value(self.reduce.body, point), self.lanes)
        mask = self._mask(offsets)
        if mask is not None:
            value = mask.select(value, _identity(self.combiner, self.reduce.body.dtype))
        b.store(_combine(self.combiner, old, value, self.reduce.body.dtype), self.cell)

    def _mask(self, offsets: Point) -> Value | None:
        """The lanes in use, where the reduced axis itself is spread over lanes."""
        vector = self.w.s.vector
        if vector is None or vector not in self.reduce.axes or not self.lanes:
            return None
        return self.w.masks.get(offsets.get(vector, 0))

    def _add_arg(self, best: Value, point: Point) -> None:
        b = self.w.b
        value = b.splat(self.w.value(self.reduce.body, point), self.lanes)
        kinds = [self.reduce.body.dtype] * 2
        bool_ = self.reduce.body.dtype
        better = emit_function(
            b, "gt" if self.combiner == "max" else "lt", [value, best], kinds, bool_
        )
        if value.type.is_float:
            better = better | (value.is_nan() & ~best.is_nan())
        place = b.load(register_type(self.reduce.dtype, self.lanes), self.place)
        here = self._position(point)
        b.store(better.select(value, best), self.cell)
        b.store(better.select(b.splat(here, self.lanes), place), self.place)

    def _position(self, point: Point) -> Value:
        """The row-major position among the reduced axes."""
        value = self.w._offset_value(position(self.reduce), point)
        element = register_type(self.reduce.dtype).element
        return value if element == "i64" else value.convert("trunc", element)

    def result(self) -> Value:
        """The final value: a scalar if the lanes held parts of one sum."""
        b = self.w.b
        if self.is_arg:
            return b.load(register_type(self.reduce.dtype, self.lanes), self.place)
        total = b.load(self.kind, self.cell)
        if self.lanes and self.w.s.vector in self.reduce.axes:
            return _across_lanes(total, self.combiner, self.reduce.body.dtype)
        return total


def _factors(body: Expr) -> tuple[Expr, Expr] | None:
    """The factors of a floating-point product, which fuses with the sum."""
    if isinstance(body, Apply) and body.function == "mul" and body.dtype.is_floating:
        return body.args[0], body.args[1]
    return None


def _identity(combiner: str, dtype: DType) -> float:
    """The value that leaves every other unchanged."""
    if combiner in ("sum", "any"):
        return 0
    if combiner in ("prod", "all"):
        return 1
    if dtype.is_floating:
        return float("-inf") if combiner == "max" else float("inf")
    if dtype.is_bool:
        return 0 if combiner == "max" else 1
    return int(dtype.min if combiner == "max" else dtype.max)


_COMBINERS = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and"}


def _combine(combiner: str, old: Value, new: Value, dtype: DType) -> Value:
    return emit_function(old.builder, _COMBINERS[combiner], [old, new], [dtype, dtype], dtype)


def _across_lanes(vector: Value, combiner: str, dtype: DType) -> Value:
    """Combine the lanes, halves with halves: a fixed order."""
    b, lanes = vector.builder, vector.type.lanes
    while lanes > 1:
        lanes //= 2
        low, high = (_half(vector, start, lanes) for start in (0, lanes))
        vector = _combine(combiner, low, high, dtype)
    return b.extract(vector, 0)


def _half(vector: Value, start: int, lanes: int) -> Value:
    chosen = vector.builder.lanes("i32", range(start, start + lanes))
    operands = f"{vector.type} {vector.ref}, {vector.type} poison, {chosen.type} {chosen.ref}"
    return vector.builder.emit(f"shufflevector {operands}", Type(vector.type.element, lanes))
