"""Group definitions over one index space into kernels.

    before:  y[i, j] = sum over k of a[i, k] * b[k, j]      z[i, j] = max(y[i, j] + c[j], 0)
    after:   one loop over i, j that computes both, with z as the epilogue of the sum

Two kernels merge only if nothing has to run between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise

from thalweg.base.shapes import size
from thalweg.formula import Read, Reduce, walk
from thalweg.kernels.inline import evaluations
from thalweg.kernels.values import Definition, Storage, Value, Variable, Verdict

WINDOW = 16  # elements up to which a reduction is small


@dataclass(eq=False)
class Group:
    """Definitions that become one kernel, in order."""

    members: list[Definition]
    before: set[Group] = field(default_factory=set)

    @property
    def domain(self) -> tuple[int, ...]:
        return tuple(axis.extent for axis in self.members[0].axes)

    @property
    def order(self) -> int:
        return max(d.order for d in self.members)

    @property
    def is_pointwise(self) -> bool:
        return all(d.is_pointwise for d in self.members)

    @property
    def is_windowed(self) -> bool:
        """Whether every reduction is over a few elements, such as a pooling window."""
        reduces = [e for d in self.members for e in walk(d.body) if isinstance(e, Reduce)]
        return all(evaluations(r.axes) <= WINDOW for r in reduces)


def fuse(definitions: list[Definition]) -> list[list[Definition]]:
    """Kernels as lists of definitions, in an order that respects every dependency."""
    groups = _initial_groups(definitions)
    owner = {d: g for g in groups for d in g.members}
    for definition in definitions:
        for producer in _producers(definition, owner):
            _try_merge(owner, owner[producer], owner[definition])
    _merge_siblings(owner, definitions)
    return [sorted(g.members, key=lambda d: d.order) for g in _in_order(set(owner.values()))]


def _initial_groups(definitions: list[Definition]) -> list[Group]:
    groups = {d: Group([d]) for d in definitions}
    made = {d.value: d for d in definitions}
    for definition in definitions:
        sources = {made[r.source.root] for r in definition.reads() if r.source.root in made}
        for before in (sources | definition.after) - {definition}:
            groups[definition].before.add(groups[before])
    return list(groups.values())


def _producers(definition: Definition, owner: dict[Definition, Group]) -> list[Definition]:
    made = {d.value: d for d in owner}
    found = {r.source.root for r in definition.reads()} & made.keys()
    return sorted((made[value] for value in found), key=lambda d: d.order)


def _try_merge(owner: dict[Definition, Group], first: Group, second: Group) -> bool:
    if first is second or not _may_share_loop(first, second):
        return False
    if _reaches_around(first, second) or _reaches_around(second, first):
        return False
    for group in set(owner.values()):
        if second in group.before:
            group.before.discard(second)
            group.before.add(first)
    first.members += second.members
    first.before |= second.before
    first.before.discard(first)
    first.before.discard(second)
    for member in second.members:
        owner[member] = first
    return True


def _may_share_loop(first: Group, second: Group) -> bool:
    members = first.members + second.members
    if any(isinstance(d.value.storage, Verdict) for d in members):
        return False  # what comes after a check must not run where it fails
    if first.domain != second.domain or not all(d.stores_in_place for d in members):
        return False
    windows = first.is_windowed and second.is_windowed
    if not (first.is_pointwise or second.is_pointwise or windows):
        return False
    written = {d.value.root for d in members}
    stored: AbstractSet[Storage] = {
        d.value.storage for d in members if isinstance(d.value.storage, Variable)
    }
    return all(_elementwise(d, written, stored) for d in members)


def _elementwise(definition: Definition, written: set[Value], stored: AbstractSet[Storage]) -> bool:
    """Whether what the group writes is read only at the point being computed."""
    inside = {id(e) for r in walk(definition.body) if isinstance(r, Reduce) for e in walk(r.body)}
    for read in definition.reads():
        if read.source.root in written or read.source.root.storage in stored:
            direct = read.source.base is None and _at_point(read, definition)
            if not direct or id(read) in inside:
                return False
    return True


def _at_point(read: Read, definition: Definition) -> bool:
    return len(read.index) == len(definition.axes) and all(
        at.is_axis(axis) for at, axis in zip(read.index, definition.axes, strict=True)
    )


def _reaches_around(first: Group, second: Group) -> bool:
    """Whether a path leads from `first` through some other group to `second`."""
    pending = [g for g in second.before if g is not first]
    seen: set[Group] = set()
    while pending:
        group = pending.pop()
        if group is first:
            return True
        if group not in seen:
            seen.add(group)
            pending.extend(group.before)
    return False


def _merge_siblings(owner: dict[Definition, Group], definitions: list[Definition]) -> None:
    """Merge light kernels over one index space that read a common array, or are all scalar."""
    readers: dict[object, list[Definition]] = {}
    for definition in definitions:
        if owner[definition].is_windowed:
            if size([a.extent for a in definition.axes]) == 1:
                readers.setdefault("scalar", []).append(definition)
            for read in definition.reads():
                if read.source.size > 1:
                    readers.setdefault(read.source.root, []).append(definition)
    for users in readers.values():
        for a, b in pairwise(users):
            _try_merge(owner, owner[a], owner[b])


def _in_order(groups: Iterable[Group]) -> list[Group]:
    """Topological order, earliest operations first."""
    pending = sorted(groups, key=lambda g: g.order)
    done: set[Group] = set()
    result: list[Group] = []
    while pending:
        ready = next(g for g in pending if g.before <= done)
        pending.remove(ready)
        done.add(ready)
        result.append(ready)
    return result
