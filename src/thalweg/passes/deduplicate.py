"""Compute equal things once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from thalweg.base.dims import Dim
from thalweg.graph import Operation, Origin, Tensor
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, rebuild


def deduplicate(plan: Plan) -> Plan:
    """Merge operations with equal records and inputs, unless each has an effect.

    a = Exp(x); b = Exp(x); y = a + b   ->   a = Exp(x); y = a + a
    """
    made: dict[Hashable, Sequence[Tensor]] = {}

    def step(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if not _mergeable(op):
            return None
        key = (type(op.record), op.record, inputs, new.control(op), _open_extents(op))
        if key not in made:
            made[key] = new.copy(op, inputs).outputs
        return made[key]

    return rebuild(plan, step)


def _mergeable(op: Operation) -> bool:
    effects = op.record.effects
    if op.record.origin is Origin.FEED or effects.draws or effects.must_run:
        return False
    # All reads that wait for nothing see the value from before the run's writes.
    return not (effects.reads and op.control_inputs)


def _open_extents(op: Operation) -> tuple[bool, ...]:
    """Which extents of the outputs may differ in other runs; equal integers do not say."""
    return tuple([type(d) is Dim for t in op.outputs for d in t.static_shape or ()])
