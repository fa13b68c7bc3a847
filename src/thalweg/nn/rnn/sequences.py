"""What runs over sequences have in common: the first state, and rows that have ended."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import convert
from thalweg.ops.control.structure import check_same, flatten, map_structure
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.selection import where


def first_state(cell: Any, initial_state: Any, batch_size: Any, dtype: Any) -> Any:
    """The state that a cell begins with.

    Raises:
        ValueError: with neither a state nor a dtype.
    """
    if initial_state is not None:
        return map_structure(convert, initial_state)
    if not dtype:
        raise GraphError("If there is no initial_state, you must give a dtype.")
    return cell.zero_state(batch_size, dtype)


def lengths(sequence_length: Any, batch_size: Any) -> Tensor | None:
    """The lengths of the rows as a vector of int32, or None if there are none.

    Raises:
        ShapeError: if it is not one number for each row.
        DTypeError: if they are not integers.
    """
    if sequence_length is None:
        return None
    made = convert(sequence_length, name="sequence_length")
    if not made.dtype.is_integer:
        raise DTypeError(f"sequence_length must be integers, not {made.dtype}")
    shape = made.static_shape
    if shape is not None and len(shape) != 1:
        raise ShapeError(
            f"sequence_length must be a vector of length batch_size; it is {show(shape)}"
        )
    wanted = batch_size if isinstance(batch_size, int) else None
    if shape is not None and None not in (wanted, shape[0]) and wanted != shape[0]:
        raise ShapeError(
            f"sequence_length must have one element for each of {wanted} rows; it is {show(shape)}"
        )
    return identity(cast(made, dtypes.int32), name="sequence_length")


def step(cell: Any, inputs: Any, state: Any, ended: Tensor | None) -> tuple[Any, Any]:
    """One step of a cell: rows that have ended put out zeros and keep their state.

    Args:
        cell: the cell.
        inputs: of the step.
        state: before it.
        ended: for each row whether it is over, or None.

    Raises:
        ValueError: if the next state has another structure than the state.
    """
    output, new_state = cell(inputs, state)
    check_same(state, new_state, "the state and the next state")
    if ended is None:
        return output, new_state
    kept = map_structure(lambda old, new: chosen(ended, old, new), state, new_state)
    return map_structure(lambda new: chosen(ended, zeros_like(new), new), output), kept


def chosen(ended: Tensor, old: Any, new: Any) -> Any:
    """The old rows where they have ended, else the new; a scalar has no rows."""
    return new if convert(new).static_shape == () else where(ended, old, new)


def batch_tensors(inputs: Any) -> list[Tensor]:
    """The leaves of inputs, which there must be."""
    found = flatten(inputs)
    if not found:
        raise GraphError("inputs must not be empty")
    return found
