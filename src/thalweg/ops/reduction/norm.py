"""Norms of vectors and matrices, whose gradients are finite everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import GraphError, UnimplementedError
from thalweg.graph import Tensor
from thalweg.ops.arrays.broadcast import accumulator
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.reshape import identity, squeeze, stop_gradient
from thalweg.ops.build import convert, scope
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.reduction.reduce import reduce_max, reduce_sum

Axes = list[int] | None
EUCLIDEAN = ("euclidean", "fro", 2)


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The norm of a tensor as one vector, or of the vectors or matrices along its axes.

    Elements are divided by the largest before they are squared, so that neither 1e-30 nor 1e30
    is out of range in float32. The gradient at 0 is 0.

    Args:
        tensor: floating.
        ord: "euclidean" (or "fro" for matrices); 1, `np.inf`, or for vectors any number above 0.
        axis: one axis for vectors, a pair (rows, columns) for matrices; None for all as one vector.
        keepdims: whether the axes stay with extent 1.
        name: of the operation.
        keep_dims: the older name of `keepdims`.

    Raises:
        ValueError: if there is no such norm, or the axis is neither a number nor a pair.
        UnimplementedError: for the 2-norm of matrices.
    """
    x = convert(tensor)
    axes = _axes(axis)
    _check_order(ord, is_matrix=axes is not None and len(axes) == 2)
    with scope(name, "norm", x) as full:
        wide = cast(x, accumulator(x.dtype))
        found = cast(_norm(wide, ord, axes), x.dtype)
        if keepdims or keep_dims:
            return identity(found, name=full)
        return squeeze(found, axes, name=full)


def safe_root(total: Tensor) -> Tensor:
    """The square root, whose gradient is 0 at 0."""
    positive = total > 0
    root = arithmetic.sqrt(arithmetic.where(positive, total, ones_like(total)))
    return arithmetic.where(positive, root, total)


def _axes(axis: Any) -> Axes:
    if axis is None:
        return None
    axes = [int(a) for a in axis] if isinstance(axis, Sequence | np.ndarray) else [int(axis)]
    if len(axes) > 2 or len(set(axes)) < len(axes) or not axes:
        raise GraphError(
            f"'axis' must be None, an integer, or a tuple of 2 unique integers: {axis}"
        )
    return axes


def _check_order(order: Any, is_matrix: bool) -> None:
    if is_matrix and order == 2:
        raise UnimplementedError("the 2-norm of a matrix needs its singular values")
    known = (*EUCLIDEAN, 1, np.inf)
    if order in known and not (order == "fro" and not is_matrix):
        return
    if is_matrix or isinstance(order, str) or not order > 0:
        what = "matrix" if is_matrix else "vector"
        raise GraphError(f"'ord' must be a supported {what} norm, not {order!r}")


def _norm(x: Tensor, order: Any, axes: Axes) -> Tensor:
    """The norm, whose axes have the extent 1."""
    size = arithmetic.abs(x)
    if order in (1, np.inf) and axes is not None and len(axes) == 2:
        rows, columns = axes if order == 1 else axes[::-1]
        return reduce_max(reduce_sum(size, rows, keepdims=True), columns, keepdims=True)
    if order == 1:
        return reduce_sum(size, axes, keepdims=True)
    if order == np.inf:
        return reduce_max(size, axes, keepdims=True)
    if order in EUCLIDEAN:
        return _scaled(x, axes, arithmetic.square, safe_root)
    return _scaled(size, axes, lambda t: arithmetic.pow(t, order), lambda t: _root(t, order))


def _scaled(
    x: Tensor,
    axes: Axes,
    power: Callable[[Tensor], Tensor],
    root: Callable[[Tensor], Tensor],
) -> Tensor:
    """The root of the sum of powers, where the largest element counts as 1."""
    largest = stop_gradient(reduce_max(arithmetic.abs(x), axes, keepdims=True))
    usable = arithmetic.logical_and(arithmetic.is_finite(largest), largest > 0)
    scale = arithmetic.where(usable, largest, ones_like(largest))
    return root(reduce_sum(power(x / scale), axes, keepdims=True)) * scale


def _root(total: Tensor, order: float) -> Tensor:
    positive = total > 0
    base = arithmetic.where(positive, total, ones_like(total))
    return arithmetic.where(positive, arithmetic.pow(base, 1 / order), total)
