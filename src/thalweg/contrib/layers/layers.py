"""Layers under the names of `tf.contrib.layers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.contrib.layers.initializers import xavier_initializer
from thalweg.graph import Tensor
from thalweg.initializers import zeros
from thalweg.layers.dense import over_last_axis
from thalweg.layers.weighted import known_channels
from thalweg.nn.activations import relu
from thalweg.nn.layers import bias_add
from thalweg.ops.build import convert
from thalweg.ops.state.get_variable import get_variable
from thalweg.ops.state.variable_scope import variable_scope

__all__ = ["fully_connected"]


def fully_connected(
    inputs: Any,
    num_outputs: int,
    activation_fn: Callable[[Tensor], Tensor] | None = relu,
    normalizer_fn: Callable[..., Tensor] | None = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = None,
    weights_regularizer: Any = None,
    biases_initializer: Any = zeros,
    biases_regularizer: Any = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Tensor:
    """`activation_fn(inputs @ weights + biases)`, with variables of its own, over the last axis.

    Args:
        inputs: [..., features].
        num_outputs: how many outputs there are.
        activation_fn: a function of the outputs; None for none.
        normalizer_fn: a function of the product, used in place of biases.
        normalizer_params: its further arguments, by name.
        weights_initializer: Xavier's if not given.
        weights_regularizer: a function of the weights whose value is a loss.
        biases_initializer: None for no biases.
        biases_regularizer: a function of the biases whose value is a loss.
        reuse: whether variables of that scope are used again.
        variables_collections: not supported.
        outputs_collections: the name of a collection that the outputs are added to.
        trainable: whether optimisers change the variables by default.
        scope: the variable scope or its name; "fully_connected", made unique, if not given.

    Returns:
        [..., num_outputs].

    Raises:
        ShapeError: if the last extent of the inputs is not known.
        InvalidArgumentError: if `variables_collections` is given.
    """
    if variables_collections is not None:
        raise InvalidArgumentError("fully_connected: variables_collections is not supported")
    x = convert(inputs)

    def variable(name: str, shape: list[int], initializer: Any, regularizer: Any) -> Any:
        return get_variable(name, shape, x.dtype, initializer, regularizer, trainable)

    with variable_scope(scope, "fully_connected", [x], reuse=reuse):
        size = [known_channels(x.static_shape, None, -1), num_outputs]
        first = weights_initializer or xavier_initializer()
        made = over_last_axis(x, variable("weights", size, first, weights_regularizer), num_outputs)
        if normalizer_fn is not None:
            made = normalizer_fn(made, **(normalizer_params or {}))
        elif biases_initializer is not None:
            biases = variable("biases", size[1:], biases_initializer, biases_regularizer)
            made = bias_add(made, biases)
        made = made if activation_fn is None else activation_fn(made)
    if outputs_collections is not None:
        made.graph.add_to_collections(outputs_collections, made)
    return made
