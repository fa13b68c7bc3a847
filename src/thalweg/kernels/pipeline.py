"""From a plan to scheduled kernels: the order of the kernel passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from thalweg.base.dtypes import DType
from thalweg.formula import Read
from thalweg.kernels.checks import Checked
from thalweg.kernels.fuse import fuse
from thalweg.kernels.inline import inline
from thalweg.kernels.lower import Lowering
from thalweg.kernels.memory import Arena, plan_memory
from thalweg.kernels.narrow import narrow
from thalweg.kernels.nest import Nest, Store, make_nest, row_major
from thalweg.kernels.pack import pack
from thalweg.kernels.padding import merge_padding
from thalweg.kernels.recompute import recompute
from thalweg.kernels.reindex import reindex
from thalweg.kernels.schedule import Machine, Schedule
from thalweg.kernels.split import split
from thalweg.kernels.values import Definition, Fetch, Temporary, Value
from thalweg.passes.plan import Plan
from thalweg.passes.schedule import order


@dataclass(frozen=True)
class Kernels:
    """A plan as loop nests in order, the memory of their temporaries, and what they check."""

    nests: tuple[tuple[Nest, Schedule], ...]
    arena: Arena
    checked: tuple[Checked, ...] = ()


def make_kernels(
    plan: Plan,
    machine: Machine,
    choose: Callable[[Nest], Schedule],
    picked: Mapping[int, DType],
) -> Kernels:
    """Lower, inline, split, pack and fuse a plan, and choose how its nests run.

    Args:
        plan: what to compute.
        machine: what it runs on.
        choose: the schedule of a nest.
        picked: the feeds, by number, of which each step takes other rows, with their dtype.
    """
    lowering = Lowering(order(plan), plan.feeds, plan.fetches, picked)
    definitions = lowering.definitions
    kept = {d.value for d in definitions if isinstance(d.value.storage, Fetch)}
    definitions = inline(reindex(definitions, kept), kept)
    definitions = merge_padding(definitions, kept)
    definitions = narrow(definitions, kept)
    definitions = pack(split(definitions, machine), machine)
    groups = recompute(fuse(definitions), kept)
    _store_what_is_shared(groups)
    nests = tuple(_scheduled(group, choose) for group in groups)
    arena = plan_memory([_touched(nest) for nest, _ in nests])
    return Kernels(nests, arena, tuple(lowering.checked))


def _readers(groups: Sequence[Sequence[Definition]]) -> dict[Value, set[int]]:
    readers: dict[Value, set[int]] = {}
    for number, group in enumerate(groups):
        for definition in group:
            for read in definition.reads():
                readers.setdefault(read.source.root, set()).add(number)
    return readers


def _store_what_is_shared(groups: Sequence[Sequence[Definition]]) -> None:
    """Give memory to values that other kernels read."""
    readers, count = _readers(groups), 0
    for number, group in enumerate(groups):
        for definition in group:
            value = definition.value
            outside = readers.get(value, set()) - {number}
            if value.storage is None and outside:
                value.storage = Temporary(count)
                count += 1


def _scheduled(
    group: Sequence[Definition], choose: Callable[[Nest], Schedule]
) -> tuple[Nest, Schedule]:
    """The group's nest, with memory for unfinished sums if its schedule needs some."""
    nest = make_nest(group, lambda value: value.storage is not None)
    chosen = choose(nest)
    if not chosen.chunk:
        return nest, chosen
    (reduce,) = nest.reductions
    order = sorted(nest.axes, key=lambda axis: axis is chosen.vector)
    shape = tuple(axis.extent for axis in order)
    sums = Value(f"sums of {group[0].value.name}", shape, reduce.dtype, Temporary(-1))
    scratch = Store(len(nest.slots), row_major(order), reduce, reduce.dtype)
    return replace(nest, slots=(*nest.slots, sums), scratch=scratch), chosen


def _touched(nest: Nest) -> tuple[list[Value], list[Value]]:
    """The temporaries that a nest reads, and those it writes."""
    read = {nest.slots[e.source] for e in nest.exprs if isinstance(e, Read)}
    written = {nest.slots[store.slot] for store in nest.stores}
    if nest.scratch is not None:
        written.add(nest.slots[nest.scratch.slot])
    return ([v for v in read if _is_temporary(v)], [v for v in written if _is_temporary(v)])


def _is_temporary(value: Value) -> bool:
    return isinstance(value.storage, Temporary)
