"""Recurrent networks whose inputs and states a function decides on, step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.graph import Tensor
from thalweg.nn.rnn.cell import batch_of, check_cell, extents
from thalweg.nn.rnn.sequences import chosen
from thalweg.nn.rnn.static import Scope
from thalweg.ops.arrays.create import constant, zeros
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.build import convert
from thalweg.ops.control.leaves import as_tensors
from thalweg.ops.control.structure import check_same, map_structure
from thalweg.ops.control.tensor_array import TensorArray
from thalweg.ops.control.while_loop import while_loop
from thalweg.ops.elementwise.logical import logical_not, logical_or
from thalweg.ops.reduction.reduce import reduce_all
from thalweg.ops.state.variable_scope import variable_scope

LoopFunction = Callable[[Tensor, Any, Any, Any], tuple[Any, Any, Any, Any, Any]]


def raw_rnn(
    cell: Any,
    loop_fn: LoopFunction,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Scope = None,
) -> tuple[Any, Any, Any]:
    """Run a cell in a loop, with inputs and states that a function decides on.

    The function is called as `loop_fn(time, cell_output, cell_state, loop_state)`, first with time
    0 and None for the others, then with what the cell makes in each step and the number of the next
    one. It returns a tuple:

    - which rows of the batch have ended, `[batch]`, bool. The loop ends when all have;
    - the next input of the cell;
    - the next state of the cell;
    - what the step puts out, in place of the cell's output. The first call returns an example
      without the batch axis, or None for outputs as the cell's sizes are;
    - the next loop state, any structure, or None to leave it as it is.

    Args:
        cell: an `RNNCell`.
        loop_fn: the function.
        parallel_iterations: accepted for TensorFlow 1 and ignored.
        swap_memory: accepted for TensorFlow 1 and ignored.
        scope: the variable scope; "rnn" by default.

    Returns:
        What the steps have put out, as a `TensorArray` or a structure of them, with zeros in rows
        that had ended; the last state, in which rows that had ended are as they were then; and the
        last loop state.

    Raises:
        TypeError: if the cell is none, or `loop_fn` no function.
        ValueError: if a structure changes from step to step.
    """
    check_cell(cell)
    if not callable(loop_fn):
        raise DTypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        return _Run(cell, loop_fn).results()


class _Run:
    """A loop whose variables are time, ended rows, inputs, outputs, states and loop states."""

    def __init__(self, cell: Any, loop_fn: LoopFunction) -> None:
        self._cell, self._loop_fn = cell, loop_fn
        time = constant(0, dtypes.int32, name="time")
        ended, inputs, state, emitted, loop_state = loop_fn(time, None, None, None)
        check_same(cell.state_size, state, "the cell's state_size and the first state")
        self._has_loop_state = loop_state is not None
        self._zeros = self._nothing(emitted, batch_of(as_tensors(inputs)), as_tensors(state)[0])
        arrays = map_structure(_array, self._zeros)
        kept = loop_state if self._has_loop_state else 0  # a loop variable is some tensor
        self._first = (time, ended, inputs, arrays, state, kept)

    def _nothing(self, emitted: Any, batch_size: Any, state: Tensor) -> Any:
        """What rows that have ended put out."""
        if emitted is not None:
            return map_structure(lambda x: _zeros_like(convert(x), batch_size), emitted)
        return map_structure(
            lambda size: zeros((batch_size, *extents(size)), state.dtype), self._cell.output_size
        )

    def results(self) -> tuple[Any, Any, Any]:
        """What `raw_rnn` returns."""
        made = while_loop(_goes_on, self._step, self._first)
        *_, arrays, state, loop_state = made
        return arrays, state, loop_state if self._has_loop_state else None

    def _step(
        self, time: Tensor, ended: Tensor, inputs: Any, arrays: Any, state: Any, loop_state: Any
    ) -> tuple[Any, ...]:
        output, after = self._cell(inputs, state)
        check_same(state, after, "the state and the next state")
        given = loop_state if self._has_loop_state else None
        now, next_inputs, next_state, emitted, new = self._loop_fn(time + 1, output, after, given)
        check_same(inputs, next_inputs, "the inputs and the next inputs")
        kept = map_structure(partial(chosen, ended), state, next_state)
        shown = map_structure(partial(chosen, ended), self._zeros, emitted)
        written = map_structure(lambda array, row: array.write(time, row), arrays, shown)
        kept_loop_state = loop_state if new is None else new
        return time + 1, logical_or(ended, now), next_inputs, written, kept, kept_loop_state


def _goes_on(time: Tensor, ended: Tensor, *_: Any) -> Tensor:
    return logical_not(reduce_all(ended))


def _array(zero: Tensor) -> TensorArray:
    """An empty array of what each step puts out, of no length yet."""
    return TensorArray(zero.dtype, size=0, dynamic_size=True)


def _zeros_like(example: Tensor, batch_size: Any) -> Tensor:
    """Zeros for a batch of what one row puts out.

    Raises:
        ShapeError: if the rank of that is not known.
    """
    shape = example.static_shape
    if shape is None:
        raise ShapeError("the rank of what the first call of loop_fn emits must be known")
    actual = shape_of(example)
    rest = [actual[n] if extent is None else extent for n, extent in enumerate(shape)]
    return zeros((batch_size, *rest), example.dtype)
