"""Copy an operand into the layout that its contraction can stream.

    before:  dx[i, c] = sum[o](dy[i, o] * w[c, o])              (w is strided along c)
    after:   p[o, c] = w[c, o]      dx[i, c] = sum[o](dy[i, o] * p[o, c])

Where it can, the copy lies in panels as wide as a register tile: all rows of the first columns,
then all rows of the next (Goto & van de Geijn 2008). A tile then walks memory without a gap, while
rows whose distance is a large power of two would push each other out of the caches: those that a
tile takes vectors from, and those of which it takes an element for each of its rows. A dimension
that is walked backwards is copied so that it is walked forwards, and may become one with the next.
Of a dimension that is read in one place, as that of the keys among queries, keys and values, no
other place is copied.

Only operands that are used often enough are worth the copy. One that several contractions want, as
the weights of an unrolled recurrent cell, is copied once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.dims import Dim, off_the_record
from thalweg.base.record import Record
from thalweg.base.shapes import size, typical_size
from thalweg.formula import Affine, Axis, Expr, Read, Reduce, Replace, Rewrite, affine, axes
from thalweg.kernels.lower.lower import flat, flat_index
from thalweg.kernels.schedules.schedule import Machine
from thalweg.kernels.values import Definition, Value

MIN_REUSE = 256  # how often each element of the operand must be used to be worth copying
MIN_NEAR_REUSE = 128  # the same if the operand and its copy stay in the second-level cache
MAX_NEAR_BYTES = 1 << 18  # bytes of such an operand
MIN_GATHERED_REUSE = 64  # the same where no copy of a part can be had inside the kernel
CONFLICT_BYTES = 2048  # rows that are a multiple of this apart share a few sets of the caches
MAX_CONFLICT_ROWS = 64  # rows that do not fit there
MIN_K_BLOCKED_BYTES = 1 << 20  # with so much, a sum over varying rows is blocked, and staged

Use = tuple[Definition, Read, Axis]


class Copied(Record):
    """What is copied of a value.

    Attributes:
        source: the value.
        place: its dimension that is the copy's last.
        fixed: for each dimension the one place of it that is read, if there is only one.
    """

    source: Value
    place: int
    fixed: tuple[int | None, ...]

    @property
    def order(self) -> list[int]:
        """The dimensions of the value in the order in which the copy has them."""
        kept = [n for n, at in enumerate(self.fixed) if at is None and n != self.place]
        return [*kept, self.place]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the copy."""
        return tuple(self.source.shape[n] for n in self.order)


def pack(definitions: list[Definition], machine: Machine) -> list[Definition]:
    """Insert copies before contractions whose operands no schedule could stream."""
    wanted: dict[Copied, list[Use]] = {}
    for definition in definitions:
        _walk_forwards(definition)
        if definition.when:  # a copy would be made even if it is not needed
            continue
        for read, vector, place in _hard_to_stream(definition):
            copied = Copied(read.source, place, tuple(map(_fixed, read.index)))
            wanted.setdefault(copied, []).append((definition, read, vector))
    copies: dict[Definition, list[Definition]] = {}
    for copied, uses in wanted.items():
        if _is_worthwhile(copied, uses):
            copies.setdefault(uses[0][0], []).append(_pack(copied, uses, machine))
    return [made for d in definitions for made in (*copies.get(d, ()), d)]


def _fixed(index: Affine) -> int | None:
    """The place, if all loops read the same."""
    return index.constant if not index.terms and type(index.constant) is int else None


def _walk_forwards(definition: Definition) -> None:
    """Reverse the reduced axes along which a contraction walks its largest operand backwards."""
    reduces = definition.body.reductions
    if len(reduces) != 1 or len(reduces[0].body.reads) < 2 or reduces[0].combiner != "sum":
        return
    largest = flat(max(reduces[0].body.reads, key=lambda read: typical_size(read.source.shape)))
    back = {
        axis: axis * -1 + (axis.extent - 1)
        for axis in reduces[0].axes
        if largest.coefficient(axis) < 0
    }
    if back:
        body = reduces[0].body
        forwards = Reduce("sum", reduces[0].axes, Rewrite(axes=back)(body), reduces[0].dtype)
        definition.body = Replace(reduces[0], forwards)(definition.body)


def _is_worthwhile(copied: Copied, uses: list[Use]) -> bool:
    """Whether each element is used often enough, as far as that is known before the batch is.

    Rows that only have set conflicts are a matter of the present batch: for a small one their copy
    costs more than they do. The first batch decides for all, so that a new one compiles nothing.
    """
    source = copied.source
    loops = [[axis.extent for axis in _axes(user)] for user, _, _ in uses]
    if copied.place < len(source.shape) - 1:
        enough = MIN_GATHERED_REUSE if all(_is_batched(*use) for use in uses) else MIN_REUSE
        return sum(map(typical_size, loops)) >= enough * typical_size(copied.shape)
    shape = tuple(None if isinstance(d, Dim) else int(d) for d in copied.shape)
    fixed = [tuple(None if isinstance(d, Dim) else int(d) for d in extents) for extents in loops]
    key = (shape, source.dtype, tuple(fixed))
    if key not in _worthwhile:
        with off_the_record(chain(source.shape, *loops)):
            staged = isinstance(source.shape[0], Dim) and source.bytes > MIN_K_BLOCKED_BYTES
            enough = MIN_NEAR_REUSE if source.bytes <= MAX_NEAR_BYTES else MIN_REUSE
            _worthwhile[key] = sum(map(size, loops)) >= enough * size(copied.shape) and not staged
    return _worthwhile[key]


_worthwhile: dict[object, bool] = BoundedDict(most=10_000)


def _is_batched(definition: Definition, read: Read, vector: Axis) -> bool:
    """Whether each of several products has its own operand: a schedule cannot stage those."""
    offset = flat(read)
    return any(offset.coefficient(axis) for axis in definition.axes if axis is not vector)


def _hard_to_stream(definition: Definition) -> Iterator[tuple[Read, Axis, int]]:
    """Operands of a contraction that are better copied: which, along which axis, its dimension."""
    reduces = definition.body.reductions
    vector = _store_axis(definition)
    if len(reduces) != 1 or vector is None or len(reduces[0].body.reads) < 2:
        return
    for read in reduces[0].body.reads:
        step, place = flat(read).coefficient(vector), _place_of(read, vector)
        if place is not None and (
            step > 1 or (step and _has_set_conflicts(read, reduces[0], definition))
        ):
            yield read, vector, place
        elif not step:
            yield from _rows_in_conflict(read, reduces[0], definition)


def _rows_in_conflict(
    read: Read, reduce: Reduce, definition: Definition
) -> Iterator[tuple[Read, Axis, int]]:
    """An operand each of whose elements serves a vector, if it has many rows in few sets."""
    for axis in definition.axes:
        place = _place_of(read, axis)
        if place is None or flat(read).coefficient(axis) != 1:
            continue
        if _has_set_conflicts(read, reduce, definition):
            yield read, axis, place


def _store_axis(definition: Definition) -> Axis | None:
    """The output axis along which stores are consecutive."""
    offset = flat_index(definition.store, definition.value.shape)
    extents = [a for a in definition.axes if offset.coefficient(a) == 1 and a.extent > 1]
    return extents[-1] if extents else None


def _place_of(read: Read, vector: Axis) -> int | None:
    """The dimension that the axis alone walks with step 1."""
    places = [n for n, at in enumerate(read.index) if at.coefficient(vector)]
    if len(places) == 1 and read.index[places[0]].coefficient(vector) == 1:
        return places[0]
    return None


def _has_set_conflicts(read: Read, reduce: Reduce, definition: Definition) -> bool:
    """Whether one tile's part has many rows in few sets of the caches."""
    offset = flat(read)
    if sum(bool(offset.coefficient(axis)) for axis in definition.axes) != 1:
        return False
    rows = [a for a in reduce.axes if isinstance(a.extent, Dim) or a.extent > MAX_CONFLICT_ROWS]
    return any(
        step and step * read.dtype.size % CONFLICT_BYTES == 0
        for step in map(offset.coefficient, rows)
    )


def _axes(definition: Definition) -> tuple[Axis, ...]:
    """All loops of a contraction."""
    return (*definition.axes, *definition.body.reductions[0].axes)


def _pack(copied: Copied, uses: list[Use], machine: Machine) -> Definition:
    """The definition of the copy; its users read it from now on."""
    source, order = copied.source, copied.order
    panel = _panel(copied, uses, machine)
    packed = Value(f"{source.name} packed", copied.shape, source.dtype, panel=panel)
    index = axes(*copied.shape)
    origin = [affine(at or 0) for at in copied.fixed]
    reversed_axes = {n for n in order if all(_walks_back(r, n) for _, r, _ in uses)}
    for axis, n in zip(index, order, strict=True):
        origin[n] = _mirrored(affine(axis), n, source) if n in reversed_axes else affine(axis)
    body = Read(source, tuple(origin), source.dtype)
    first = uses[0][0]
    store = tuple(map(affine, index))
    copy = Definition(packed, index, body, store, first.order, ("pack",), set(first.after))
    for definition, read, _ in uses:
        _read_copy(definition, read, packed, order, reversed_axes)
    return copy


def _walks_back(read: Read, dimension: int) -> bool:
    """Whether the loops walk a dimension from its end, as the gradient of a convolution does."""
    terms = read.index[dimension].terms
    return bool(terms) and all(factor < 0 for _, factor in terms)


def _mirrored(index: Affine, dimension: int, source: Value) -> Affine:
    return index * -1 + affine(source.shape[dimension] - 1)


def _panel(copied: Copied, uses: list[Use], machine: Machine) -> int:
    """The width of the panels: two vectors, or 0 if the extent is not made of such."""
    place = copied.place
    width, extent = machine.vector_bits // 4 // copied.source.dtype.size, copied.shape[-1]
    whole = not isinstance(extent, Dim) and extent % width == 0 and extent > width
    exact = all(r.index[place].is_axis(axis) and axis.extent == extent for _, r, axis in uses)
    return width if whole and exact else 0


def _read_copy(
    definition: Definition, read: Read, packed: Value, order: list[int], reversed_axes: set[int]
) -> None:
    """Let a definition read the copy wherever it made this read."""
    index = [
        _mirrored(read.index[n], n, read.source) if n in reversed_axes else read.index[n]
        for n in order
    ]

    def replaced(found: Read) -> Expr:
        if found.source is read.source and found.index == read.index:
            return Read(packed, tuple(index), found.dtype)
        return found

    definition.body = Rewrite(read=replaced)(definition.body)
