"""What can be told of a loop before it runs: how often it does, and which rows it writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from thalweg.graph import Operation, Origin, Tensor
from thalweg.ops.arrays.boxes import slice_
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.gather import Gather
from thalweg.ops.arrays.indexing import FromEnd
from thalweg.ops.arrays.rows import WriteRow
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.build import constant_value
from thalweg.ops.control.tracing import Traced
from thalweg.ops.elementwise.arithmetic import Add
from thalweg.ops.elementwise.comparison import Less
from thalweg.ops.elementwise.extremes import maximum

_ROWS = (Gather(0), Gather(0, is_part=True))  # what reads rows of an array


def iterations(condition: Traced, body: Traced, first: Sequence[Tensor | None]) -> Tensor | None:
    """An array of no elements with a row for each iteration, if a loop runs `while n < limit`.

    The limit must follow from constants, shapes and feeds. A loop that runs over such a sequence
    has outputs whose extents are known before it runs.

    Args:
        condition: a scalar bool of the loop variables.
        body: from the loop variables to their next values.
        first: the first values.
    """
    (test,) = [tensor.op for tensor in condition.outputs]
    if test.type != Less.type or test.inputs[0] not in condition.parameters:
        return None
    if any(op.record.effects.acts for op in condition.operations):
        return None
    number = condition.parameters.index(test.inputs[0])
    start, step, limit = first[number], step_of(body, number), test.inputs[1]
    if start is None or not start.dtype.is_integer or start.static_shape != ():
        return None
    if step is None or step < 1 or not (_is_known(start) and _is_known(limit)):
        return None
    return _counted(start, condition.graph.moved_out(limit), step)


def _counted(start: Tensor, limit: Tensor, step: int) -> Tensor:
    first, last = constant_value(start), constant_value(limit)
    if first is not None and last is not None:
        return zeros([len(range(first.item(), last.item(), step)), 0])
    end: Any = limit if last is None else last.item()
    begin: Any = start if first is None else first.item()
    return zeros([maximum((end - begin + step - 1) // step, 0), 0])


def step_of(body: Traced, number: int) -> int | None:
    """What an iteration adds to a loop variable, if that is a constant."""
    before, after = body.parameters[number], body.outputs[number]
    if after.op.type != Add.type or before not in after.op.inputs:
        return None
    x, y = after.op.inputs
    value = constant_value(y if x is before else x)
    return (
        int(value) if value is not None and value.ndim == 0 and value.dtype.kind in "iu" else None
    )


def written_row(body: Traced, number: int, counters: Collection[Tensor]) -> Tensor | None:
    """The row that an iteration writes into an array at a counter, if it does only that with it."""
    before, after = body.parameters[number], body.outputs[number]
    if after.op.type != WriteRow.type or after.op.inputs[0] is not before:
        return None
    _, index, row = after.op.inputs
    readers = [op for op in body.operations if before in op.inputs or after in op.inputs]
    is_alone = readers == [after.op] and body.outputs.count(after) == 1
    return row if is_alone and index in counters else None


def read_at(
    body: Traced, counters: Collection[Tensor], first: Sequence[Tensor | None]
) -> dict[Tensor, Tensor]:
    """The elements that an iteration takes of arrays at its number, each with the array.

    Args:
        body: from the loop variables to their next values.
        counters: the loop variables that are the number of the iteration.
        first: the first values of the loop variables.
    """
    found: dict[Tensor, Tensor] = {}
    for op in body.operations:
        if op.type == Gather.type and op.record in _ROWS and not op.control_inputs:
            array, index = op.inputs
            number = index.op.inputs[0] if index.op.type == FromEnd.type else index
            outer = _same_always(body, array, first)
            if number in counters and outer is not None and outer.static_shape is not None:
                found[op.outputs[0]] = outer
    return found


def rows(array: Tensor, counted: Tensor) -> Tensor:
    """As many rows of an array as there are iterations, from the first.

    Args:
        array: of a known rank.
        counted: what `iterations` gives.
    """
    shape, counts = array.static_shape, counted.static_shape
    assert shape is not None
    assert counts is not None
    if counts[0] is not None and counts[0] == shape[0]:
        return array
    size = [size_along(counted, (0,)), *[-1 for _ in shape[1:]]]
    return slice_(array, [0 for _ in shape], size)


def _same_always(body: Traced, tensor: Tensor, first: Sequence[Tensor | None]) -> Tensor | None:
    """The value outside of what has the same in each iteration."""
    if tensor not in body.parameters:
        return body.graph.outer_of(tensor)
    number = body.parameters.index(tensor)
    return first[number] if body.outputs[number] is tensor else None


def is_read(function: Traced, tensor: Tensor) -> bool:
    """Whether a function needs a tensor."""
    return any(tensor in op.outputs for op in function.operations)


def _is_known(tensor: Tensor) -> bool:
    """Whether a value follows from constants, shapes and feeds alone."""
    waiting, seen = [tensor], {tensor}
    while waiting:
        found = waiting.pop()
        op, outer = found.op, found.graph.outer_of(found)
        if outer is None and not _is_plain(op):
            return False
        inputs = [t for n, t in enumerate(op.inputs) if n not in op.record.shape_only]
        new = {t for t in (*inputs, outer) if t is not None} - seen
        waiting.extend(new)
        seen |= new
    return True


def _is_plain(op: Operation) -> bool:
    """Whether an operation computes its outputs from its inputs, or is a constant or fed."""
    does, origin = op.record.effects, op.record.origin
    is_fed = origin is Origin.FEED and op.graph.depth == 0
    is_given = is_fed or origin is Origin.CONSTANT
    return is_given or (origin is None and does.pure and not (does.host or op.record.bodies))
