"""Reductions of a tile: what adds up at each of its points, and the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thalweg.backends.native.llvm.addresses import Point
from thalweg.backends.native.llvm.expressions import Expressions
from thalweg.backends.native.llvm.functions import emit_function, register_type, unify
from thalweg.backends.native.llvm.ssa import SsaValue, Type
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.formula import Apply, Expr, Reduce
from thalweg.kernels.nests.blocks import is_blocked
from thalweg.kernels.nests.nest import position


class MemoryCell(Record):
    """Where a number or a vector is kept in memory.

    Attributes:
        load: gives what is there.
        store: puts another one there.
    """

    load: Callable[[], SsaValue]
    store: Callable[[SsaValue], None]


class Accumulator:
    """The running result of a reduction at one point of the tile.

    Args:
        writer: writes what is added.
        reduce: the reduction.
        point: of the tile.
        levels: of the blocks that the reduction is added up in, if it is one that rounds.
        kept: in the K blocks of a sum, where the block before has left it, and the totals of its
            blocks.
        is_first: of the K blocks, whether none has been before this one.

    Attributes:
        totals: for each level, where the sum of its complete blocks is kept.
    """

    def __init__(
        self,
        writer: Expressions,
        reduce: Reduce,
        point: Point,
        levels: int,
        kept: Sequence[MemoryCell] = (),
        is_first: SsaValue | None = None,
    ) -> None:
        self.w, self.reduce, self.point = writer, reduce, point
        vector = writer.s.vector
        varies = vector in reduce.axes or vector in writer.deps(reduce.body)
        self.lanes = writer.s.lanes if varies else 0
        self.is_arg = reduce.combiner.startswith("arg")
        self.combiner = reduce.combiner.removeprefix("arg")
        self.kind = register_type(reduce.body.dtype, self.lanes)
        self.cell = self._cell(self.kind, _identity(self.combiner, reduce.body.dtype))
        self.totals = list(kept[1:])
        if is_first is not None:
            start = is_first.select(writer.b.constant(self.kind, 0), kept[0].load())
            writer.b.store(start, self.cell)
        elif is_blocked(reduce):
            self.totals = [self._on_the_stack() for _ in range(levels)]
        if self.is_arg:
            self.place = self._cell(register_type(reduce.dtype, self.lanes), 0)

    def _cell(self, kind: Type, start: float) -> SsaValue:
        cell = self.w.b.local(kind)
        self.w.b.store(self.w.b.constant(kind, start), cell)
        return cell

    def _on_the_stack(self) -> MemoryCell:
        b, pointer = self.w.b, self.w.b.local(self.kind)
        return MemoryCell(
            lambda: b.load_volatile(self.kind, pointer),
            lambda value: b.store_volatile(value, pointer),
        )

    # -- blocks

    def clear(self, level: int) -> None:
        """Set a level's total to 0."""
        self.totals[level].store(self.w.b.constant(self.kind, 0))

    def flush(self, level: int) -> None:
        """Add the level below to a level's total, and begin it anew."""
        b, total, zero = self.w.b, self.totals[level], self.w.b.constant(self.kind, 0)
        if level:
            total.store(total.load() + self.totals[level - 1].load())
            self.totals[level - 1].store(zero)
        else:
            total.store(total.load() + b.load(self.kind, self.cell))
            self.restart()

    def restart(self) -> None:
        """Begin a block: add up from 0."""
        self.w.b.store(self.w.b.constant(self.kind, 0), self.cell)

    def collect(self, level: int) -> None:
        """Add a level's total to the sum."""
        total, b = self.totals[level].load(), self.w.b
        b.store(total + b.load(self.kind, self.cell), self.cell)

    # -- values

    def add(self, offsets: Point) -> None:
        """Take one more value of the body into account."""
        point = {**self.point, **offsets}
        b = self.w.b
        old = b.load(self.kind, self.cell)
        if self.is_arg:
            self._add_arg(old, point)
            return
        new, mask = self._combined(old, point), self._mask(offsets)
        b.store(new if mask is None else mask.select(new, old), self.cell)

    def _combined(self, old: SsaValue, point: Point) -> SsaValue:
        """What there is so far with the body's value at a point."""
        b, body = self.w.b, self.reduce.body
        factors = _factors(body) if self.combiner == "sum" else None
        if factors:
            left, right, before = unify(b, [*(self.w.value(f, point) for f in factors), old])
            return left.fma(right, before)
        value = b.splat(self.w.value(body, point), self.lanes)
        return _combine(self.combiner, old, value, body.dtype)

    def _mask(self, offsets: Point) -> SsaValue | None:
        """The lanes in use, where the reduced axis itself is spread over lanes."""
        vector = self.w.s.vector
        if vector is None or vector not in self.reduce.axes or not self.lanes:
            return None
        return self.w.masks.get(offsets.get(vector, 0))

    def _add_arg(self, best: SsaValue, point: Point) -> None:
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

    def _position(self, point: Point) -> SsaValue:
        """The row-major position among the reduced axes."""
        value = self.w.offset_value(position(self.reduce), point)
        element = register_type(self.reduce.dtype).element
        return value if element == "i64" else value.convert("trunc", element)

    def result(self) -> SsaValue:
        """The final value, or the lanes' parts of it."""
        b = self.w.b
        if self.is_arg:
            return b.load(register_type(self.reduce.dtype, self.lanes), self.place)
        return b.load(self.kind, self.cell)

    @property
    def is_in_parts(self) -> bool:
        """Whether the lanes hold parts of one result."""
        return bool(self.lanes) and self.w.s.vector in self.reduce.axes


def results(totals: Sequence[Accumulator]) -> list[SsaValue]:
    """The final values of reductions: scalars where the lanes held parts."""
    values = [total.result() for total in totals]
    alike: dict[tuple[str, DType], list[int]] = {}
    for n, total in enumerate(totals):
        if total.is_in_parts:
            alike.setdefault((total.combiner, total.reduce.body.dtype), []).append(n)
    for (combiner, dtype), places in alike.items():
        lanes = values[places[0]].type.lanes
        for start in range(0, len(places), lanes):
            some = places[start : start + lanes]
            made = _across_lanes([values[n] for n in some], combiner, dtype)
            for n, value in zip(some, made, strict=True):
                values[n] = value
    return values


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


def _combine(combiner: str, old: SsaValue, new: SsaValue, dtype: DType) -> SsaValue:
    return emit_function(old.builder, _COMBINERS[combiner], [old, new], [dtype, dtype], dtype)


def _across_lanes(vectors: Sequence[SsaValue], combiner: str, dtype: DType) -> list[SsaValue]:
    """Combine the lanes of each vector, halves with halves: a fixed order.

    Two vectors at a time, so that no lane is idle: as many additions as for one vector and one more
    for each of the others. There must be no more vectors than lanes.
    """
    b, lanes, left = vectors[0].builder, vectors[0].type.lanes, list(vectors)
    width = lanes  # of the part of a vector that belongs to one result
    while width > 1:
        pairs = [left[n : n + 2] for n in range(0, len(left), 2)]
        left = [_halves_combined(pair[0], pair[-1], width, combiner, dtype) for pair in pairs]
        width //= 2
    return [b.extract(left[0], n) for n in range(len(vectors))]


def _halves_combined(a: SsaValue, b: SsaValue, width: int, combiner: str, dtype: DType) -> SsaValue:
    """The first half of each part of two vectors with its second half."""
    lanes = a.type.lanes
    low = [n for n in range(2 * lanes) if n % width < width // 2]
    shuffle, high = a.builder.shuffle, [n + width // 2 for n in low]
    first, second = shuffle(a, b, low), shuffle(a, b, high)
    return _combine(combiner, first, second, dtype)
