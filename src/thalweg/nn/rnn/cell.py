"""What cells share: a cell is one step of a recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.base.shapes import TensorShape, as_shape, show
from thalweg.graph import Tensor, default_graph
from thalweg.graph.calls import explained
from thalweg.nn.activations import tanh
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.build import convert
from thalweg.ops.control.structure import flatten, map_structure
from thalweg.ops.state.layer import Layer

Activation = Callable[[Any], Tensor]


class RNNCell(Layer):
    """One step of a recurrent network: from inputs and a state to an output and the next state.

    A subclass has the properties `state_size` and `output_size`, and `call(inputs, state)`, which
    returns the output and the next state. It may make its variables in `build(inputs_shape)`, with
    `add_variable`, or in `call`, with `tf.get_variable`.

    Args:
        trainable, name, dtype: see `Layer`.
        _reuse: whether it uses variables that exist.
    """

    @property
    def state_size(self) -> Any:
        """The extents of a state but for the batch: a number, a shape, or a structure of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The extents of an output but for the batch: a number, a shape, or a structure of them."""
        raise NotImplementedError("Abstract method")

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:  # type: ignore[override]
        """One step.

        Args:
            inputs: `[batch, ...]`.
            state: in the structure of `state_size`, each `[batch, *size]`.
            scope: the variable scope of the first call, or its name.

        Returns:
            The output, `[batch, *output_size]`, and the next state, like `state`.
        """
        return explained(self._step, self.name)(inputs, state, scope)

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        return super().__call__(inputs, state, scope=scope)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """A state of zeros.

        Args:
            batch_size: a number or an integer scalar.
            dtype: of the state.
        """
        with default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return map_structure(
                lambda size: zeros((batch_size, *extents(size)), dtype), self.state_size
            )

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """A state of zeros for some inputs, or for a batch size and an element type.

        Raises:
            ValueError: with neither inputs nor both others.
        """
        if inputs is not None:
            tensor = convert(flatten(inputs)[0])
            batch_size, dtype = batch_of([tensor]), dtype or tensor.dtype
        if batch_size is None or dtype is None:
            raise GraphError("get_initial_state: give inputs, or batch_size and dtype")
        return self.zero_state(batch_size, dtype)


def extents(size: Any) -> tuple[int | None, ...]:
    """The extents that a cell's size stands for: a number, a list or a shape."""
    return (size,) if isinstance(size, int) else tuple(as_shape(size) or ())


def batch_of(tensors: list[Tensor], axis: int = 0) -> Any:
    """The size of the batch: a number where it is known.

    Raises:
        ShapeError: if the tensors have different ones, or one has no such axis.
    """
    for tensor in tensors:
        if tensor.static_shape is not None and len(tensor.static_shape) <= axis:
            raise ShapeError(f"the inputs must have a batch axis: {show(tensor.static_shape)}")
    known = {t.static_shape[axis] for t in tensors if t.static_shape is not None} - {None}
    if len(known) > 1:
        raise ShapeError(f"the inputs have batches of different sizes: {sorted(map(str, known))}")
    return known.pop() if known else shape_of(tensors[0])[axis]


def check_cell(cell: Any, name: str = "cell") -> None:
    """Check that something is a cell.

    Raises:
        DTypeError: if not.
    """
    missing = [a for a in ("output_size", "state_size", "zero_state") if not hasattr(cell, a)]
    if missing or not callable(cell):
        raise DTypeError(f"The argument {name!r} ({cell!r}) is not an RNNCell")


def input_depth(shape: TensorShape) -> int:
    """The last extent of a cell's inputs, `[batch, depth]`.

    Raises:
        ShapeError: if it is not known.
    """
    dims = as_shape(shape)
    if not dims or dims[-1] is None:
        raise ShapeError(f"Expected inputs.shape[-1] to be known, saw shape: {show(dims)}")
    return dims[-1]


def activation_of(function: Activation | None) -> Activation:
    """The function that a cell is given, or `tanh`."""
    return function or tanh
