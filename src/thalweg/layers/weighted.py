"""What dense and convolutional layers share: a kernel, a bias and an activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.graph import Tensor
from thalweg.graph.keys import GraphKeys
from thalweg.initializers import zeros
from thalweg.nn.layers import bias_add
from thalweg.ops.state.layer import Layer
from thalweg.ops.state.variable import Variable

__all__ = ["OPTIONS", "Weighted", "options"]

# The arguments, in TensorFlow's order, that layers with a kernel have after their own ones.
OPTIONS = (
    "activation",
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


class Weighted(Layer):
    """A layer with a kernel, and perhaps a bias and an activation.

    Args:
        activation: a function of the outputs, such as `tf.nn.relu`; none if not given.
        use_bias: whether a bias is added.
        kernel_initializer: of the kernel; that of the variable scope if not given.
        bias_initializer: of the bias.
        kernel_regularizer: a function of the kernel whose value is a loss.
        bias_regularizer: the same of the bias.
        activity_regularizer: the same of the outputs.
        kernel_constraint: what optimisers apply to the kernel after an update.
        bias_constraint: the same to the bias.
        trainable, name, _reuse, _scope: see `Layer`.
    """

    kernel: Variable
    bias: Variable | None = None

    def __init__(
        self,
        activation: Callable[[Tensor], Tensor] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **layer: Any,
    ) -> None:
        super().__init__(**layer)
        self.activation, self.use_bias = activation, use_bias
        self.activity_regularizer = activity_regularizer
        self._kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self._bias = (bias_initializer or zeros(), bias_regularizer, bias_constraint)

    def make_weights(self, kernel_shape: Sequence[int], units: int) -> None:
        """Make the kernel, and the bias of so many units."""
        initializer, regularizer, constraint = self._kernel
        self.kernel = self.add_variable(
            "kernel", kernel_shape, None, initializer, regularizer, constraint=constraint
        )
        if self.use_bias:
            initializer, regularizer, constraint = self._bias
            self.bias = self.add_variable(
                "bias", [units], None, initializer, regularizer, constraint=constraint
            )

    def finished(self, outputs: Tensor, data_format: str | None = None) -> Tensor:
        """The outputs with the bias and the activation."""
        if self.bias is not None:
            outputs = bias_add(outputs, self.bias, data_format)
        if self.activation is not None:
            outputs = self.activation(outputs)
        if self.activity_regularizer is not None:
            loss = self.activity_regularizer(outputs)
            outputs.graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
        return outputs


def known_channels(shape: Shape, rank: int | None, axis: int) -> int:
    """The extent of the inputs along the axis of the channels, which the kernel depends on.

    Raises:
        ShapeError: if it or the rank is not known, or the rank is another one.
    """
    if shape is None or (rank is not None and len(shape) != rank) or not shape:
        wanted = "a known rank" if rank is None else f"rank {rank}"
        raise ShapeError(f"the inputs must have {wanted}; they are {show(shape)}")
    channels = shape[axis]
    if channels is None:
        raise ShapeError(f"the extent of axis {axis} must be known; the inputs are {show(shape)}")
    return channels


def options(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function of this folder that are its layer's; `name` and `reuse` too."""
    own = {name: given[name] for name in OPTIONS}
    return {**own, "trainable": given["trainable"], **scope(given["name"], given["reuse"])}


def scope(name: str | None, reuse: Any) -> dict[str, Any]:
    """How a function of this folder names its layer: a given name is used as it is."""
    return {"name": name, "_scope": name, "_reuse": reuse}
