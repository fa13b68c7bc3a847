"""Recurrent networks over tensors of inputs: one loop, of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Spec, Tensor, graph_of
from thalweg.nn.rnn.cell import batch_of, check_cell
from thalweg.nn.rnn.sequences import first_state, lengths, step
from thalweg.nn.rnn.static import Scope
from thalweg.ops.arrays.ranges import range_
from thalweg.ops.arrays.reshape import expand_dims, transpose
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.build import convert
from thalweg.ops.control.assemble import LoopParts, make_loop
from thalweg.ops.control.structure import flatten, pack_like
from thalweg.ops.control.tracing import trace
from thalweg.ops.state.variable_scope import variable_scope


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Scope = None,
) -> tuple[Any, Any]:
    """Run a cell over a sequence in a loop, whose length may differ from run to run.

    Args:
        cell: an `RNNCell`.
        inputs: `[batch, time, ...]`, or a structure of such tensors.
        sequence_length: how many steps each row of the batch has, `[batch]`. After them it puts out
            zeros and keeps its state. All rows have all steps if not given.
        initial_state: the state to begin with; zeros if not given.
        dtype: of the state, which is needed without an initial one.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        swap_memory: accepted for TensorFlow 1 and ignored.
        time_major: whether inputs and outputs are `[time, batch, ...]`.
        scope: the variable scope; "rnn" by default.

    Returns:
        The outputs, in the structure that the cell puts out, `[batch, time, ...]` or, if
        `time_major`, `[time, batch, ...]`; and the last state.

    Raises:
        TypeError: if the cell is none.
        ValueError: with neither an initial state nor a dtype.
        ShapeError: if the rank of the inputs is not known or less than 2, if they have different
            batches, or if `sequence_length` is not one number for each row.
    """
    check_cell(cell)
    with variable_scope(scope or "rnn"):
        run = _Run(inputs, sequence_length, dtype, time_major)
        return run.outputs_and_state(cell, initial_state, reverse=False)


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Scope = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Run one cell over a sequence, and another over the same sequence from its end.

    Args:
        cell_fw: an `RNNCell` that goes forward.
        cell_bw: an `RNNCell` that goes backward, each row from its own end.
        inputs: as for `dynamic_rnn`.
        sequence_length: as for `dynamic_rnn`.
        initial_state_fw: the state that `cell_fw` begins with; zeros if not given.
        initial_state_bw: likewise of `cell_bw`.
        dtype: of the states, which is needed unless both are given.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        swap_memory: accepted for TensorFlow 1 and ignored.
        time_major: whether inputs and outputs are `[time, batch, ...]`.
        scope: the variable scope; "bidirectional_rnn" by default, with "fw" and "bw" in it.

    Returns:
        The outputs of both as a pair, and the last states of both as a pair.

    Raises:
        TypeError, ValueError, ShapeError: as `dynamic_rnn`.
    """
    check_cell(cell_fw, "cell_fw")
    check_cell(cell_bw, "cell_bw")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw"):
            run = _Run(inputs, sequence_length, dtype, time_major)
            outputs_fw, state_fw = run.outputs_and_state(cell_fw, initial_state_fw, reverse=False)
        with variable_scope("bw"):
            outputs_bw, state_bw = run.outputs_and_state(cell_bw, initial_state_bw, reverse=True)
    return (outputs_fw, outputs_bw), (state_fw, state_bw)


class _Run:
    """The inputs of a loop, and in which steps rows of the batch have ended.

    A loop that goes backward needs no other inputs: a row begins at its own last step, and before
    that it has ended.
    """

    def __init__(self, inputs: Any, sequence_length: Any, dtype: Any, time_major: bool) -> None:
        self._structure, self._dtype, self._time_major = inputs, dtype, time_major
        self._elements = [convert(leaf) for leaf in flatten(inputs)]
        for tensor in self._elements:
            _check_rank(tensor)
        if not time_major:
            self._elements = [_exchanged(tensor) for tensor in self._elements]
        self._batch_size = batch_of(self._elements, axis=1)
        ends = lengths(sequence_length, self._batch_size)
        self._ended = [] if ends is None else [_ended(self._elements[0], ends)]

    def outputs_and_state(self, cell: Any, initial_state: Any, reverse: bool) -> tuple[Any, Any]:
        """What the cell puts out in all steps, and its last state."""
        first = first_state(cell, initial_state, self._batch_size, self._dtype)
        initial, sequences = flatten(first), [*self._elements, *self._ended]
        structures: list[Any] = []

        def body(values: list[Tensor]) -> Sequence[Tensor]:
            state = pack_like(first, values[: len(initial)])
            inputs = pack_like(self._structure, values[len(initial) :])
            output, new_state = step(cell, inputs, state, values[-1] if self._ended else None)
            structures.append(output)
            return [convert(leaf) for leaf in flatten((new_state, output))]

        graph = graph_of(sequences)
        specs = [*[tensor.spec for tensor in initial], *map(_element, sequences)]
        parts = LoopParts(None, trace(graph, specs, body), initial, sequences, reverse)
        made = make_loop(graph, parts, "while")
        outputs = made[len(initial) :]
        if not self._time_major:
            outputs = [_exchanged(tensor) for tensor in outputs]
        return pack_like(structures[0], outputs), pack_like(first, made[: len(initial)])


def _check_rank(tensor: Tensor) -> None:
    shape = tensor.static_shape
    if shape is None or len(shape) < 2:
        raise ShapeError(f"inputs must be [batch, time, ...] of known rank; they are {show(shape)}")


def _exchanged(tensor: Tensor) -> Tensor:
    """A tensor with its first two axes exchanged: batch and time."""
    assert tensor.static_shape is not None
    return transpose(tensor, [1, 0, *range(2, len(tensor.static_shape))])


def _ended(sequence: Tensor, ends: Tensor) -> Tensor:
    """Whether the rows of a batch have ended in each step: `[time, batch]`."""
    times = expand_dims(range_(shape_of(sequence)[0]), 1)
    return times >= expand_dims(ends, 0)


def _element(tensor: Tensor) -> Spec:
    shape = tensor.static_shape
    return Spec(None if shape is None else shape[1:], tensor.dtype)
