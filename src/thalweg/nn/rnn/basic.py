"""Cells whose state is their output: the plain recurrent network, and gated recurrent units."""

from __future__ import annotations

from typing import Any

from thalweg.graph import Tensor
from thalweg.nn.activations import sigmoid
from thalweg.nn.layers import bias_add
from thalweg.nn.rnn.cell import Activation, RNNCell, activation_of, input_depth
from thalweg.ops.arrays.join import concat, split
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.state.initializers import Ones, Zeros
from thalweg.ops.state.variable_scope import Reuse


class _OutputIsState(RNNCell):
    """A cell of a number of units, whose output is its next state."""

    def __init__(
        self,
        num_units: int,
        activation: Activation | None,
        reuse: Reuse,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._activation = num_units, activation_of(activation)

    @property
    def state_size(self) -> int:
        """The number of units."""
        return self._num_units

    @property
    def output_size(self) -> int:
        """The number of units."""
        return self._num_units


class BasicRNNCell(_OutputIsState):
    """The plain recurrent cell: `activation([inputs, state] W + b)`.

    Its variables are `kernel`, `[depth + units, units]`, and `bias`, `[units]`.

    Args:
        num_units: the size of the state and of the output.
        activation: a function of a tensor; `tanh` if not given.
        reuse: whether it uses variables that exist.
        name: of its variable scope; "basic_rnn_cell" by default.
        dtype: of its variables; by default that of the inputs.
    """

    def __init__(
        self,
        num_units: int,
        activation: Activation | None = None,
        reuse: Reuse = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype)

    def build(self, inputs_shape: Any) -> None:
        """Make the variables."""
        depth, units = input_depth(inputs_shape), self._num_units
        self._kernel = self.add_variable("kernel", [depth + units, units])
        self._bias = self.add_variable("bias", [units], initializer=Zeros())

    def call(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step; the output is the next state."""
        gates = matmul(concat([inputs, state], 1), self._kernel)
        output = self._activation(bias_add(gates, self._bias))
        return output, output


class GRUCell(_OutputIsState):
    """A gated recurrent unit.

        r, u = sigmoid([inputs, state] W + b)
        c = activation([inputs, r * state] V + d)
        next state = u * state + (1 - u) * c

    Its variables are `gates/kernel`, `[depth + units, 2 * units]`, `gates/bias`, `[2 * units]`,
    which begins as ones, `candidate/kernel`, `[depth + units, units]`, and `candidate/bias`,
    `[units]`.

    Args:
        num_units: the size of the state and of the output.
        activation: a function of a tensor; `tanh` if not given.
        reuse: whether it uses variables that exist.
        kernel_initializer: of both kernels; the variable scope's by default.
        bias_initializer: of both biases; ones and zeros by default.
        name: of its variable scope; "gru_cell" by default.
        dtype: of its variables; by default that of the inputs.

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation, EMNLP 2014.
    """

    def __init__(
        self,
        num_units: int,
        activation: Activation | None = None,
        reuse: Reuse = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype)
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    def build(self, inputs_shape: Any) -> None:
        """Make the variables."""
        rows = input_depth(inputs_shape) + self._num_units
        self._gates = self._weights("gates", rows, 2 * self._num_units, Ones())
        self._candidate = self._weights("candidate", rows, self._num_units, Zeros())

    def _weights(self, name: str, rows: int, columns: int, bias: Any) -> tuple[Any, Any]:
        own = self._bias_initializer
        return (
            self.add_variable(
                f"{name}/kernel", [rows, columns], initializer=self._kernel_initializer
            ),
            self.add_variable(f"{name}/bias", [columns], initializer=bias if own is None else own),
        )

    def call(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step; the output is the next state."""
        reset, update = split(sigmoid(_affine(inputs, state, self._gates)), 2, axis=1)
        candidate = self._activation(_affine(inputs, reset * state, self._candidate))
        output = update * state + (1 - update) * candidate
        return output, output


def _affine(inputs: Tensor, state: Tensor, weights: tuple[Any, Any]) -> Tensor:
    kernel, bias = weights
    return bias_add(matmul(concat([inputs, state], 1), kernel), bias)
