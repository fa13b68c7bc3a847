"""Run kernels one after the other for each image of a batch, not for the whole batch at once.

    before:  for n, i: a[n, i] = ...                 after:  for n:  for i: a'[i] = ...
             for n, i: b[n, i] = ... a[n, i - 1]                     for i: b[n, i] = ... a'[i - 1]

What passes from one to the next stays in the cache; what nobody else reads is kept for one image
only, in memory of each thread's own. Threads share the images, and need not meet in between.

A sum over the images is taken in the same way. The images are cut into parts, each with a sum of
its own, and threads share the parts; how many there are never depends on the threads.

    before:  for i: s[i] = sum[n](a[n, i])
    after:   for part:  for i: p[part, i] = 0
                        for n in part:  for i: a'[i] = ...
                                        for i: p[part, i] += a'[i]
             for i: s[i] = sum[part](p[part, i])

This is depth-first tiling, with tiles of one image. The kernels of a tile are ordinary ones that
know nothing of the dimension: they are made for one *slice* (`slice_groups.py`), and whoever runs
them moves their pointers from slice to slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from thalweg.base.record import Record
from thalweg.base.shapes import same_shape, size, typical_size
from thalweg.formula import (
    Affine,
    Axis,
    Position,
    Read,
    Reduce,
    Replace,
    Rewrite,
    affine,
    walk,
)
from thalweg.kernels.rewrites.contraction import evaluations
from thalweg.kernels.values import Definition, FetchMemory, Temporary, Value

Group = list[Definition]

MIN_REUSE = 16  # how often a slice must use each value that it shares with the others
MIN_SLICES = 8  # slices that threads can share
MOST_BYTES = 1 << 21  # of what a kernel reads and writes for one slice
FEW_BYTES = 1 << 12  # of the same: for less, to call a kernel would take longer than its work
LEAST_BYTES = 1 << 20  # of what passes between the kernels: less stays in the cache in any case
PARTS = 8  # for sums
SUM_BYTES = 1 << 20  # of a part's sum
MIN_SUMMED_VALUES = 16  # values of a slice that must be summed for each result


class TiledGroups(Record):
    """Groups that are worth running one after the other for each slice of their first axis.

    Attributes:
        groups: in order.
        sums: definitions of partial sums over the slices, by part, with the axis of the slices.
    """

    groups: list[Group]
    sums: dict[Definition, Axis]

    @property
    def extent(self) -> int:
        """How many slices there are."""
        return self.groups[0][0].axes[0].extent

    @property
    def members(self) -> list[Group]:
        """All groups, those of sums included."""
        return [*self.groups, *([d] for d in self.sums)]


def tile_depth_first(groups: Sequence[Group]) -> list[Group | TiledGroups]:
    """Find the groups that are worth running slice by slice."""
    readers = _readers(groups)
    deciding = _deciding(groups, readers)
    left, done = list(groups), list[Group | TiledGroups]()
    while left:
        candidate = _Candidate(left, deciding)
        done += candidate.earlier
        done += candidate.tiled(readers)
        left = candidate.left
    return done


class _Candidate:
    """Groups that could run slice by slice, from the first such one on.

    Args:
        groups: in execution order.
        deciding: what decides which slices of others are needed; see `_deciding`.

    Attributes:
        members: those groups, in order.
        earlier: the groups that may as well come before.
        left: those that must come after, in order.
    """

    def __init__(self, groups: Sequence[Group], deciding: AbstractSet[Value]) -> None:
        self._deciding = deciding
        self.members = _Block()
        self.earlier: list[Group] = []
        self.left: list[Group] = []
        self._waiting = _Block()
        self._sums: list[_Sum] = []
        for place, group in enumerate(groups):
            if not self._take(group):
                self.left = [*self._waiting.groups, *groups[place:]]
                break
        else:
            self.left = self._waiting.groups

    def _take(self, group: Group) -> bool:
        """Find a place for a group; says whether to go on."""
        could = _may_be_sliced(group, self._deciding)
        if self._waiting.is_needed_by(group):
            if could:
                return False  # other tiles may begin here
            self._waiting.add(group)
        elif could and (not self.members.groups or _joins(group, self.members)):
            self.members.add(group)
        elif not self.members.is_needed_by(group):
            self.earlier.append(group)
        else:
            if found := _Sum.of(group, self.members):
                self._sums.append(found)
            self._waiting.add(group)
        return True

    def tiled(self, readers: Mapping[Value, list[Group]]) -> list[Group | TiledGroups]:
        """The groups together, or one by one if that is not worthwhile."""
        groups = self.members.groups
        if not _is_worthwhile(groups, self._sums, readers):
            return [*groups]
        return [TiledGroups(groups, {found.cut(): found.axis for found in self._sums})]


class _Block:
    """Groups in order, with what they define."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.definitions: set[Definition] = set()
        self.values: set[Value] = set()

    def add(self, group: Group) -> None:
        self.groups.append(group)
        self.definitions.update(group)
        self.values.update(d.value for d in group)

    def is_needed_by(self, group: Group) -> bool:
        """Whether a group must come after one of these."""
        if not self.groups:
            return False
        waits = any(not self.definitions.isdisjoint(d.after) for d in group)
        return waits or any(r.source.root in self.values for d in group for r in d.reads())


class _Sum(Record):
    """A sum over the slices of what tiled groups make of each.

    Attributes:
        definition: what it is in.
        reduce: the sum.
        axis: that of the slices.
    """

    definition: Definition
    reduce: Reduce
    axis: Axis

    @staticmethod
    def of(group: Group, tiled: _Block) -> _Sum | None:
        """The sum in a group, if it has one that can be taken slice by slice."""
        summing = [d for d in group if d.body.reductions and not d.when]
        if len(summing) != 1 or len(summing[0].body.reductions) != 1:
            return None
        (definition,) = summing
        (reduce,) = definition.body.reductions
        waits = not tiled.definitions.isdisjoint(definition.after)
        if reduce.combiner != "sum" or waits or len(reduce.axes) < 2:
            return None
        slices = tiled.groups[0][0].axes[0]
        for axis in reduce.axes:
            if _same_extent(axis, slices) and _sums_slices(reduce, axis, tiled.values):
                size = typical_size(a.extent for a in definition.axes) * reduce.dtype.size
                steps = evaluations(a for a in reduce.axes if a is not axis)
                worthwhile = size <= SUM_BYTES and steps >= MIN_SUMMED_VALUES
                return _Sum(definition, reduce, axis) if worthwhile else None
        return None

    def cut(self) -> Definition:
        """The definition of the sums by part; the old one is changed to add these up."""
        old, reduce = self.definition, self.reduce
        mine = {a: Axis(a.extent, a.name) for a in old.axes}
        part = Axis(PARTS, "part")
        value = Value(f"{old.value.name} partial", (PARTS, *(a.extent for a in mine)), reduce.dtype)
        index = (part, *mine.values())
        body = Rewrite(axes={a: affine(new) for a, new in mine.items()})(reduce)
        store = tuple(map(affine, index))
        made = Definition(value, index, body, store, old.order, old.ops, set(old.after))
        row = Axis(PARTS, "part")
        read = Read(value, (affine(row), *map(affine, old.axes)), reduce.dtype)
        total = Reduce("sum", (row,), read, reduce.dtype)
        old.body = Replace(reduce, total)(old.body)
        return made


def _same_extent(one: Axis, other: Axis) -> bool:
    return same_shape((one.extent,), (other.extent,))


def _sums_slices(reduce: Reduce, axis: Axis, made: set[Value]) -> bool:
    """Whether a sum over the axis needs of each slice only that."""
    if any(isinstance(e, Position) for e in walk(reduce.body)):
        return False
    reads = reduce.body.reads
    passed = [read for read in reads if read.source.root in made]
    apart = all(is_sliced(read, axis) for read in reads if _uses(read, axis))
    return apart and bool(passed) and all(is_sliced(read, axis) for read in passed)


def _readers(groups: Sequence[Group]) -> dict[Value, list[Group]]:
    readers: dict[Value, list[Group]] = {}
    for group in groups:
        for value in {read.source.root for d in group for read in d.reads()}:
            readers.setdefault(value, []).append(group)
    return readers


def _joins(group: Group, tiled: _Block) -> bool:
    """Whether a group works on the same slices, and needs of the others' none than its own."""
    if not _same_extent(group[0].axes[0], tiled.groups[0][0].axes[0]):
        return False
    if any(not tiled.definitions.isdisjoint(d.after) for d in group):
        return False
    passed = [(d, read) for d in group for read in d.reads() if read.source.root in tiled.values]
    return all(is_sliced(read, d.axes[0]) for d, read in passed)


def _deciding(groups: Sequence[Group], readers: Mapping[Value, list[Group]]) -> set[Value]:
    """The words that say which kernels are needed, and what is only made for these words."""
    found = {word.source.root for group in groups for d in group for word in d.when}
    for group in reversed(groups):
        users = [d for each in group for user in readers.get(each.value, ()) for d in user]
        if users and all(d.value in found for d in users):
            found.update(d.value for d in group)
    return found


def _may_be_sliced(group: Group, deciding: AbstractSet[Value]) -> bool:
    """Whether a group can compute slice by slice, and loses nothing by it."""
    if not all(_slices(d) for d in group):
        return False
    least = 0 if all(d.value in deciding for d in group) else FEW_BYTES
    return least <= _bytes_of_slice(group) <= MOST_BYTES


def _bytes_of_slice(group: Group) -> int:
    """What a group reads and writes for one slice."""
    first = group[0].axes[0]
    shapes = {d.value: d.value.shape[1:] for d in group}
    for whole in {read.source.root for d in group for read in d.reads()}:
        sliced = whole.shape and _same_extent(first, Axis(whole.shape[0]))
        shapes[whole] = whole.shape[1:] if sliced else whole.shape
    return sum(typical_size(shape) * value.dtype.size for value, shape in shapes.items())


def _slices(definition: Definition) -> bool:
    if len(definition.axes) < 2 or evaluations(definition.axes[:1]) < MIN_SLICES:
        return False
    value, first = definition.value, definition.axes[0]
    if value.panel or not isinstance(value.storage, Temporary | FetchMemory | None):
        return False
    if not definition.store or not _walks_alone(definition.store, first):
        return False
    places = [e for e in walk(definition.body) if isinstance(e, Position)]
    if any(e.index.coefficient(first) or e.children for e in places):
        return False
    reads = definition.reads()
    moving = {r.source.root for r in reads if is_sliced(r, first)}
    whole = {r.source.root for r in reads if not is_sliced(r, first)}
    if moving & whole or any(_uses(r, first) and r.source.root in whole for r in reads):
        return False
    return _reuses(definition)


def _walks_alone(index: Sequence[Affine], first: Axis) -> bool:
    """Whether the first index is the axis, and no other one has to do with it."""
    return index[0].is_axis(first) and not any(at.coefficient(first) for at in index[1:])


def _uses(read: Read, axis: Axis) -> bool:
    return any(at.coefficient(axis) for at in read.index) or bool(read.children)


def is_sliced(read: Read, first: Axis) -> bool:
    """Whether a read is of the present slice of its value."""
    source, root = read.source, read.source.root
    if not read.index or read.children or root.panel or not root.shape or len(source.shape) < 2:
        return False
    slices = (first.extent,)
    same = same_shape(source.shape[:1], slices) and same_shape(root.shape[:1], slices)
    if source is not root and size(source.shape[1:]) != size(root.shape[1:]):
        return False  # of no slices at all, any two arrays have as many
    return same and _walks_alone(read.index, first)


def _reuses(definition: Definition) -> bool:
    """Whether a slice uses what it shares with others often enough not to wait for it."""
    for reduce in definition.body.reductions:
        total = evaluations((*definition.axes[1:], *reduce.axes))
        shared = [r.source for r in reduce.body.reads if not _uses(r, definition.axes[0])]
        if any(total < MIN_REUSE * typical_size(value.shape) for value in shared):
            return False
    return True


def _is_worthwhile(
    groups: Sequence[Group], sums: Sequence[_Sum], readers: Mapping[Value, list[Group]]
) -> bool:
    """Whether more passes between the kernels than would stay in the cache."""
    if len(groups) + len(sums) < 2:
        return False
    inside = [*groups, *([found.definition] for found in sums)]
    used = {read.source.root for group in inside for d in group for read in d.reads()}
    passed = [
        d.value
        for group in groups
        for d in group
        if not d.when  # or it is hardly ever made
        and d.value in used
        and any(r is not group for r in readers.get(d.value, ()))
    ]
    return sum(typical_size(value.shape) * value.dtype.size for value in passed) >= LEAST_BYTES
