"""Compute equal things once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from thalweg.base.dims import Dim
from thalweg.graph import Operation, Origin, Tensor
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import needed, rebuild


def deduplicate(plan: Plan) -> Plan:
    """Merge operations with equal records and inputs, unless each has an effect.

    a = Exp(x); b = Exp(x); y = a + b   ->   a = Exp(x); y = a + a
    """
    ops = needed(plan)
    merged = duplicates(ops)
    return rebuild(plan, merged=merged) if merged or len(ops) < len(plan.graph.operations) else plan


def duplicates(ops: Iterable[Operation]) -> Mapping[Operation, Operation]:
    """The operations that compute what an earlier one does, each with the first that does.

    Args:
        ops: what a plan needs, in graph order.
    """
    first: dict[Hashable, Operation] = {}
    merged: dict[Operation, Operation] = {}
    same: dict[Tensor, Tensor] = {}
    waits: dict[Operation, tuple[Operation, ...]] = {}
    for op in ops:
        waits[op] = (op,)
        if not _mergeable(op):
            continue
        control = _control(op, waits)
        inputs = tuple([same.get(tensor, tensor) for tensor in op.inputs])
        key = (type(op.record), op.record, inputs, control, _open_extents(op))
        found = first.setdefault(key, op)
        if found is not op:
            merged[op] = found
            waits[op] = (*control, found)
            same.update(zip(op.outputs, found.outputs, strict=True))
    return merged


def _control(
    op: Operation, waits: Mapping[Operation, tuple[Operation, ...]]
) -> tuple[Operation, ...]:
    """What runs before the operation when equal ones are merged, beyond its inputs."""
    if not op.control_inputs:
        return ()
    return tuple(dict.fromkeys([new for before in op.control_inputs for new in waits[before]]))


def _mergeable(op: Operation) -> bool:
    effects = op.record.effects
    if op.record.origin is Origin.FEED or effects.draws or effects.must_run:
        return False
    # All reads that wait for nothing see the value from before the run's writes.
    return not (effects.reads and op.control_inputs)


def _open_extents(op: Operation) -> tuple[bool, ...]:
    """Which extents of the outputs may differ in other runs; equal integers do not say."""
    return tuple([type(d) is Dim for t in op.outputs for d in t.static_shape or ()])
