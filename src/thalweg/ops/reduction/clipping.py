"""Gradients made smaller where they are too large (Pascanu, Mikolov and Bengio 2013)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thalweg.graph import Gradient, IndexedSlices, Tensor
from thalweg.ops.arrays.broadcast import accumulator
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.arrays.shape import size
from thalweg.ops.build import convert, scope
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.reduction.norm import safe_root
from thalweg.ops.reduction.reduce import reduce_sum

Listed = Sequence[Any]


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Gradient:
    """`t * clip_norm / norm(t)` where the Euclidean norm is above `clip_norm`, else t.

    Args:
        t: a tensor, or `IndexedSlices`, of which the slices are clipped.
        clip_norm: a scalar; positive.
        axes: those that the norm is over; all by default.
        name: of the operation.
    """
    return _of_values(t, lambda values: _clipped(values, clip_norm, axes, name))


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Gradient:
    """`clip_by_norm` for the norm divided by the number of elements."""

    def clipped(values: Tensor) -> Tensor:
        count = cast(size(values), values.dtype)
        return _clipped(values, convert(clip_norm, hint=values.dtype) * count, None, name)

    return _of_values(t, clipped)


def global_norm(t_list: Listed, name: str | None = None) -> Tensor | None:
    """The Euclidean norm of all the tensors as one vector; None if there are none.

    Of `IndexedSlices` the slices count, each by itself.

    Args:
        t_list: tensors, `IndexedSlices` and Nones, which count for nothing.
        name: of the operation.

    Raises:
        TypeError: if it is not a list.
    """
    values = [_values(t) for t in _checked(t_list) if t is not None]
    if not values:
        return None
    with scope(name, "global_norm", *values) as full:
        wide = accumulator(values[0].dtype)
        squares = [reduce_sum(arithmetic.square(cast(v, wide))) for v in values]
        return cast(safe_root(arithmetic.add_n(squares)), values[0].dtype, name=full)


def clip_by_global_norm(
    t_list: Listed, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Gradient | None], Tensor | None]:
    """All tensors times `clip_norm / max(global_norm, clip_norm)`.

    Args:
        t_list: tensors, `IndexedSlices` and Nones, which stay None.
        clip_norm: a scalar; positive.
        use_norm: the norm, if it is known already.
        name: of the scope.

    Returns:
        The clipped tensors, NaN if the norm is not finite, and the norm.

    Raises:
        TypeError: if it is not a list.
    """
    norm = global_norm(t_list) if use_norm is None else convert(use_norm)
    if norm is None:
        return list(t_list), None
    with scope(name, "clip_by_global_norm", norm):
        scale = _scale(norm, clip_norm)
        return [None if t is None else _of_values(t, _times(scale)) for t in _checked(t_list)], norm


def _scale(norm: Tensor, clip_norm: Any) -> Tensor:
    limit = convert(clip_norm, hint=norm.dtype)
    scale = limit / arithmetic.maximum(norm, limit)
    return arithmetic.where(arithmetic.is_finite(norm), scale, norm - norm)  # the latter is NaN


def _times(scale: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda values: values * cast(scale, values.dtype)


def _clipped(values: Tensor, clip_norm: Any, axes: Any, name: str | None) -> Tensor:
    with scope(name, "clip_by_norm", values) as full:
        limit = convert(clip_norm, hint=values.dtype)
        total = reduce_sum(arithmetic.square(values), axes, keepdims=True)
        above = arithmetic.maximum(safe_root(total), limit)
        return identity(values * limit / above, name=full)


def _of_values(t: Any, function: Callable[[Tensor], Tensor]) -> Gradient:
    """A function of a tensor, or of the slices of one."""
    made = function(_values(t))
    return t.with_values(made) if isinstance(t, IndexedSlices) else made


def _values(t: Any) -> Tensor:
    return t.values if isinstance(t, IndexedSlices) else convert(t)


def _checked(t_list: Any) -> Sequence[Any]:
    if not isinstance(t_list, list | tuple):
        raise TypeError("t_list should be a sequence")
    return t_list
