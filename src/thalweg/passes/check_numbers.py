"""Check every floating-point number that a run computes, to find where the first NaN came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from thalweg.graph import Body, Operation, Tensor
from thalweg.ops.control.control_flow import ControlFlow
from thalweg.ops.control.numerics import CheckNumerics
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, rebuild


def check_numbers(plan: Plan) -> Plan:
    """The plan with a check behind each operation, in the bodies of loops and branches, too.

    y = Log(x); z = Mul(y, y)    ->    y = CheckNumerics(Log(x)); z = CheckNumerics(Mul(y, y))
    """
    return rebuild(plan, _checked)


def _checked(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
    record, does = op.record, op.record.effects
    if record.bodies:
        inner = [_checked_body(new, body) for body in record.bodies]
        return new.add(op, cast("ControlFlow", record).with_bodies(inner), inputs).outputs
    if record.origin is not None or does.writes or does.acts:  # such as a check that is there
        return None
    return [_behind(new, tensor) for tensor in new.copy(op, inputs).outputs]


def _behind(new: Rebuild, tensor: Tensor) -> Tensor:
    """A tensor, checked if its numbers may be infinite or NaN."""
    if not tensor.dtype.is_floating:
        return tensor
    record = CheckNumerics(f"{tensor.op.name} ({tensor.op.type})")
    return new.graph.add(record, (tensor,), f"{tensor.op.name}/CheckNumerics").outputs[0]


def _checked_body(new: Rebuild, body: Body) -> Body:
    inside = check_numbers(Plan(body.graph, body.inputs, body.outputs, (), None, new.trace))
    return Body(inside.graph, inside.feeds, inside.fetches)
