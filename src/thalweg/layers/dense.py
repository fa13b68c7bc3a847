"""Dense layers, and what comes before them."""

from __future__ import annotations

import math
from typing import Any

from thalweg.base.shapes import as_shape
from thalweg.graph import Tensor
from thalweg.layers.weighted import Weighted, known_channels, options
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.build import convert
from thalweg.ops.linalg.matmul import matmul

__all__ = ["Dense", "dense", "flatten"]


class Dense(Weighted):
    """`activation(inputs @ kernel + bias)`, over the last axis of the inputs.

    Args:
        units: how many outputs there are.
        activation: see `Weighted`, as for the others.
    """

    def __init__(self, units: int, activation: Any = None, **more: Any) -> None:
        super().__init__(activation, **more)
        self.units = int(units)

    def build(self, inputs_shape: Any) -> None:
        """Make `kernel`, [features, units], and `bias`, [units]."""
        features = known_channels(as_shape(inputs_shape), None, -1)
        self.make_weights([features, self.units], self.units)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The outputs: the inputs' shape, with `units` in place of its last extent."""
        return self.finished(over_last_axis(inputs, self.kernel, self.units))


def over_last_axis(inputs: Tensor, kernel: Any, units: int) -> Tensor:
    """The product of the inputs, [..., features], with a kernel, [features, units]."""
    shape = inputs.static_shape
    if shape is None or len(shape) == 2:
        return matmul(inputs, kernel)
    rows = matmul(reshape(inputs, [-1, shape[-1]]), kernel)
    made = reshape(rows, concat([shape_of(inputs)[:-1], [units]], 0))
    made.set_shape([*shape[:-1], units])
    return made


def dense(
    inputs: Any,
    units: int,
    activation: Any = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Tensor:
    """`activation(inputs @ kernel + bias)`, with variables of its own, over the last axis.

    Args:
        inputs: [..., features].
        units: how many outputs there are.
        activation: a function of the outputs; none if not given.
        use_bias: whether a bias is added.
        kernel_initializer: of the kernel; Glorot's uniform one if not given.
        bias_initializer: of the bias; zeros if not given.
        kernel_regularizer: a function of the kernel whose value is a loss.
        bias_regularizer: the same of the bias.
        activity_regularizer: the same of the outputs.
        kernel_constraint: what optimisers apply to the kernel after an update.
        bias_constraint: the same to the bias.
        trainable: whether optimisers change the variables by default.
        name: of the variable scope; "dense", made unique, if not given.
        reuse: whether variables of that name are used again.

    Returns:
        [..., units].

    Raises:
        ShapeError: if the last extent of the inputs is not known.
    """
    return Dense(units, **options(locals()))(inputs)  # type: ignore[no-any-return]


def flatten(inputs: Any, name: str | None = None, data_format: str | None = None) -> Tensor:
    """Each example as a row: [batch, ...] becomes [batch, elements].

    Args:
        inputs: of rank 1 or more.
        name: of the scope.
        data_format: of no effect on the result.
    """
    x = convert(inputs)
    with x.graph.name_scope(name or "flatten") as scope:
        shape = x.static_shape
        if shape is not None and None not in shape[1:]:
            return reshape(x, [-1, math.prod(shape[1:])], name=scope)
        return reshape(x, [shape_of(x)[0], -1], name=scope)
