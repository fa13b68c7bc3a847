"""Long short-term memory: cells that keep a second state beside their output."""

from __future__ import annotations

from typing import Any, NamedTuple

from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError
from thalweg.graph import Tensor
from thalweg.nn.activations import sigmoid
from thalweg.nn.layers import bias_add
from thalweg.nn.rnn.cell import Activation, RNNCell, activation_of, input_depth
from thalweg.ops.arrays.join import concat, split
from thalweg.ops.elementwise.extremes import clip_by_value
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.state.initializers import Zeros
from thalweg.ops.state.variable_scope import Reuse


class LSTMStateTuple(NamedTuple):
    """The state of an LSTM cell.

    Attributes:
        c: the memory, `[batch, units]`.
        h: the output of the last step, `[batch, output_size]`.
    """

    c: Any
    h: Any

    @property
    def dtype(self) -> DType:
        """The element type of both.

        Raises:
            TypeError: if they have different ones.
        """
        if self.c.dtype != self.h.dtype:
            raise DTypeError(f"the state has two element types: {self.c.dtype}, {self.h.dtype}")
        dtype: DType = self.c.dtype
        return dtype


class _LSTM(RNNCell):
    """The state of LSTM cells: a pair, or both side by side in one tensor."""

    _num_units: int
    _state_is_tuple: bool

    @property
    def state_size(self) -> Any:
        """The sizes of c and h as an `LSTMStateTuple`, or their sum."""
        sizes = LSTMStateTuple(self._num_units, self.output_size)
        return sizes if self._state_is_tuple else sizes.c + sizes.h

    @property
    def output_size(self) -> int:
        """The number of units."""
        return self._num_units

    def _unpacked(self, state: Any) -> tuple[Any, Any]:
        if not self._state_is_tuple:
            c, h = split(state, [self._num_units, self.output_size], axis=1)
            return c, h
        if not (isinstance(state, list | tuple) and len(state) == 2):
            raise DTypeError(f"the state must be a pair (c, h), an LSTMStateTuple; it is {state!r}")
        return state[0], state[1]

    def _packed(self, c: Tensor, h: Tensor) -> Any:
        return LSTMStateTuple(c, h) if self._state_is_tuple else concat([c, h], 1)


class BasicLSTMCell(_LSTM):
    """A cell of long short-term memory.

        i, j, f, o = [inputs, h] W + b
        next c = sigmoid(f + forget_bias) * c + sigmoid(i) * activation(j)
        next h = sigmoid(o) * activation(next c)

    Its variables are `kernel`, `[depth + units, 4 * units]`, and `bias`, `[4 * units]`.

    Args:
        num_units: the size of the memory and of the output.
        forget_bias: added to what opens the forget gate, so that it is open in the beginning.
        state_is_tuple: whether a state is an `LSTMStateTuple`, and not c and h side by side.
        activation: a function of a tensor; `tanh` if not given.
        reuse: whether it uses variables that exist.
        name: of its variable scope; "basic_lstm_cell" by default.
        dtype: of its variables; by default that of the inputs.

    Source: Zaremba, Sutskever and Vinyals, Recurrent Neural Network Regularization,
    arXiv:1409.2329.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Activation | None = None,
        reuse: Reuse = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._forget_bias = num_units, forget_bias
        self._state_is_tuple, self._activation = state_is_tuple, activation_of(activation)

    def build(self, inputs_shape: Any) -> None:
        """Make the variables."""
        depth, units = input_depth(inputs_shape), self._num_units
        self._kernel = self.add_variable("kernel", [depth + units, 4 * units])
        self._bias = self.add_variable("bias", [4 * units], initializer=Zeros())

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step."""
        c, h = self._unpacked(state)
        gates = bias_add(matmul(concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = split(gates, 4, axis=1)
        new_c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * self._activation(j)
        new_h = self._activation(new_c) * sigmoid(o)
        return new_h, self._packed(new_c, new_h)


class LSTMCell(_LSTM):
    """A cell of long short-term memory with peepholes, clipping and a projection, each if wanted.

        i, j, f, o = [inputs, h] W + b
        next c = sigmoid(f + forget_bias + w_f * c) * c + sigmoid(i + w_i * c) * activation(j)
        m = sigmoid(o + w_o * next c) * activation(next c)
        next h = m P

    without the terms of `w_f`, `w_i` and `w_o` unless there are peepholes, and with `m` as the next
    h unless there is a projection. Its variables are `kernel`, `[depth + outputs, 4 * units]`,
    `bias`, `[4 * units]`, `w_f_diag`, `w_i_diag` and `w_o_diag`, `[units]`, and
    `projection/kernel`, `[units, num_proj]`.

    Args:
        num_units: the size of the memory.
        use_peepholes: whether the gates see the memory.
        cell_clip: the largest absolute value of the memory.
        initializer: of the weights; the variable scope's by default.
        num_proj: the size of the output; `num_units` without a projection if not given.
        proj_clip: the largest absolute value of a projected output.
        num_unit_shards: accepted for TensorFlow 1 and ignored.
        num_proj_shards: accepted for TensorFlow 1 and ignored.
        forget_bias: added to what opens the forget gate, so that it is open in the beginning.
        state_is_tuple: whether a state is an `LSTMStateTuple`, and not c and h side by side.
        activation: a function of a tensor; `tanh` if not given.
        reuse: whether it uses variables that exist.
        name: of its variable scope; "lstm_cell" by default.
        dtype: of its variables; by default that of the inputs.

    Source: Sak, Senior and Beaufays, Long Short-Term Memory Recurrent Neural Network Architectures
    for Large Scale Acoustic Modeling, Interspeech 2014.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Activation | None = None,
        reuse: Reuse = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._num_proj = num_units, num_proj
        self._use_peepholes, self._cell_clip, self._proj_clip = use_peepholes, cell_clip, proj_clip
        self._initializer, self._forget_bias = initializer, forget_bias
        self._state_is_tuple, self._activation = state_is_tuple, activation_of(activation)

    @property
    def output_size(self) -> int:
        """The number of projected units, or of units."""
        return self._num_proj or self._num_units

    def build(self, inputs_shape: Any) -> None:
        """Make the variables."""
        rows, units = input_depth(inputs_shape) + self.output_size, self._num_units
        self._kernel = self._made("kernel", [rows, 4 * units])
        self._bias = self.add_variable("bias", [4 * units], initializer=Zeros())
        if self._use_peepholes:
            names = ("w_f_diag", "w_i_diag", "w_o_diag")
            self._w_f, self._w_i, self._w_o = (self._made(name, [units]) for name in names)
        if self._num_proj:
            self._projection = self._made("projection/kernel", [units, self._num_proj])

    def _made(self, name: str, shape: list[int]) -> Any:
        return self.add_variable(name, shape, initializer=self._initializer)

    def call(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step."""
        c, h = self._unpacked(state)
        gates = bias_add(matmul(concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = split(gates, 4, axis=1)
        f = f + self._forget_bias
        if self._use_peepholes:
            f, i = f + self._w_f * c, i + self._w_i * c
        new_c = _clipped(sigmoid(f) * c + sigmoid(i) * self._activation(j), self._cell_clip)
        if self._use_peepholes:
            o = o + self._w_o * new_c
        new_h = self._projected(sigmoid(o) * self._activation(new_c))
        return new_h, self._packed(new_c, new_h)

    def _projected(self, m: Tensor) -> Tensor:
        if not self._num_proj:
            return m
        return _clipped(matmul(m, self._projection), self._proj_clip)


def _clipped(x: Tensor, limit: float | None) -> Tensor:
    """A tensor with its elements between the limit and its negative; as it is without one."""
    return x if limit is None else clip_by_value(x, -limit, limit)
