"""Epilogues of tiles as loops over rows.

What follows the sums of a tile, such as an optimiser's update, is the same for each of its rows. To
write a long epilogue for every row took most of the time in which a kernel is compiled. So a tile's
sums are spilled, and the epilogue is written for one row, in a loop: the same arithmetic, and at
run time as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from thalweg.backends.native.llvm.addresses import Point
from thalweg.backends.native.llvm.expressions import Expressions
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.base.record import Record, replace
from thalweg.formula import (
    Affine,
    Axis,
    Combination,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    Rewrite,
    combination,
)
from thalweg.kernels.nests.nest import Nest, Store
from thalweg.kernels.schedules.schedule import Schedule

MIN_LOOP_INSTRUCTIONS = 12  # instructions of an epilogue that are worth a loop
_SPILLED = -1  # the slot of a result that was spilled: none of the nest's


class ByRow(Record, eq=False):
    """An epilogue for one row of a tile.

    Attributes:
        axis: of the tile, whose values are its rows.
        row: the number of the row.
        stores: the nest's, at that row.
        results: what is spilled for all rows, by the reads that take its place in the stores.
    """

    axis: Axis
    row: Axis
    stores: tuple[Store, ...]
    results: tuple[tuple[Read, Expr], ...]


def by_row(nest: Nest, s: Schedule, deps: Callable[[Expr], frozenset[Axis]]) -> ByRow | None:
    """The epilogue by rows, if it is long and tiles have several.

    Args:
        nest: whose epilogue it is.
        s: its schedule.
        deps: the axes that an expression depends on.
    """
    rows = {axis: size for axis, size in s.tile.items() if axis is not s.vector and size > 1}
    if s.vector not in nest.axes or nest.sequential or not rows:
        return None
    own = list(_own(nest.stores))
    if len(own) < MIN_LOOP_INSTRUCTIONS or any(
        at.coefficient(s.vector) not in (0, 1) for at in _places(nest, own)
    ):
        return None
    axis = max(rows, key=lambda axis: rows[axis])
    moved = _Moved(axis, Axis(rows[axis], "row"), deps)
    stores = [
        replace(store, body=moved(store.body), offset=moved.index(store.offset))
        for store in nest.stores
    ]
    results = moved.results
    if not results or any(result.dtype.is_bool for _, result in results):
        return None
    return ByRow(axis, moved.row, tuple(stores), tuple(results))


def _own(stores: Sequence[Store]) -> Iterator[Expr]:
    """What an epilogue reads and computes itself."""
    every = _outside_sums([store.body for store in stores])
    return (e for e in every if not isinstance(e, Const | Position | Reduce | Combination))


def _outside_sums(roots: Iterable[Expr]) -> Iterator[Expr]:
    """The sums that expressions are made of, and what is outside of them, once each."""
    seen: set[int] = set()
    left = list(roots)
    while left:
        expr = left.pop()
        if id(expr) not in seen:
            seen.add(id(expr))
            yield expr
            if not isinstance(expr, Position | Reduce | Combination):
                left += expr.children


def _places(nest: Nest, own: Sequence[Expr]) -> list[Affine]:
    """Where an epilogue reads and writes."""
    return [e.index[0] for e in own if isinstance(e, Read)] + [s.offset for s in nest.stores]


class _Moved(Rewrite):
    """Moves what an epilogue computes to a row, and takes sums from where they were spilled."""

    def __init__(self, axis: Axis, row: Axis, deps: Callable[[Expr], frozenset[Axis]]) -> None:
        super().__init__(axes={axis: axis + row})
        self.row = row
        self.results: list[tuple[Read, Expr]] = []
        self._axis, self._deps = axis, deps

    def _order(self, expr: Expr) -> Iterable[Expr]:
        outside = set(map(id, _outside_sums([expr])))
        return [inner for inner in expr.every if id(inner) in outside]

    def _rebuild(self, expr: Expr) -> Expr:
        if not isinstance(expr, Reduce | Combination):
            return super()._rebuild(expr)
        axes = self._deps(expr)
        if self._axis not in axes:
            return expr
        place = combination([(axis, 1) for axis in (*axes - {self._axis}, self.row)], 0)
        read = Read(_SPILLED, (place,), expr.dtype)
        self.results.append((read, expr))
        return read


class Spill:
    """Where a tile's result of an expression is kept until the turn of its row.

    Args:
        writer: writes the tile.
        epilogue: wants the result.
        read: stands for it there.
        result: the expression.
        points: of a row.
        rows: of the tile.
    """

    def __init__(
        self,
        writer: Expressions,
        epilogue: ByRow,
        read: Read,
        result: Expr,
        points: Sequence[Point],
        rows: Sequence[int],
    ) -> None:
        self._w, self._row, self._deps = writer, epilogue.row, writer.deps(read)
        different = {self._place(point): point for point in points}
        self._numbers = {place: n for n, place in enumerate(different)}
        every = [{**point, epilogue.axis: row} for row in rows for point in different.values()]
        values = [writer.value(result, point) for point in every]
        self._type = values[0].type
        self._elements = max(self._type.lanes, 1)
        self._memory = writer.b.array(self._type.element, self._elements * len(values))
        for n, value in enumerate(values):
            writer.b.store(value, self._at(writer.b.index(n)))

    def _place(self, point: Point) -> tuple[int, ...]:
        """What tells a row's values apart."""
        return tuple([offset for axis, offset in point.items() if axis in self._deps])

    def load(self, point: Point) -> SsaValue:
        """The value at a point, of the row whose turn it is."""
        first = self._w.index[self._row] * len(self._numbers)
        return self._w.b.load(self._type, self._at(first + self._numbers[self._place(point)]))

    def _at(self, number: SsaValue) -> SsaValue:
        return self._w.b.address(self._memory, number * self._elements, self._type.element)
