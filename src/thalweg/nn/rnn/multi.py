"""Cells on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import DTypeError, GraphError
from thalweg.graph import Tensor, default_graph
from thalweg.nn.rnn.cell import RNNCell, check_cell
from thalweg.ops.arrays.join import concat, split
from thalweg.ops.control.structure import is_nested
from thalweg.ops.state.variable_scope import variable_scope


class MultiRNNCell(RNNCell):
    """Several cells on top of each other: the output of each is the input of the next.

    Args:
        cells: from the lowest to the highest. Each needs an object of its own, unless cells are to
            share variables.
        state_is_tuple: whether a state is a tuple of the cells' states, and not all of them side by
            side in one tensor.

    Raises:
        ValueError: if there are no cells, or their states are no tensors and `state_is_tuple` is
            false.
        TypeError: if the cells are no list or tuple of cells.
    """

    def __init__(self, cells: Sequence[Any], state_is_tuple: bool = True) -> None:
        super().__init__()
        if not isinstance(cells, list | tuple):
            raise DTypeError(f"cells must be a list or tuple, but saw: {cells!r}.")
        if not cells:
            raise GraphError("Must specify at least one cell for MultiRNNCell.")
        for cell in cells:
            check_cell(cell)
        self._cells, self._state_is_tuple = list(cells), state_is_tuple
        sizes = [cell.state_size for cell in cells]
        if not state_is_tuple and any(map(is_nested, sizes)):
            raise GraphError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set. "
                f"State sizes are: {sizes}"
            )

    @property
    def state_size(self) -> Any:
        """The cells' sizes as a tuple, or their sum."""
        sizes = tuple(cell.state_size for cell in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        """That of the highest cell."""
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros: see `RNNCell`."""
        if not self._state_is_tuple:
            return super().zero_state(batch_size, dtype)
        with default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)

    def call(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """One step of each cell."""
        new_states = []
        for number, before in enumerate(self._unpacked(state)):
            with variable_scope(f"cell_{number}"):
                inputs, after = self._cells[number](inputs, before)
            new_states.append(after)
        return inputs, tuple(new_states) if self._state_is_tuple else concat(new_states, 1)

    def _unpacked(self, state: Any) -> Sequence[Any]:
        if not self._state_is_tuple:
            parts: list[Tensor] = split(state, [c.state_size for c in self._cells], axis=1)
            return parts
        if not (isinstance(state, list | tuple) and len(state) == len(self._cells)):
            raise GraphError(
                f"Expected state to be a tuple of length {len(self._cells)}, but received: {state}"
            )
        return state
