"""Dropout that is only there in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.graph import Tensor
from thalweg.nn import layers
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import convert
from thalweg.ops.control.branches import cond

__all__ = ["dropout", "if_training"]


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """Set random elements to 0 in training, and scale the others up; see `tf.nn.dropout`.

    Args:
        inputs: a floating tensor.
        rate: the probability that an element is dropped.
        noise_shape: of the random choices, which broadcasts with the inputs.
        seed: of the random numbers.
        training: a bool, or a scalar bool tensor: whether to drop anything.
        name: of the scope.
    """
    x = convert(inputs)
    with x.graph.name_scope(name or "dropout"):
        made: Tensor = if_training(
            training,
            lambda: layers.dropout(x, noise_shape=noise_shape, seed=seed, rate=rate),
            lambda: identity(x),
        )
        return made


def if_training(training: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """What one of two functions makes: chosen now by a bool, or in each run by a tensor."""
    if isinstance(training, bool | int):
        return yes() if training else no()
    return cond(training, yes, no)
