"""Compute only the part of a value that somebody reads.

    before:  p[i] = ... for i<18       y[i] = max(p[i + 2], 0) for i<14
    after:   p[i] = ... for i<14       y[i] = max(p[i], 0)            (i + 2 in p's formula)

The gradient of a convolution on a padded input is such a case: its border is cut off at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.base.dims import Dim
from thalweg.formula import Affine, Axis, Expr, Read, Rewrite, affine
from thalweg.kernels.values import Definition, Readers, Value

Range = tuple[int, int]  # first and last


def shrink_to_reads(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Shrink the definitions of which only a part is read; bodies are changed in place."""
    readers = Readers(definitions)
    for definition in reversed(definitions):  # so that what a part needs shrinks in turn
        value = definition.value
        if value in kept or value.storage or not definition.stores_in_place:
            continue
        users = readers.of(value)
        reads = [r for d in users for r in d.reads() if r.source.root is value]
        if reads and all(r.source is value for r in reads):
            _shrink_to(definition, _needed(reads, value), users)
    return definitions


def _needed(reads: Sequence[Read], value: Value) -> list[Range]:
    """The smallest box that holds every element read, dimension by dimension."""
    boxes = [[_range(at, n) for at, n in zip(r.index, value.shape, strict=True)] for r in reads]
    return [
        (min(box[d][0] for box in boxes), max(box[d][1] for box in boxes))
        for d in range(len(value.shape))
    ]


def _range(index: Affine, extent: int) -> Range:
    """The values that an index takes within the extent; all of it if that is not known."""
    whole = (0, extent - 1)
    walked = [(atom, factor) for atom, factor in index.terms if isinstance(atom, Axis)]
    numbers = [extent, index.constant, *(n for axis, by in walked for n in (axis.extent, by))]
    if len(walked) < len(index.terms) or any(isinstance(n, Dim) for n in numbers):
        return whole
    ends = [(0, factor * (axis.extent - 1)) for axis, factor in walked]
    first = index.constant + sum(min(end) for end in ends)
    last = index.constant + sum(max(end) for end in ends)
    return max(first, whole[0]), min(last, whole[1])


def _shrink_to(definition: Definition, box: list[Range], users: Sequence[Definition]) -> None:
    value = definition.value
    extents = zip(box, value.shape, strict=True)
    spare = [last - first + 1 < extent for (first, last), extent in extents]
    if not any(spare) or any(last < first for first, last in box):
        return
    axes = tuple(
        Axis(last - first + 1, axis.name) if cut else axis
        for axis, (first, last), cut in zip(definition.axes, box, spare, strict=True)
    )
    starts = [first if cut else 0 for (first, _), cut in zip(box, spare, strict=True)]
    moved = {
        old: affine(new) + start
        for old, new, start in zip(definition.axes, axes, starts, strict=True)
    }
    definition.body = Rewrite(axes=moved)(definition.body)
    definition.axes = axes
    definition.store = tuple(map(affine, axes))
    value.shape = tuple(axis.extent for axis in axes)
    for user in users:
        user.body = Rewrite(read=lambda r: _shifted(r, value, starts))(user.body)


def _shifted(read: Read, value: Value, starts: Sequence[int]) -> Expr:
    if read.source is not value:
        return read
    index = tuple(at - start for at, start in zip(read.index, starts, strict=True))
    return Read(value, index, read.dtype)
