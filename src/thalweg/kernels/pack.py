"""Copy an operand into the layout that its contraction can stream.

    before:  dx[i, c] = sum over o of dy[i, o] * w[c, o]              (w is strided along c)
    after:   p[o, c] = w[c, o]      dx[i, c] = sum over o of dy[i, o] * p[o, c]

Only operands that are used often enough are worth the copy.
"""

from __future__ import annotations

from thalweg.base.shapes import typical_size
from thalweg.formula import Axis, Expr, Read, Rewrite, affine, axes
from thalweg.kernels.inline import evaluations
from thalweg.kernels.lower import flat, flat_index
from thalweg.kernels.schedule import Machine
from thalweg.kernels.values import Definition, Value

REUSE = 256  # how often each element of the operand must be used to be worth copying


def pack(definitions: list[Definition], machine: Machine) -> list[Definition]:
    """Insert copies before contractions whose operands no schedule could stream."""
    result: list[Definition] = []
    for definition in definitions:
        result.extend(_packed(definition))
        result.append(definition)
    return result


def _packed(definition: Definition) -> list[Definition]:
    reduces = definition.body.reductions
    if len(reduces) != 1 or not definition.axes:
        return []
    vector = _store_axis(definition)
    reads = reduces[0].body.reads
    if vector is None or len(reads) < 2:
        return []
    total = evaluations((*definition.axes, *reduces[0].axes))
    strided = [r for r in reads if flat(r).coefficient(vector) not in (0, 1)]
    return [
        _pack_read(definition, read, vector)
        for read in strided
        if total >= REUSE * typical_size(read.source.shape) and _place_of(read, vector) is not None
    ]


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


def _pack_read(definition: Definition, read: Read, vector: Axis) -> Definition:
    source, place = read.source, _place_of(read, vector)
    assert place is not None
    order = [n for n in range(len(source.shape)) if n != place] + [place]
    shape = tuple(source.shape[n] for n in order)
    packed = Value(f"{source.name} packed", shape, source.dtype)
    index = axes(*shape)
    origin = [affine(0)] * len(shape)
    for axis, n in zip(index, order, strict=True):
        origin[n] = affine(axis)
    body = Read(source, tuple(origin), source.dtype)
    store = tuple(map(affine, index))
    copy = Definition(packed, index, body, store, definition.order, ("pack",), set())

    def replaced(found: Read) -> Expr:
        if found.source is source and found.index == read.index:
            return Read(packed, tuple(found.index[n] for n in order), found.dtype)
        return found

    copy.after = set(definition.after)
    definition.body = Rewrite(read=replaced)(definition.body)
    return copy
