"""Recurrent networks over lists of inputs: one copy of the cell for each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from thalweg.base.errors import DTypeError, GraphError
from thalweg.graph import Tensor
from thalweg.nn.rnn.cell import batch_of, check_cell
from thalweg.nn.rnn.sequences import first_state, lengths, step
from thalweg.ops.arrays.join import concat
from thalweg.ops.build import convert
from thalweg.ops.control.structure import flatten, map_structure
from thalweg.ops.state.variable_scope import VariableScope, variable_scope

Scope = VariableScope | str | None


def static_rnn(
    cell: Any,
    inputs: Sequence[Any],
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Scope = None,
) -> tuple[list[Any], Any]:
    """Run a cell over a list of inputs; the graph has a copy of the cell for each of them.

    Args:
        cell: an `RNNCell`.
        inputs: a list of tensors `[batch, ...]`, or of structures of them, one for each step.
        initial_state: the state to begin with; zeros if not given.
        dtype: of the state, which is needed without an initial one.
        sequence_length: how many steps each row of the batch has, `[batch]`. After them it puts out
            zeros and keeps its state. All rows have all steps if not given.
        scope: the variable scope; "rnn" by default.

    Returns:
        The list of outputs, and the last state.

    Raises:
        TypeError: if the cell is none, or the inputs are no list.
        ValueError: if there are no inputs, or neither a state nor a dtype.
        ShapeError: if `sequence_length` is not one number for each row.
    """
    _check(cell, inputs)
    with variable_scope(scope or "rnn") as opened:
        outputs, state = _run(
            cell, inputs, initial_state, dtype, sequence_length, opened, range(len(inputs))
        )
    return outputs, state


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Sequence[Any],
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Scope = None,
) -> tuple[list[Any], Any, Any]:
    """Run one cell over a list of inputs, and another over the same list from its end.

    Args:
        cell_fw: an `RNNCell` that goes forward.
        cell_bw: an `RNNCell` that goes backward, each row from its own end.
        inputs: as for `static_rnn`.
        initial_state_fw: the state that `cell_fw` begins with; zeros if not given.
        initial_state_bw: likewise of `cell_bw`.
        dtype: of the states, which is needed unless both are given.
        sequence_length: as for `static_rnn`.
        scope: the variable scope; "bidirectional_rnn" by default, with "fw" and "bw" in it.

    Returns:
        The list of outputs, the two cells' side by side, and the last state of each.

    Raises:
        TypeError, ValueError, ShapeError: as `static_rnn`.
    """
    _check(cell_fw, inputs)
    check_cell(cell_bw, "cell_bw")
    steps = range(len(inputs))
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            forward, state_fw = _run(
                cell_fw, inputs, initial_state_fw, dtype, sequence_length, fw, steps
            )
        with variable_scope("bw") as bw:
            backward, state_bw = _run(
                cell_bw, inputs, initial_state_bw, dtype, sequence_length, bw, reversed(steps)
            )
    both = [map_structure(_side_by_side, *pair) for pair in zip(forward, backward, strict=True)]
    return both, state_fw, state_bw


def _side_by_side(forward: Tensor, backward: Tensor) -> Tensor:
    return concat([forward, backward], 1)


def _check(cell: Any, inputs: Any) -> None:
    check_cell(cell)
    if not isinstance(inputs, list | tuple):
        raise DTypeError("inputs must be a sequence")
    if not inputs:
        raise GraphError("inputs must not be empty")


def _run(
    cell: Any,
    inputs: Sequence[Any],
    initial_state: Any,
    dtype: Any,
    sequence_length: Any,
    scope: VariableScope,
    steps: Iterable[int],
) -> tuple[list[Any], Any]:
    """The outputs, in the order of the inputs, of a cell that takes the steps in another order.

    Where they go backward, a row begins at its own last step: before that it has ended.
    """
    tensors = [map_structure(convert, item) for item in inputs]
    batch_size = batch_of(flatten(tensors))
    state = first_state(cell, initial_state, batch_size, dtype)
    ends = lengths(sequence_length, batch_size)
    outputs: dict[int, Any] = {}
    for time in steps:
        if outputs:
            scope.reuse_variables()
        ended = None if ends is None else time >= ends
        outputs[time], state = step(cell, tensors[time], state, ended)
    return [outputs[time] for time in range(len(inputs))], state
