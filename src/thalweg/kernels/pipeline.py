"""From a plan to scheduled kernels: the order of the kernel passes.

Passes take definitions and give definitions, and they change the bodies of those that they are
given: a definition stands for one value from the first pass to the last, and those that must wait
for it hold on to it. In strict mode a verifier checks after every pass whatever has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from thalweg.base import settings
from thalweg.base.dtypes import DType
from thalweg.base.fallback import first_working
from thalweg.base.record import replace
from thalweg.formula import Read
from thalweg.kernels.kernel import Kernel, Kernels, TiledKernels, kernels_of
from thalweg.kernels.lower.checks import Checked
from thalweg.kernels.lower.lower import Lowering
from thalweg.kernels.memory import lifetimes
from thalweg.kernels.nests.blocks import is_blocked, levels
from thalweg.kernels.nests.form import form_of
from thalweg.kernels.nests.nest import Nest, Store, make_nest, ops_of, row_major
from thalweg.kernels.rewrites.accumulate import accumulate
from thalweg.kernels.rewrites.concatenate_in_place import concatenate_in_place
from thalweg.kernels.rewrites.copy_where_computed import copy_where_computed
from thalweg.kernels.rewrites.fuse import fuse
from thalweg.kernels.rewrites.inline import inline
from thalweg.kernels.rewrites.merge_padding import merge_padding
from thalweg.kernels.rewrites.pack import pack
from thalweg.kernels.rewrites.reindex import reindex
from thalweg.kernels.rewrites.rematerialise import rematerialise
from thalweg.kernels.rewrites.shrink_to_reads import shrink_to_reads
from thalweg.kernels.rewrites.slice_groups import slice_groups
from thalweg.kernels.rewrites.split_reductions import split_reductions
from thalweg.kernels.rewrites.tile_depth_first import Group, TiledGroups, tile_depth_first
from thalweg.kernels.rewrites.use_winograd import use_winograd
from thalweg.kernels.schedules.schedule import Machine, Schedule, plain
from thalweg.kernels.values import (
    Definition,
    FetchMemory,
    Temporary,
    Value,
    whole,
)
from thalweg.kernels.verify import Verifier, verify_nest, verify_updates
from thalweg.passes.order import order
from thalweg.passes.plan import Plan

Unit = Group | TiledGroups


def make_kernels(
    plan: Plan,
    machine: Machine,
    choose: Callable[[Nest], Schedule],
    batched_feeds: Mapping[int, DType],
    begin: Callable[[Nest, Schedule], None] = lambda nest, schedule: None,
    winograd: bool = True,
) -> Kernels:
    """Lower, inline, split, pack and fuse a plan, and choose how its nests run.

    Args:
        plan: what to compute.
        machine: what it runs on.
        choose: the schedule of a nest.
        batched_feeds: the feeds, by number, of which each step takes other rows, with their dtype.
        begin: told each kernel that is not like one before, as soon as it is known.
        winograd: whether convolutions may be computed with fewer multiplications.
    """
    scheduled = _Scheduler(choose, begin).kernel
    lowering = Lowering(order(plan), plan.feeds, plan.fetches, batched_feeds)
    units = tile_depth_first(_groups_of(lowering.definitions, machine, winograd))
    shared = _store_what_is_shared(units)
    units = _copied_early([part for unit in units for part in _concatenated(unit)])
    if settings.is_strict():
        for _, group in _numbered(units):
            verify_updates(group, "concatenate_in_place")
    return _kernels(units, shared, scheduled, lowering.checked)


def make_plain_kernels(plan: Plan, batched_feeds: Mapping[int, DType]) -> Kernels:
    """A kernel for each operation, with no pass and no schedule that could go wrong.

    Args:
        plan: what to compute.
        batched_feeds: as for `make_kernels`.
    """
    lowering = Lowering(order(plan), plan.feeds, plan.fetches, batched_feeds)
    groups = [[definition] for definition in lowering.definitions]
    shared = _store_what_is_shared(groups)
    return _kernels(groups, shared, _Scheduler(plain).kernel, lowering.checked)


def _groups_of(definitions: list[Definition], machine: Machine, winograd: bool) -> list[Group]:
    """The definitions after all passes, as groups that become one kernel each."""
    kept = {d.value for d in definitions if isinstance(d.value.storage, FetchMemory)}
    verifier = Verifier(kept) if settings.is_strict() else None

    def run(rewrite: Callable[..., list[Definition]], *arguments: object) -> None:
        definitions[:] = rewrite(list(definitions), *arguments)
        if verifier:
            verifier.check(definitions, rewrite.__name__)

    run(reindex, kept)
    run(accumulate, kept)
    run(inline, kept)
    run(merge_padding, kept)
    run(shrink_to_reads, kept)
    count = len(definitions)
    if winograd:
        run(use_winograd)
    if len(definitions) > count:
        run(reindex, kept)
    run(split_reductions, machine)
    run(pack, machine)
    groups = fuse(definitions)
    if verifier:
        verifier.check_groups(groups, "fuse")
    groups = rematerialise(groups, kept)
    if verifier:
        verifier.check_groups(groups, "rematerialise")
    return groups


def _kernels(
    units: Sequence[Unit],
    shared: AbstractSet[Value],
    scheduled: Callable[[Group], Kernel],
    checked: Sequence[Checked],
) -> Kernels:
    parts = tuple(_part(unit, shared, scheduled) for unit in units)
    temporaries = lifetimes([_touched_by(part) for part in parts])
    return Kernels(parts, temporaries, tuple(checked))


def _store_what_is_shared(units: Sequence[Unit]) -> set[Value]:
    """Give memory to values that other kernels read; those that are read outside of their unit."""
    flat = _numbered(units)
    readers = _readers(flat)
    shared: set[Value] = set()
    count = 0
    for number, group in flat:
        for value in [d.value for d in group]:
            users = [n for n, user in readers.get(value, ()) if user is not group]
            if users and value.storage is None:
                value.storage = Temporary(count)
                count += 1
            if any(n != number for n in users):
                shared.add(value)
    return shared


def _numbered(units: Sequence[Unit]) -> list[tuple[int, Group]]:
    """All groups, each with the place of its unit."""
    return [(n, group) for n, unit in enumerate(units) for group in _groups(unit)]


def _readers(groups: Sequence[tuple[int, Group]]) -> dict[Value, list[tuple[int, Group]]]:
    """The groups that read each value."""
    readers: dict[Value, list[tuple[int, Group]]] = {}
    for number, group in groups:
        for value in {read.source.root for d in group for read in d.reads()}:
            readers.setdefault(value, []).append((number, group))
    return readers


def _concatenated(unit: Unit) -> Sequence[Unit]:
    """A group, without what its value shares memory with."""
    if isinstance(unit, TiledGroups) or len(unit) > 1:
        return [unit]
    return [[definition] for definition in concatenate_in_place(unit[0])]


def _copied_early(units: Sequence[Unit]) -> list[Unit]:
    """Let kernels copy what they compute to where it is concatenated with others."""
    copied = copy_where_computed([unit for unit in units if not isinstance(unit, TiledGroups)])
    readers = _readers(_numbered(units)) if copied else {}
    for value in copied:
        alone = all(any(d.value is value for d in user) for _, user in readers[value])
        if alone and isinstance(value.storage, Temporary):
            value.storage = None  # nobody else wants it
    return [unit for unit in units if isinstance(unit, TiledGroups) or unit]


def _groups(unit: Unit) -> Sequence[Group]:
    return unit.members if isinstance(unit, TiledGroups) else (unit,)


def _part(
    unit: Unit, shared: AbstractSet[Value], scheduled: Callable[[Group], Kernel]
) -> Kernel | TiledKernels:
    """The kernel of a group, or those of several that are tiled."""
    if not isinstance(unit, TiledGroups):
        return scheduled(unit)
    sliced = slice_groups(unit, shared)
    before = tuple(map(scheduled, sliced.before))
    kernels = tuple(map(scheduled, sliced.groups))
    private = {*sliced.private, *(n.slots[s.slot] for n, _ in kernels for s in n.scratch)}
    own = [_those(_touched(nest), lambda value: value in private) for nest, _ in kernels]
    return TiledKernels(before, kernels, sliced.extent, sliced.parts, lifetimes(own))


class _Scheduler:
    """Makes the kernel of a group; one for all groups of a form, but for what they read and write.

    Args:
        choose: the schedule of a nest.
        begin: told each kernel that is not like one before.
    """

    def __init__(
        self,
        choose: Callable[[Nest], Schedule],
        begin: Callable[[Nest, Schedule], None] = lambda nest, schedule: None,
    ) -> None:
        self._choose, self._begin = choose, begin
        self._made: dict[Hashable, tuple[Kernel, list[int]]] = {}

    def kernel(self, group: Group) -> Kernel:
        """The kernel."""
        form = form_of(group, _is_stored)
        if form.key not in self._made:
            kernel = self._first(group)
            place = {value: n for n, value in enumerate(form.values)}
            self._made[form.key] = kernel, [place[value] for value in kernel[0].slots]
        (model, chosen), places = self._made[form.key]
        nest = model.over(tuple([form.values[n] for n in places]), ops_of(group))
        return _with_memory(nest, chosen), chosen

    def _first(self, group: Group) -> Kernel:
        """The kernel of a group unlike all before, still without memory for unfinished sums."""
        nest = make_nest(group, _is_stored)
        if settings.is_strict():
            verify_nest(nest)

        def begun() -> Kernel:
            chosen = self._choose(nest)
            self._begin(_with_memory(nest, chosen), chosen)
            return nest, chosen

        return first_working("to write a kernel", begun, begun)  # plainly, the second time


def _is_stored(value: Value) -> bool:
    return value.storage is not None


def _with_memory(nest: Nest, schedule: Schedule) -> Nest:
    return with_scratch(nest, schedule) if schedule.k_block else nest


def with_scratch(nest: Nest, schedule: Schedule) -> Nest:
    """The nest with memory for unfinished sums and for the totals of their blocks."""
    (reduce,) = nest.reductions
    order = sorted(nest.axes, key=lambda axis: axis is schedule.vector)
    shape, place = tuple(axis.extent for axis in order), row_major(order)
    name, dtype = f"sums of {nest.slots[nest.stores[0].slot].name}", reduce.dtype
    totals = levels(reduce.axes) if is_blocked(reduce) else []
    slots = [Value(name, shape, dtype, Temporary(-1)) for _ in (reduce, *totals)]
    stores = [Store(len(nest.slots) + n, place, reduce, dtype) for n in range(len(slots))]
    return replace(nest, slots=(*nest.slots, *slots), scratch=tuple(stores))


Touched = tuple[list[Value], list[Value]]  # what is read, and what is written


def _touched_by(part: Kernel | TiledKernels) -> Touched:
    """The temporaries in the arena that a part of the program reads, and those it writes."""
    own = part.private if isinstance(part, TiledKernels) else ()
    every = [_those(_touched(nest), lambda v: v not in own) for nest, _ in kernels_of(part)]
    read, written = ([whole(v) for both in every for v in both[n]] for n in (0, 1))
    return read, written


def _those(touched: Touched, chosen: Callable[[Value], bool]) -> Touched:
    read, written = touched
    return [v for v in read if chosen(v)], [v for v in written if chosen(v)]


def _touched(nest: Nest) -> Touched:
    """The temporaries that a nest reads, and those it writes."""
    read = {nest.slots[e.source] for e in nest.exprs if isinstance(e, Read)}
    written = {nest.slots[store.slot] for store in nest.stores}
    written |= {nest.slots[store.slot] for store in nest.scratch}
    read.update(nest.slots[slot] for slot in nest.when)
    return [v for v in read if _is_temporary(v)], [v for v in written if _is_temporary(v)]


def _is_temporary(value: Value) -> bool:
    return isinstance(whole(value).storage, Temporary)
