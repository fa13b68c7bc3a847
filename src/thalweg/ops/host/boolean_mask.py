"""What a mask selects of a tensor: a composite of `Where` and `Gather`."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import axis_index, show
from thalweg.graph import Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.gather import gather
from thalweg.ops.arrays.reshape import reshape, squeeze
from thalweg.ops.arrays.shape import shape, size_along
from thalweg.ops.build import INDEX, checking, convert, emit, scope
from thalweg.ops.host.where import Where


def boolean_mask(
    tensor: Any, mask: Any, name: str | None = "boolean_mask", axis: int | None = None
) -> Tensor:
    """The elements or slices of a tensor for which a mask holds, in their order.

    `boolean_mask([1, 2, 3], [True, False, True])` is `[1, 3]`.

    Args:
        tensor: of known rank.
        mask: bool, of known rank 1 or more: the extents of some axes of the tensor.
        name: of the operation.
        axis: the first of these axes, 0 by default; from the end if negative.

    Returns:
        The tensor with one axis in the place of those of the mask.

    Raises:
        ShapeError: if the mask does not have the tensor's extents, or a rank is not known.
    """
    with scope(name, "boolean_mask", tensor, mask) as full:
        x, chosen = convert(tensor), convert(mask, dtypes.bool_)
        with checking("boolean_mask", tensor=x, mask=chosen):
            at, end = _masked_axes(x, chosen, axis or 0)
        places = emit(Where(), reshape(chosen, [-1]))
        return gather(_flattened(x, at, end), squeeze(places, [1]), name=full, axis=at)


def is_mask(key: Any) -> bool:
    """Whether an index is a mask: a bool tensor or array."""
    return isinstance(key, Operators | np.ndarray) and getattr(key, "dtype", None) == np.bool_


def _masked_axes(x: Tensor, mask: Tensor, axis: int) -> tuple[int, int]:
    """The first of the axes that the mask is for, and the one behind the last."""
    if x.static_shape is None or mask.static_shape is None:
        raise ShapeError("the ranks of the tensor and the mask must be known here")
    if not mask.static_shape:
        raise ShapeError("the mask must have rank 1 or more; it is a scalar")
    at = axis_index(axis, len(x.static_shape))
    end = at + len(mask.static_shape)
    if not shapes.compatible(x.static_shape[at:end], mask.static_shape):
        given = f"the tensor is {show(x.static_shape)}, the mask {show(mask.static_shape)}"
        raise ShapeError(f"{given}, from axis {at}")
    return at, end


def _flattened(x: Tensor, at: int, end: int) -> Tensor:
    """The tensor with one axis in the place of several."""
    if end == at + 1:
        return x
    static, dynamic = x.static_shape or (), shape(x)
    extents = [dynamic[n] if d is None else d for n, d in enumerate(static)]
    count = size_along(x, tuple(range(at, end)), INDEX)
    return reshape(x, [*extents[:at], count, *extents[end:]])
