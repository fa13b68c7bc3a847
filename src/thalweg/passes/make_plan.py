"""The passes in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.fallback import first_working
from thalweg.base.shapes import show
from thalweg.graph import Operation, Origin, Tensor
from thalweg.graph.op import known_specs
from thalweg.graph.verify import verify
from thalweg.passes.deduplicate import deduplicate
from thalweg.passes.fold import fold
from thalweg.passes.plan import Plan
from thalweg.passes.prune import NOTHING
from thalweg.passes.rebuild import needed
from thalweg.passes.simplify import simplify
from thalweg.passes.specialise import specialise
from thalweg.passes.stable_logs import stable_logs

PASSES: tuple[Callable[[Plan], Plan], ...] = (simplify, stable_logs, fold, deduplicate)


def make_plan(
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    fed: Mapping[Tensor, tuple[int, ...]],
    values: Mapping[Tensor, np.ndarray[Any, Any]],
    done: Collection[Operation] = NOTHING,
) -> Plan:
    """What a run with these fetches and feeds computes, in its simplest form; see `specialise`.

    Raises:
        InvalidArgumentError: if a shape depends on what only the run itself can tell.
    """
    plan = fold(specialise(fetches, targets, fed, values, done))
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
    if not known_specs([tensor.spec for tensor in op.outputs]):
        known = ", ".join(show(tensor.static_shape) for tensor in op.outputs)
        raise InvalidArgumentError(
            f"{op.type.lower()}: the feeds' shapes do not determine the shape: {known}\n"
            f"  at {op.source}"
        )
