"""Elements at several indices each, tensors turned round, and masks of lengths."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import axis_index, show
from thalweg.graph import Tensor
from thalweg.ops.arrays.gather import Gather, check_indices
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.ranges import range_
from thalweg.ops.arrays.reshape import expand_dims, reshape
from thalweg.ops.arrays.shape import shape, size_along
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.build import checking, convert, emit, scope
from thalweg.ops.elementwise.comparison import less
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.extents import axis_numbers
from thalweg.ops.reduction.reduce import reduce_max


def gather_nd(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """The elements or slices at several indices each: `y[i] = params[tuple(indices[i])]`.

    Args:
        params: a tensor.
        indices: `[..., n]`, int32 or int64, for the first n axes of params.
        name: of the operation.

    Returns:
        A tensor of the shape `[..., *params.shape[n:]]`.

    Raises:
        DTypeError: if the indices are not int32 or int64.
        ShapeError: if n is not known, 0, or larger than the rank of params.
        InvalidArgumentError: in a run, if an index is out of range.
    """
    x, places = convert(params), convert(indices)
    with scope(name, "GatherNd", x) as full:
        with checking("gather_nd", params=x, indices=places):
            check_indices(places.spec)
            count = _depth(x, places)
        flat: Any = 0
        for axis in range(count):
            extent = size_along(x, (axis,), places.dtype)
            # A gather from the numbers of an axis is the index itself, and checks it.
            at = emit(Gather(), range_(extent), strided(places, (..., axis)))
            flat = at if axis == 0 else flat * extent + at
        return emit(Gather(), _joined(x, count), flat, name=full)


def _depth(x: Tensor, places: Tensor) -> int:
    """How many axes the indices are for."""
    count = places.static_shape[-1] if places.static_shape else None
    rank = None if x.static_shape is None else len(x.static_shape)
    if not count or rank is None or count > rank:
        raise ShapeError(
            f"indices of the shape {show(places.static_shape)} for params of {show(x.static_shape)}"
        )
    return count


def _joined(x: Tensor, count: int) -> Tensor:
    """A tensor with its first axes made into one."""
    rest = (x.static_shape or ())[count:]
    if count == 1:
        return x
    if None not in rest:
        return reshape(x, (-1, *rest))
    return reshape(x, concat([[-1], strided(shape(x), slice(count, None))], 0))


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The tensor with its elements in the other order along some axes.

    Args:
        tensor: of a known rank.
        axis: a list of axes, which may be negative.
        name: of the operation.

    Raises:
        ShapeError: if there is no such axis, or the rank is not known.
    """
    x = convert(tensor)
    with scope(name, "Reverse", x) as full, checking("reverse", tensor=x):
        if x.static_shape is None:
            raise ShapeError("the rank of the tensor must be known")
        rank = len(x.static_shape)
        turned = {axis_index(n, rank) for n in axis_numbers(axis)}
        key = [slice(None, None, -1 if n in turned else None) for n in range(rank)]
        return strided(x, tuple(key), full)


def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool_, name: str | None = None
) -> Tensor:
    """`y[..., n]` tells whether `n < lengths[...]`.

    Args:
        lengths: integers, of any shape.
        maxlen: the extent of the new last axis, a number or a scalar tensor; the largest of the
            lengths if it is not given.
        dtype: of the result: True and False, or 1 and 0.
        name: of the operation.
    """
    ends = convert(lengths)
    with scope(name, "SequenceMask", ends):
        most = reduce_max(ends) if maxlen is None else maxlen
        numbers = range_(most, dtype=ends.dtype)
        return cast(less(numbers, expand_dims(ends, -1)), as_dtype(dtype))
