"""The groups of a depth-first tiling for one slice of their first dimension.

    before:  for n, i: a[n, i] = x[n, i] * 2      after:   for i: a'[0, i] = x'[0, i] * 2

Where the slices' sums are taken in parts, what sets a part's sum to 0 comes first:

    before:  for part, i: p[part, i] = sum[n](a[n, i])
    after:   for i: p'[0, i] = 0                  and      for i: p'[0, i] = p'[0, i] + a'[0, i]

Whoever runs the kernels moves the memory of `x'`, `a'` and `p'` from one slice, or part, to the
next.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from thalweg.base.record import Record
from thalweg.formula import Axis, Const, Expr, Read, Reduce, Rewrite, affine
from thalweg.kernels.rewrites.tile_depth_first import PARTS, Group, TiledGroups, is_sliced
from thalweg.kernels.values import Definition, SliceMemory, Temporary, Value


class SlicedGroups(Record):
    """Tiled groups for one slice: without their first axis.

    Attributes:
        before: the groups that run once for each part, before its slices.
        groups: the groups that run for each slice.
        extent: how many slices there are.
        parts: in how many parts they are cut; 0 if each is its own.
        private: the slices that nobody else needs.
    """

    before: list[Group]
    groups: list[Group]
    extent: int
    parts: int
    private: frozenset[Value]


def slice_groups(tiled: TiledGroups, shared: AbstractSet[Value]) -> SlicedGroups:
    """Take the first axis out of tiled groups.

    Args:
        tiled: whose values have their memory by now.
        shared: values that others read.
    """
    slices: dict[Value, Value] = {}
    groups = [[_slice_of(d, slices) for d in group] for group in tiled.groups]
    sums = [_slice_of_sum(d, axis, slices) for d, axis in tiled.sums.items()]
    made = {d.value for group in tiled.groups for d in group}
    own = {v for v in made if isinstance(v.storage, Temporary) and v not in shared}
    return SlicedGroups(
        [[start] for start, _ in sums],
        groups + [[step] for _, step in sums],
        tiled.extent,
        PARTS if sums else 0,
        frozenset(slices[value] for value in own),
    )


def _slice_of(definition: Definition, slices: dict[Value, Value]) -> Definition:
    first = definition.axes[0]
    rewrite = _rewrite(definition.reads(), first, slices)
    when = tuple([word for read in definition.when for word in rewrite(read).reads])
    return Definition(
        _first_slice(definition.value, slices),
        definition.axes[1:],
        rewrite(definition.body),
        tuple(map(rewrite.index, definition.store)),
        definition.order,
        definition.ops,
        when=when,
    )


def _slice_of_sum(
    definition: Definition, axis: Axis, slices: dict[Value, Value]
) -> tuple[Definition, Definition]:
    """What sets a part's sum to 0, and what adds a slice's share to it."""
    reduce, axes, old = definition.body, definition.axes[1:], definition
    assert isinstance(reduce, Reduce)
    shape = (1, *definition.value.shape[1:])
    storage = SliceMemory(definition.value, by_part=True)
    part = Value(definition.value.name, shape, reduce.dtype, storage)
    store = (affine(0), *map(affine, axes))
    rest = tuple(a for a in reduce.axes if a is not axis)
    share = Reduce("sum", rest, reduce.body, reduce.dtype)
    added = Read(part, store, reduce.dtype) + _rewrite(old.reads(), axis, slices)(share)
    zero = Const(0, reduce.dtype)
    return (
        Definition(part, axes, zero, store, old.order, old.ops),
        Definition(part, axes, added, store, old.order, old.ops),
    )


def _rewrite(reads: Sequence[Read], axis: Axis, slices: dict[Value, Value]) -> Rewrite:
    """Takes an axis out, and reads the present slice of what was read along it."""
    moving = {r.source for r in reads if is_sliced(r, axis)}

    def moved(read: Read) -> Expr:
        if read.source not in moving:
            return read
        return Read(_first_slice(read.source, slices), read.index, read.dtype)

    return Rewrite(axes={axis: affine(0)}, read=moved)


def _first_slice(value: Value, slices: dict[Value, Value]) -> Value:
    """A value that stands for each slice in turn, with an extent of 1 in place of the first."""
    if value not in slices:
        shape = (1, *value.shape[1:])
        base = None if value.base is None else _first_slice(value.root, slices)
        storage = None if value.storage is None or base is not None else SliceMemory(value)
        slices[value] = Value(value.name, shape, value.dtype, storage, base)
    return slices[value]
