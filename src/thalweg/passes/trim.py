"""Drop what loops and branches compute and nobody needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from thalweg.graph import Operation, Tensor
from thalweg.ops.control.control_flow import ControlFlow, Trimmed
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, needed, rebuild


def trim(plan: Plan) -> Plan:
    """Leave out outputs of loops and branches that nobody reads, and what only they need.

    h, tape = Loop(x, w); y = h * 2   ->   h = Loop(x, w); y = h * 2

    So a value that the backward loop turns out not to read is not kept for it.
    """
    ops = needed(plan)
    if not any(op.record.bodies for op in ops):
        return plan
    used = _used(plan, ops)

    def step(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if not op.record.bodies:
            return None
        kept = trimmed(op, used)
        made = new.add(op, kept.record, [inputs[n] for n in kept.inputs])
        return in_place_of(op, made, kept.outputs)

    return rebuild(plan, step)


def _used(plan: Plan, ops: Sequence[Operation]) -> set[Tensor]:
    """The tensors that something needs."""
    used = set(plan.fetches)
    for op in reversed(ops):
        inputs = trimmed(op, used).inputs if op.record.bodies else range(len(op.inputs))
        used.update([op.inputs[n] for n in inputs])
    return used


def trimmed(op: Operation, used: Collection[Tensor]) -> Trimmed:
    """What is needed of a loop or a branch.

    Args:
        op: the operation.
        used: the tensors that something needs.
    """
    record = cast("ControlFlow", op.record)
    return record.trim([n for n, tensor in enumerate(op.outputs) if tensor in used])


def in_place_of(op: Operation, made: Operation, numbers: Sequence[int]) -> list[Tensor]:
    """The outputs of an operation that has lost some; for those there is one that nobody reads.

    Args:
        op: the operation as it was.
        made: what has become of it.
        numbers: of the outputs that are left.
    """
    outputs = [(made.outputs or made.inputs)[0]] * len(op.outputs)
    for number, tensor in zip(numbers, made.outputs, strict=True):
        outputs[number] = tensor
    return outputs
