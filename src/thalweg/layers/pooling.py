"""Layers that take the largest or the mean of each window."""

from __future__ import annotations

from typing import Any

from thalweg.graph import Tensor
from thalweg.layers.convolution import order, pair
from thalweg.ops.convolution.avg_pool import avg_pool
from thalweg.ops.convolution.max_pool import max_pool

__all__ = ["average_pooling2d", "max_pooling2d"]


def max_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window.

    Args:
        inputs: [batch, height, width, channels], or [batch, channels, height, width].
        pool_size: the height and width of the windows; one number for both.
        strides: the steps between windows; one number for both axes.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
        name: of the operation.

    Raises:
        InvalidArgumentError: for sizes that are not one number or two, or an unknown word.
    """
    size, steps = list(pair(pool_size, "pool_size")), list(pair(strides, "strides"))
    return max_pool(inputs, size, steps, padding.upper(), order(data_format), name or "MaxPool")


def average_pooling2d(
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str = "valid",
    data_format: str = "channels_last",
    name: str | None = None,
) -> Tensor:
    """The mean of each window; the arguments are those of `max_pooling2d`."""
    size, steps = list(pair(pool_size, "pool_size")), list(pair(strides, "strides"))
    return avg_pool(inputs, size, steps, padding.upper(), order(data_format), name or "AvgPool")
