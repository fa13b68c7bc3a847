"""What a session must know of a plan."""

from __future__ import annotations

from thalweg.graph import Tensor
from thalweg.passes.order import order
from thalweg.passes.plan import RUN_TIME, Interface, Plan
from thalweg.passes.signature import with_inner


def interface(plan: Plan) -> Interface:
    """A plan as those see it who run it."""
    needs: set[str] = set()
    writes: set[str] = set()
    for op in order(plan):
        effects = op.record.effects
        needs |= {op.inputs[n].op.name for n in effects.reads} - writes
        writes |= {op.inputs[n].op.name for n in effects.writes}
    fetches = tuple((extents(tensor), tensor.dtype) for tensor in plan.fetches)
    types = {op.name: op.type for op in with_inner(plan.graph.operations)}
    return Interface(len(plan.feeds), fetches, frozenset(needs), frozenset(writes), types)


def extents(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a plan's tensor, in which only the run may know the first extent."""
    return tuple([RUN_TIME if extent is None else extent for extent in tensor.static_shape or ()])
