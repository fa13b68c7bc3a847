"""Cells that do something around another cell, whose variables keep their names."""

from __future__ import annotations

import numbers
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from thalweg.base.errors import GraphError, InvalidArgumentError
from thalweg.graph import Tensor, default_graph
from thalweg.nn.layers import dropout
from thalweg.nn.rnn.cell import RNNCell, check_cell, extents
from thalweg.nn.rnn.lstm import LSTMStateTuple
from thalweg.ops.build import convert
from thalweg.ops.control.structure import check_same, flatten, is_nested, map_structure, pack_like
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.rounding import floor
from thalweg.ops.random.random import random_uniform


class Wrapper(RNNCell, ABC):
    """A cell around another, whose sizes it has.

    Args:
        cell: the other.

    Raises:
        TypeError: if it is no cell.
    """

    def __init__(self, cell: Any) -> None:
        super().__init__()
        check_cell(cell)
        self._cell = cell

    @property
    def wrapped_cell(self) -> Any:
        """The cell inside."""
        return self._cell

    @property
    def state_size(self) -> Any:
        """That of the cell inside."""
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        """That of the cell inside."""
        return self._cell.output_size

    @property
    def variables(self) -> Any:
        """Those of the cell inside."""
        return self._cell.variables

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros of the cell inside."""
        with default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return self._cell.zero_state(batch_size, dtype)

    @abstractmethod
    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        """One step of the cell inside, and what this one adds."""


Filter = Callable[[Any], Any]


def keep_memory(state: Any) -> Any:
    """Which parts of a state dropout may change: of an LSTM's state only h, of others all."""
    return LSTMStateTuple(c=False, h=True) if isinstance(state, LSTMStateTuple) else True


class DropoutWrapper(Wrapper):
    """Dropout of what goes into a cell and of what comes out of it.

    Args:
        cell: the cell.
        input_keep_prob: the probability that an element of the inputs is kept; a number or a float
            scalar. 1 means no dropout.
        output_keep_prob: likewise of the output.
        state_keep_prob: likewise of the next state; the memory of an LSTM is left alone.
        variational_recurrent: whether all steps of a run drop the same elements, the same ones of
            all rows of a batch.
        input_size: the size of the inputs, which variational dropout of the inputs needs.
        dtype: of inputs, state and output, which variational dropout needs.
        seed: of the random numbers; see `set_random_seed`.
        dropout_state_filter_visitor: a function of a part of the state, which says whether dropout
            may change it: a bool, or a structure of bools like that part.

    Raises:
        TypeError: if it is no cell.
        ValueError: if a number is no probability, or variational dropout lacks an argument.

    Source: Gal and Ghahramani, A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks, NIPS 2016, for variational dropout.
    """

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Filter | None = None,
    ) -> None:
        super().__init__(cell)
        self._seed, self._may_drop = seed, dropout_state_filter_visitor or keep_memory
        self._keep = {"input": input_keep_prob, "state": state_keep_prob}
        self._keep["output"] = output_keep_prob
        for name, keep in self._keep.items():
            if isinstance(keep, numbers.Real) and not 0 <= float(keep) <= 1:
                raise InvalidArgumentError(f"{name}_keep_prob must be between 0 and 1: {keep}")
        self._noise: dict[str, list[Tensor]] = {}
        if variational_recurrent:
            sizes = {"input": input_size, "state": cell.state_size, "output": cell.output_size}
            self._noise = {name: self._drawn(name, size, dtype) for name, size in sizes.items()}

    def _drawn(self, name: str, size: Any, dtype: Any) -> list[Tensor]:
        """The random numbers for all steps, one tensor for each leaf."""
        if dtype is None:
            raise GraphError("When variational_recurrent=True, dtype must be provided")
        if not self._drops(name):
            return []
        if size is None:
            raise GraphError(
                "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, "
                "input_size must be provided"
            )
        return [
            random_uniform((1, *extents(leaf)), dtype=dtype, seed=self._own_seed(name, number))
            for number, leaf in enumerate(flatten(size))
        ]

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        kept_inputs = self._dropped("input", inputs, lambda _: True)
        output, new_state = self._cell(kept_inputs, state, scope=scope)
        new_state = self._dropped("state", new_state, self._may_drop)
        return self._dropped("output", output, lambda _: True), new_state

    def _drops(self, name: str) -> bool:
        keep = self._keep[name]
        return not isinstance(keep, numbers.Real) or float(keep) < 1

    def _dropped(self, name: str, values: Any, may_drop: Filter) -> Any:
        if not self._drops(name):
            return values
        leaves, chosen = flatten(values), _chosen(values, may_drop)
        made = [
            self._without(name, number, leaf) if choice else leaf
            for number, (leaf, choice) in enumerate(zip(leaves, chosen, strict=True))
        ]
        return pack_like(values, made)

    def _without(self, name: str, number: int, value: Any) -> Tensor:
        keep = self._keep[name]
        if not self._noise:
            return dropout(value, keep, seed=self._own_seed(name, number))
        x = convert(value)
        probability = cast(convert(keep, hint=x.dtype), x.dtype)
        kept: Tensor = floor(probability + self._noise[name][number])
        made: Tensor = x / probability * kept
        return made

    def _own_seed(self, name: str, number: int) -> int | None:
        """A seed for each place, which follows from the seed of all."""
        if self._seed is None:
            return None
        return zlib.crc32(f"{self._seed}{name}_{number}".encode()) & 0x7FFFFFFF


def _chosen(values: Any, may_drop: Filter) -> list[bool]:
    """For each leaf of a structure whether a filter lets it be changed."""
    answer = may_drop(values)
    if is_nested(answer):
        check_same(values, answer, "a part of the state and what the filter says of it")
        return [bool(choice) for choice in flatten(answer)]
    if answer and is_nested(values):
        parts = values.values() if hasattr(values, "values") else values
        return [choice for part in parts for choice in _chosen(part, may_drop)]
    return [bool(answer)] * len(flatten(values))


class ResidualWrapper(Wrapper):
    """A cell whose inputs are added to its output.

    Args:
        cell: the cell.
        residual_fn: a function of the inputs and the output in place of the sum.

    Raises:
        TypeError: if it is no cell.
    """

    def __init__(self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None) -> None:
        super().__init__(cell)
        self._residual = residual_fn or _sum

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        output, new_state = self._cell(inputs, state, scope=scope)
        return self._residual(inputs, output), new_state


def _sum(inputs: Any, output: Any) -> Any:
    """What a residual connection makes, of the shape of both.

    Raises:
        ShapeError: if they have different shapes.
    """

    def add(x: Any, y: Any) -> Any:
        convert(x).shape.assert_is_compatible_with(y.shape)
        return x + y

    return map_structure(add, inputs, output)


class DeviceWrapper(Wrapper):
    """A cell whose operations note a device.

    Args:
        cell: the cell.
        device: see `tf.device`.

    Raises:
        TypeError: if it is no cell.
    """

    def __init__(self, cell: Any, device: Any) -> None:
        super().__init__(cell)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros on the device."""
        with default_graph().device(self._device):
            return super().zero_state(batch_size, dtype)

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        with default_graph().device(self._device):
            return self._cell(inputs, state, scope=scope)
