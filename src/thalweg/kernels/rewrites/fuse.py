"""Group definitions over one index space into kernels.

    before:  y[i, j] = sum[k](a[i, k] * b[k, j])      z[i, j] = max(y[i, j] + c[j], 0)
    after:   one loop over i, j that computes both, with z as the epilogue of the sum

Two kernels merge only if nothing has to run between them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from thalweg.base.shapes import same_shape, size, typical_size
from thalweg.kernels.rewrites.concatenate_in_place import is_concatenation
from thalweg.kernels.rewrites.contraction import evaluations, is_contraction
from thalweg.kernels.values import Definition, Value, VariableMemory, Verdict, reads_elementwise

WINDOW = 16  # elements up to which a reduction is small
MOST_PARTS = 150  # expressions of a kernel, which LLVM compiles as one function
EXPANDED = 2  # times as large as what it is made of


class _Group:
    """Definitions that become one kernel, in order.

    Attributes:
        members: the definitions.
        before: groups that must run earlier.
        after: groups that must run later.
        order: place of the last member in the schedule of the graph's operations.
        first: place of the first member among all definitions.
        last: the same of the last one.
        is_pointwise: whether every member is.
        is_windowed: whether every reduction is over a few elements, such as a pooling window.
        reduced: the extents that every reduction is over, if none of them is a contraction and all
            are over the same; else None.
        parts: how many expressions its members have.
        is_concatenation: whether it concatenates values, which is no kernel in the end.
    """

    def __init__(self, member: Definition, place: int) -> None:
        self.members = [member]
        self.before: set[_Group] = set()
        self.after: set[_Group] = set()
        self.order = member.order
        self.first = self.last = place
        self.is_pointwise = member.is_pointwise
        self.is_windowed = all(evaluations(r.axes) <= WINDOW for r in member.body.reductions)
        self.reduced = _reduced(member)
        self.parts = member.body.parts
        self.is_concatenation = member.value.storage is None and is_concatenation(member)

    @property
    def domain(self) -> tuple[int, ...]:
        return tuple(axis.extent for axis in self.members[0].axes)

    def follow(self, earlier: _Group) -> None:
        """Note that this group must run after another one."""
        self.before.add(earlier)
        earlier.after.add(self)

    def absorb(self, other: _Group) -> None:
        """Take over the members of another group and its place among the others."""
        self.members += other.members
        self.order = max(self.order, other.order)
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.parts += other.parts
        self.is_pointwise = self.is_pointwise and other.is_pointwise
        self.is_windowed = self.is_windowed and other.is_windowed
        self.reduced = self.reduced if self.reduced == other.reduced else None
        for earlier in other.before:
            earlier.after.discard(other)
            if earlier is not self:
                self.follow(earlier)
        for later in other.after:
            later.before.discard(other)
            if later is not self:
                later.follow(self)


def _reduced(definition: Definition) -> tuple[int, ...] | None:
    over = {tuple(axis.extent for axis in r.axes) for r in definition.body.reductions}
    return over.pop() if len(over) == 1 and not is_contraction(definition) else None


class _Owners:
    """The group of each definition.

    Args:
        definitions: in execution order.
    """

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._owner = {d: _Group(d, n) for n, d in enumerate(definitions)}
        self._lowest = np.arange(len(definitions))  # by place: where the groups across it begin

    def of(self, definition: Definition) -> _Group:
        """Its group."""
        return self._owner[definition]

    def try_merge(self, one: Definition, other: Definition) -> None:
        """Merge the groups of two definitions if that is allowed."""
        first, second = self.of(one), self.of(other)
        if first is second or not _may_share_loop(first, second):
            return
        if self._reaches_around(first, second) or self._reaches_around(second, first):
            return
        first.absorb(second)
        for member in second.members:
            self._owner[member] = first
        across = self._lowest[first.first : first.last + 1]
        np.minimum(across, first.first, out=across)

    def _reaches_around(self, first: _Group, second: _Group) -> bool:
        """Whether a path leads from `first` through some other group to `second`."""
        if first.after <= {second} or first in second.after:  # nowhere else to go, or no way back
            return False
        lowest = self._lowest_after(first)
        pending = [g for g in second.before if g is not first and g.first >= lowest]
        seen: set[_Group] = set()
        while pending:
            group = pending.pop()
            if group is first:
                return True
            if group not in seen:
                seen.add(group)
                pending += [g for g in group.before if g.first >= lowest]
        return False

    def _lowest_after(self, group: _Group) -> int:
        """A place before which no group begins that must run after this one.

        What runs after a member has a later place. So a path of groups comes to earlier places only
        by groups that lie across a place, with members on both sides of it.
        """
        place = group.first
        while self._lowest[place] < place:
            place = int(self._lowest[place])
        return place


def fuse(definitions: list[Definition]) -> list[list[Definition]]:
    """Kernels as lists of definitions, in an order that respects every dependency."""
    owners = _Owners(definitions)
    made = {d.value: d for d in definitions}
    groups = [owners.of(definition) for definition in definitions]
    for definition in definitions:
        for earlier in _producers(definition, made) + list(definition.after):
            if earlier is not definition:
                owners.of(definition).follow(owners.of(earlier))
    for definition in definitions:
        for producer in _producers(definition, made):
            owners.try_merge(producer, definition)
    _merge_siblings(owners, definitions)
    left = [group for group in groups if owners.of(group.members[0]) is group]
    return [sorted(g.members, key=lambda d: d.order) for g in _in_order(left)]


def _producers(definition: Definition, made: Mapping[Value, Definition]) -> list[Definition]:
    found = {r.source.root for r in definition.reads()} & made.keys()
    return sorted((made[value] for value in found), key=lambda d: d.order)


def _may_share_loop(first: _Group, second: _Group) -> bool:
    if first.parts + second.parts > MOST_PARTS:
        return False
    members = first.members + second.members
    if first.is_concatenation or second.is_concatenation or any(d.when for d in members):
        return False
    if any(isinstance(d.value.storage, Verdict) for d in members):
        return False  # what comes after a check must not run where it fails
    if not same_shape(first.domain, second.domain) or not all(d.stores_in_place for d in members):
        return False
    if any(d.value.panel for d in members) and any(map(is_contraction, members)):
        return False  # the panels are not of the tiles' shape
    windows = first.is_windowed and second.is_windowed
    alike = first.reduced is not None and first.reduced == second.reduced
    if not (first.is_pointwise or second.is_pointwise or windows or alike):
        return False
    written = {d.value.root for d in members}
    stored = {d.value.storage for d in members if isinstance(d.value.storage, VariableMemory)}

    def is_written(value: Value) -> bool:
        return value in written or value.storage in stored

    return all(reads_elementwise(d, is_written) for d in members)


def _merge_siblings(owners: _Owners, definitions: list[Definition]) -> None:
    """Merge light kernels over one index space that read a common array, or are all scalar."""
    readers: dict[object, list[Definition]] = {}
    for definition in definitions:
        if _expands(definition):  # what is read once less is little beside what is written
            continue
        group = owners.of(definition)
        if group.is_windowed or group.reduced is not None:
            if size([a.extent for a in definition.axes]) == 1:
                readers.setdefault("scalar", []).append(definition)
            for read in definition.reads():
                if read.source.size > 1:
                    readers.setdefault(read.source.root, []).append(definition)
    for users in readers.values():
        for a, b in pairwise(users):
            owners.try_merge(a, b)


def _expands(definition: Definition) -> bool:
    """Whether a value is much larger than all that it is computed from."""
    sources = {read.source.root for read in definition.reads()}
    read = sum(typical_size(value.shape) for value in sources)
    return typical_size(definition.value.shape) > EXPANDED * read > 0


def _in_order(groups: Sequence[_Group]) -> list[_Group]:
    """Topological order, earliest operations first."""
    missing = {group: len(group.before) for group in groups}
    place = {group: (group.order, n) for n, group in enumerate(groups)}
    ready = [(*place[group], group) for group in groups if not missing[group]]
    heapq.heapify(ready)
    result: list[_Group] = []
    while ready:
        group = heapq.heappop(ready)[-1]
        result.append(group)
        for later in group.after:
            missing[later] -= 1
            if not missing[later]:
                heapq.heappush(ready, (*place[later], later))
    return result
