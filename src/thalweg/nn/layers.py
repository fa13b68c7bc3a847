"""Pieces of layers: biases, dropout, and questions about predictions."""

from __future__ import annotations

import numbers
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import is_known, show
from thalweg.formula.functions import FLOATING
from thalweg.graph import Tensor
from thalweg.nn.activations import relu
from thalweg.ops.arrays.create import one_hot, zeros_like
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.build import checking, convert, convert_pair
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.elementwise.selection import Select
from thalweg.ops.linalg import matmul as products
from thalweg.ops.random.random import random_uniform
from thalweg.ops.reduction import reduce


def bias_add(
    value: Any, bias: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """Add a bias to every channel.

    Args:
        value: a tensor whose last axis holds the channels (the second one for "NCHW").
        bias: a vector of one number for each channel.
        data_format: "NHWC" or "NCHW".
        name: of the operation.

    Raises:
        ShapeError: if the bias is not such a vector.
        InvalidArgumentError: if there is no such data format.
    """
    x, b = convert_pair(value, bias, "bias_add")
    if data_format not in (None, "NHWC", "NCHW", "N...C", "NC..."):
        raise InvalidArgumentError(f"data_format must be 'NHWC' or 'NCHW', not {data_format!r}")
    axis = 1 if data_format in ("NCHW", "NC...") else -1
    with checking("bias_add", value=x, bias=b):
        _check_bias(x, b, axis)
    with x.graph.name_scope(name or "BiasAdd") as scope:
        shape = x.static_shape
        if axis == 1:
            if shape is None:
                raise ShapeError("bias_add: the rank of the value must be known for NCHW")
            b = reshape(b, (-1, *(1 for _ in shape[2:])))
        return arithmetic.add(x, b, name=scope)


def _check_bias(x: Tensor, b: Tensor, axis: int) -> None:
    shape, bias = x.static_shape, b.static_shape
    if bias is not None and len(bias) != 1:
        raise ShapeError(f"the bias must be a vector; it is {show(bias)}")
    if shape is None:
        return
    if len(shape) < 2:
        raise ShapeError(f"the value must have rank 2 or more; it is {show(shape)}")
    channels, count = shape[axis], bias[0] if bias else None
    if None not in (channels, count) and channels != count:
        raise ShapeError(
            f"the value has {channels} channels but the bias {count} elements: "
            f"value is {show(shape)}, bias is {show(bias)}"
        )


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """`matmul(x, weights) + biases`."""
    rows = convert(x)
    with rows.graph.name_scope(name or "xw_plus_b") as scope:
        return bias_add(products.matmul(rows, weights), biases, name=scope)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """`relu(matmul(x, weights) + biases)`."""
    rows = convert(x)
    with rows.graph.name_scope(name or "relu_layer") as scope:
        return relu(xw_plus_b(rows, weights, biases), name=scope)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """Set random elements to 0 and scale the others up, so that the sum stays the same on average.

    Args:
        x: a floating tensor.
        keep_prob: the probability that an element is kept: a number or a scalar tensor. Kept
            elements are divided by it.
        noise_shape: the shape of the random choices, which broadcasts with x; None within it stands
            for the extent of x.
        seed: of the random numbers; see `set_random_seed`.
        name: of the operation.
        rate: the probability that an element is dropped, in place of `keep_prob`.

    Raises:
        InvalidArgumentError: if not exactly one of `keep_prob` and `rate` is given, or it is no
            probability.
        DTypeError: if x is not floating.
        ShapeError: if `keep_prob` is not a scalar.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, JMLR 2014.
    """
    value = convert(x)
    if not value.dtype.is_floating:
        raise DTypeError(f"dropout: x must be floating, as it is scaled; it is {value.dtype}")
    if (keep_prob is None) == (rate is None):
        raise InvalidArgumentError("dropout: give either keep_prob or rate")
    with value.graph.name_scope(name or "dropout") as scope:
        keep = _probability(1 - rate if keep_prob is None else keep_prob)
        if isinstance(keep, float) and keep == 1:
            return value
        draws = random_uniform(_noise_shape(value, noise_shape), seed=seed)
        kept = cast(draws < keep, value.dtype)
        scale = 1 / keep if isinstance(keep, float) else cast(1 / keep, value.dtype)
        return arithmetic.multiply(value, kept * scale, name=scope)


def _probability(keep_prob: Any) -> float | Tensor:
    """The probability of keeping, as a Python number or a float32 scalar."""
    if isinstance(keep_prob, numbers.Real):
        number = float(keep_prob)
        if not 0 < number <= 1:
            raise InvalidArgumentError(f"dropout: keep_prob must be in (0, 1], not {number}")
        return number
    keep = convert(keep_prob)
    check_kind(FLOATING, keep.dtype)
    if keep.static_shape is None:
        keep = reshape(keep, ())
    if keep.static_shape != ():
        raise ShapeError(f"dropout: keep_prob must be a scalar; it is {show(keep.static_shape)}")
    return cast(keep, dtypes.float32)


def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    static = x.static_shape
    if isinstance(noise_shape, Tensor):
        return noise_shape
    if noise_shape is None:
        return static if is_known(static) else shape_of(x)
    wanted = [getattr(extent, "value", extent) for extent in noise_shape]
    if None not in wanted:
        return wanted
    if static is None or len(static) != len(wanted):
        raise ShapeError(f"dropout: the noise shape is {show(tuple(wanted))}, x is {show(static)}")
    merged = [have if want is None else want for want, have in zip(wanted, static, strict=True)]
    if None not in merged:
        return merged
    actual = shape_of(x)
    return [actual[n] if extent is None else extent for n, extent in enumerate(merged)]


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are 0, as float32."""
    x = convert(value)
    with x.graph.name_scope(name or "zero_fraction") as scope:
        zeros = cast(arithmetic.equal(x, zeros_like(x)), dtypes.float32)
        return reduce.reduce_mean(zeros, name=scope)


def in_top_k(predictions: Any, targets: Any, k: int, name: str | None = None) -> Tensor:
    """Whether the targets are among the k classes with the highest predictions.

    It is false for a target that is no class, and where a prediction is infinite or NaN.

    Args:
        predictions: `[batch, classes]`, floating; the number of classes must be known.
        targets: `[batch]`, class numbers.
        k: how many classes count; ties with the last of them count as well.
        name: of the operation.

    Raises:
        ShapeError: if the number of classes is not known.
    """
    scores, classes = convert(predictions), convert(targets)
    shape = scores.static_shape
    if shape is None or len(shape) != 2 or shape[1] is None:
        raise ShapeError(f"in_top_k: predictions must be [batch, classes]; they are {show(shape)}")
    with scores.graph.name_scope(name or "InTopK") as scope:
        hot = one_hot(classes, shape[1], dtype=dtypes.bool_, on_value=True, off_value=False)
        own = reduce.reduce_sum(Select.of(hot, scores, zeros_like(scores)), axis=1, keepdims=True)
        better = reduce.reduce_sum(cast(scores > own, dtypes.int32), axis=1)
        known = arithmetic.logical_and(
            reduce.reduce_any(hot, axis=1), reduce.reduce_all(arithmetic.is_finite(scores), axis=1)
        )
        return arithmetic.logical_and(known, better < k, name=scope)
