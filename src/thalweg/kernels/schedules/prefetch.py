"""What a kernel has the processor fetch ahead.

A processor sees by itself that memory is walked line after line. It does not foresee where rows
begin that lie anywhere, or far apart, nor what a tile reads only once its sums are taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.base.shapes import typical_size
from thalweg.formula import Apply, Axis, Expr, Read, Reduce, Rewrite, expressions
from thalweg.kernels.nests.dependence import Dependence
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.values import RowNumbers

LINES = 4  # from where a row begins, until the processor has seen where it goes
MIN_TERMS = 32  # terms of a sum, in which time memory is not heard from
DISTANCE = 8  # rows: some hundred cycles each take as long as memory does


class FetchedRow(Record, eq=False):
    """Where the rows begin that the next tile reads.

    Attributes:
        read: of an element of a row.
        reduced: the axes of the sum, the last of them along the row.
        axis: of the tile, whose next values have the next rows.
    """

    read: Read
    reduced: tuple[Axis, ...]
    axis: Axis


class Ahead(Record, eq=False):
    """What a sum reads, and what will be read in its place next time.

    Attributes:
        reduce: the sum.
        read: what it reads now.
        following: what it reads next.
    """

    reduce: Reduce
    read: Read
    following: Read


class Lookup(Record, eq=False):
    """A row of a table whose number is read from memory.

    Attributes:
        read: of an element of the row.
        axis: whose next values have the next rows.
        write: whether it is stored to.
    """

    read: Read
    axis: Axis
    write: bool


class Prefetches(Record):
    """What is fetched ahead, and when.

    Attributes:
        operands: before the sums of a tile, what is read after them.
        rows: before the sums of a tile, where the rows of the next tile begin.
        batches: with each term of a sum over a mini-batch, the same of the next mini-batch.
        lookups: with a tile without sums, the same part of a row some rows further.
    """

    operands: tuple[Read, ...]
    rows: tuple[FetchedRow, ...]
    batches: tuple[Ahead, ...]
    lookups: tuple[Lookup, ...] = ()


def prefetches(nest: Nest, s: Schedule, deps: Dependence) -> Prefetches:
    """What a nest under a schedule fetches ahead.

    In K blocks, operands and rows would be fetched each time, and used in the last.
    """
    operands = () if s.k_block else tuple(_operands(nest, s, deps))
    rows = () if s.k_block else tuple(_rows(nest, s, deps))
    lookups = () if nest.reductions else tuple(_lookups(nest, s, deps))
    return Prefetches(operands, rows, tuple(_batches(nest, s, deps)), lookups)


def _operands(nest: Nest, s: Schedule, deps: Dependence) -> Iterator[Read]:
    """What the epilogue reads along the vectors, if the sums take long enough.

    Weights, and what an optimiser keeps of them, come from memory: for each tile a piece of some
    rows.
    """
    summed = [axis.extent for reduce in nest.reductions for axis in reduce.axes]
    if s.vector is None or s.vector not in nest.axes or typical_size(summed) < MIN_TERMS:
        return
    reads = {(r.source, r.index): r for store in nest.stores for r in _always_read(store.body)}
    for read in reads.values():
        if deps.is_contiguous(read.index[0], s.vector):
            yield read


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


def _rows(nest: Nest, s: Schedule, deps: Dependence) -> Iterator[FetchedRow]:
    """The rows that a sum walks along and the processor cannot foresee.

    It goes on with a row by itself, once some of it is read.
    """
    for reduce in nest.reductions:
        for read in reduce.body.reads if reduce.axes else ():
            axes = _jumping_axes(nest, s, deps, read, reduce.axes[-1])
            if len(axes) == 1 and deps.is_contiguous(read.index[0], reduce.axes[-1]):
                yield FetchedRow(read, reduce.axes, axes[0])


def _jumping_axes(nest: Nest, s: Schedule, deps: Dependence, read: Read, inner: Axis) -> list[Axis]:
    """The axes along which rows may lie anywhere, or a part of each is left out."""
    anywhere = [deps(atom) for atom in expressions(read.index[0])]
    if len(anywhere) == 1:
        return list(anywhere[0])
    if anywhere or s.vector in deps(read):
        return []
    return [axis for axis in nest.axes if _leaves_out(s, read, axis, inner)]


def _leaves_out(s: Schedule, read: Read, axis: Axis, inner: Axis) -> bool:
    """Whether a tile has several rows so far apart that a sum takes a part of each."""
    step = read.index[0].coefficient(axis)
    is_known = not isinstance(step, Dim) and not isinstance(inner.extent, Dim)
    return is_known and step > inner.extent and s.tile_of(axis) > 1


def _lookups(nest: Nest, s: Schedule, deps: Dependence) -> Iterator[Lookup]:
    """The rows that are read or replaced along the vectors, one after the other.

    Their numbers are read ahead, too, so only those that are read whatever the data.
    """
    written = {store.slot for store in nest.stores if store.replaces}
    read = [found for store in nest.stores for found in _always_read(store.body)]
    stored = [Read(t.slot, (t.offset,), t.dtype) for t in nest.stores if t.replaces]
    different = {(r.source, r.index): r for r in (*read, *stored)}
    if s.vector is None or nest.when:
        return
    for row in different.values():
        numbers = [deps(atom) for atom in expressions(row.index[0])]
        axes = numbers[0] if len(numbers) == 1 else frozenset[Axis]()
        if len(axes) == 1 and deps.is_contiguous(row.index[0], s.vector):
            (axis,) = axes
            if s.tile_of(axis) == 1:
                yield Lookup(row, axis, row.source in written)


def _batches(nest: Nest, s: Schedule, deps: Dependence) -> Iterator[Ahead]:
    """What sums over the rows of a mini-batch read along the vectors.

    The rows may lie anywhere, but the numbers of the next batch's follow those of this one.
    """
    for reduce in nest.reductions:
        for read in reduce.body.reads:
            rows = _row_numbers(nest, read)
            if rows is None or s.vector is None or reduce.axes != tuple(deps(rows)):
                continue
            if deps.is_contiguous(read.index[0], s.vector):
                (axis,) = reduce.axes
                following = Rewrite(axes={axis: axis + axis.extent})(read)
                assert isinstance(following, Read)
                yield Ahead(reduce, read, following)


def _row_numbers(nest: Nest, read: Read) -> Read | None:
    """Where a read of a mini-batch's row has its number from."""
    inner = [e for e in expressions(read.index[0]) if isinstance(e, Read)]
    numbers = [e for e in inner if isinstance(nest.slots[e.source].storage, RowNumbers)]
    return numbers[0] if numbers else None
