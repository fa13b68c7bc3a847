"""Normalisation: the moments of a tensor, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Tensor
from thalweg.ops.arrays.broadcast import broadcast_like
from thalweg.ops.arrays.reshape import reshape, squeeze
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.build import convert
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.arithmetic import SquaredDeviation
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.reduction import reduce


def moments(
    x: Any,
    axes: Sequence[int],
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool = False,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """The mean and the variance over some axes.

    Args:
        x: a floating tensor.
        axes: the axes to average over.
        shift: of no effect, as in TensorFlow.
        name: of the scope.
        keep_dims: whether the axes stay, with extent 1.
        keepdims: the newer name for `keep_dims`.

    Returns:
        The mean and the variance (of the population: divided by the count).
    """
    value = convert(x)
    keep = keep_dims if keepdims is None else keepdims
    with value.graph.name_scope(name or "moments"):
        mean = reduce.reduce_mean(value, axis=axes, keepdims=True)
        squares = SquaredDeviation.of(value, broadcast_like(mean, value))
        variance = reduce.reduce_mean(squares, axis=axes, keepdims=keep)
        return (mean if keep else squeeze(mean, axes)), variance


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any,
    scale: Any,
    variance_epsilon: float,
    name: str | None = None,
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`.

    Args:
        x: a floating tensor.
        mean: broadcasts with x, as do the following.
        variance: as `moments` gives it.
        offset: a tensor, or None.
        scale: a tensor, or None.
        variance_epsilon: keeps the division away from 0.
        name: of the operation.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """
    value = convert(x)
    with value.graph.name_scope(name or "batchnorm") as scope:
        factor = arithmetic.rsqrt(convert(variance) + variance_epsilon)
        if scale is not None:
            factor = factor * scale
        shift = -(convert(mean) * factor)
        if offset is not None:
            shift = shift + offset
        return arithmetic.add(value * factor, shift, name=scope)


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise every channel of images: `(x - mean) / sqrt(variance + epsilon) * scale + offset`.

    Args:
        x: images, `[batch, height, width, channels]` for "NHWC", floating.
        scale: `[channels]`.
        offset: `[channels]`.
        mean: `[channels]`, to normalise by when not training.
        variance: the same.
        epsilon: keeps the division away from 0.
        data_format: "NHWC" or "NCHW".
        is_training: whether to normalise by the moments of x itself.
        name: of the scope.

    Returns:
        The normalised images; and, each `[channels]`, the mean and the variance for running
        averages. When training they are those of x, the variance as an estimate of the
        population's (Bessel's correction: divided by the count less 1); else they are those given.

    Raises:
        InvalidArgumentError: if a mean and a variance are given when training or lacking when not,
            or there is no such data format.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """
    if data_format not in _SPATIAL:
        raise InvalidArgumentError(f"data_format must be 'NHWC' or 'NCHW', not {data_format!r}")
    _check_moments(mean, variance, is_training)
    value = convert(x)
    with value.graph.name_scope(name or "FusedBatchNorm"):
        if is_training:
            mean, variance = moments(value, _SPATIAL[data_format])
        mean, variance = convert(mean), convert(variance)
        factor = arithmetic.rsqrt(variance + epsilon) * scale
        centred = value - _per_channel(mean, data_format)
        y = centred * _per_channel(factor, data_format) + _per_channel(offset, data_format)
        if is_training:
            variance = variance * _bessel(value, _SPATIAL[data_format])
        return y, mean, variance


_SPATIAL = {"NHWC": (0, 1, 2), "NCHW": (0, 2, 3)}  # the axes that are averaged over


def _check_moments(mean: Any, variance: Any, is_training: bool) -> None:
    if is_training and not (mean is None and variance is None):
        raise InvalidArgumentError(
            "fused_batch_norm: when training, x is normalised by its own moments: "
            "mean and variance must be None"
        )
    if not is_training and (mean is None or variance is None):
        raise InvalidArgumentError("fused_batch_norm: give mean and variance when not training")


def _per_channel(vector: Any, data_format: str) -> Tensor:
    """A number for each channel, in a shape that broadcasts with the images."""
    return reshape(vector, (-1, 1, 1)) if data_format == "NCHW" else convert(vector)


def _bessel(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`n / (n - 1)` for the n elements that are averaged over; 1 if there is one alone."""
    count = cast(size_along(x, axes), x.dtype)
    return count / arithmetic.maximum(count - 1, 1)


def l2_normalize(
    x: Any,
    axis: Any = None,
    epsilon: float = 1e-12,
    name: str | None = None,
    dim: Any = None,
) -> Tensor:
    """`x / sqrt(max(sum(x ** 2), epsilon))`, the sum taken along an axis (all of them if None)."""
    value = convert(x)
    with value.graph.name_scope(name or "l2_normalize") as scope:
        along = dim if axis is None else axis
        squares = reduce.reduce_sum(arithmetic.square(value), axis=along, keepdims=True)
        factor = arithmetic.rsqrt(arithmetic.maximum(squares, epsilon))
        return arithmetic.multiply(value, factor, name=scope)
