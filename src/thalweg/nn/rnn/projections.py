"""Cells with a linear layer before or behind another cell."""

from __future__ import annotations

from typing import Any

from thalweg.graph import Tensor
from thalweg.nn.layers import bias_add
from thalweg.nn.rnn.cell import Activation, RNNCell, check_cell, input_depth
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.state.get_variable import get_variable
from thalweg.ops.state.initializers import Zeros
from thalweg.ops.state.variable_scope import Reuse


class _Projected(RNNCell):
    """A cell with a linear layer: `kernel` and `bias` in its variable scope."""

    def __init__(self, cell: Any, size: int, activation: Activation | None, reuse: Reuse) -> None:
        super().__init__(_reuse=reuse)
        check_cell(cell)
        self._cell, self._size, self._activation = cell, size, activation

    @property
    def state_size(self) -> Any:
        """That of the cell inside."""
        return self._cell.state_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros of the cell inside."""
        return self._cell.zero_state(batch_size, dtype)

    def _linear(self, x: Tensor) -> Tensor:
        kernel = get_variable("kernel", [input_depth(x.shape), self._size], x.dtype)
        bias = get_variable("bias", [self._size], x.dtype, Zeros())
        made = bias_add(matmul(x, kernel), bias)
        return self._activation(made) if self._activation else made


class InputProjectionWrapper(_Projected):
    """A cell whose inputs go through a linear layer first.

    Args:
        cell: the cell.
        num_proj: the size of what the cell is given.
        activation: a function of what the layer makes; none if not given.
        input_size: accepted for TensorFlow 1 and ignored.
        reuse: whether it uses variables that exist.

    Raises:
        TypeError: if it is no cell.
    """

    def __init__(
        self,
        cell: Any,
        num_proj: int,
        activation: Activation | None = None,
        input_size: Any = None,
        reuse: Reuse = None,
    ) -> None:
        super().__init__(cell, num_proj, activation, reuse)

    @property
    def output_size(self) -> Any:
        """That of the cell inside."""
        return self._cell.output_size

    def call(self, inputs: Tensor, state: Any) -> tuple[Any, Any]:
        """One step, behind the layer."""
        made: tuple[Any, Any] = self._cell(self._linear(inputs), state)
        return made


class OutputProjectionWrapper(_Projected):
    """A cell whose output goes through a linear layer.

    Args:
        cell: the cell.
        output_size: the size of the output.
        activation: a function of what the layer makes; none if not given.
        reuse: whether it uses variables that exist.

    Raises:
        TypeError: if it is no cell.
    """

    def __init__(
        self,
        cell: Any,
        output_size: int,
        activation: Activation | None = None,
        reuse: Reuse = None,
    ) -> None:
        super().__init__(cell, output_size, activation, reuse)

    @property
    def output_size(self) -> Any:
        """The size of what the layer makes."""
        return self._size

    def call(self, inputs: Tensor, state: Any) -> tuple[Any, Any]:
        """One step, before the layer."""
        output, new_state = self._cell(inputs, state)
        return self._linear(output), new_state
