"""The passes in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.fallback import first_working
from thalweg.base.shapes import show
from thalweg.graph import Operation, Origin
from thalweg.graph.op import is_planned
from thalweg.graph.verify import verify
from thalweg.passes.deduplicate import deduplicate
from thalweg.passes.fold import fold
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import needed
from thalweg.passes.simplify import simplify
from thalweg.passes.stable_logs import stable_logs
from thalweg.passes.trim import trim

PASSES: tuple[Callable[[Plan], Plan], ...] = (simplify, stable_logs, fold, deduplicate, trim)


def simplest(plan: Plan) -> Plan:
    """A plan for known shapes in its simplest form.

    Raises:
        InvalidArgumentError: if a shape depends on what only the run itself can tell.
    """
    plan = fold(plan)
    for op in needed(plan):
        _check_settled(op)
    for step in PASSES:
        plan = first_working("to simplify a graph", partial(_run, step, plan), partial(_same, plan))
    return plan


def _run(step: Callable[[Plan], Plan], plan: Plan) -> Plan:
    """The plan after a pass, which must have left a graph that is sound."""
    made = step(plan)
    if made is not plan:
        verify(made.graph, (*made.feeds, *made.fetches), step.__name__)
    return made


def _same(plan: Plan) -> Plan:
    return plan


def _check_settled(op: Operation) -> None:
    for number in op.record.static:
        value = op.inputs[number]
        if value.op.record.origin is not Origin.CONSTANT:
            raise InvalidArgumentError(
                f"{op.type.lower()}: the value of {value.name!r} decides about shapes, so it may "
                "depend on shapes, constants and feeds, but not on variables or random numbers\n"
                f"  at {op.source}\n  {value.name!r} was made at {value.op.source}"
            )
    if not is_planned(op):
        known = ", ".join(show(tensor.static_shape) for tensor in op.outputs)
        raise InvalidArgumentError(
            f"{op.type.lower()}: the feeds' shapes do not determine the shape: {known}\n"
            f"  at {op.source}"
        )
