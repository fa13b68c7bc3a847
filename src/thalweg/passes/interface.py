"""What a session must know of a plan."""

from __future__ import annotations

from thalweg.base.shapes import known
from thalweg.ops.state.variable import Assign, ReadVariable
from thalweg.passes.order import order
from thalweg.passes.plan import Interface, Plan


def interface(plan: Plan) -> Interface:
    """A plan as those see it who run it."""
    needs: set[str] = set()
    writes: set[str] = set()
    for op in order(plan):
        if isinstance(op.record, Assign):
            writes.add(op.inputs[0].op.name)
        elif isinstance(op.record, ReadVariable) and op.inputs[0].op.name not in writes:
            needs.add(op.inputs[0].op.name)
    fetches = tuple((known(tensor.static_shape), tensor.dtype) for tensor in plan.fetches)
    types = {op.name: op.type for op in plan.graph.operations}
    return Interface(len(plan.feeds), fetches, frozenset(needs), frozenset(writes), types)
