"""Python's indexing of tensors, also by tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.gather import Gather
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.build import constant_like, convert, emit, scope
from thalweg.ops.elementwise.comparison import less
from thalweg.ops.elementwise.selection import where


def getitem(x: Tensor, key: Any) -> Tensor:
    """`x[key]`: integers, scalar tensors, slices with steps, `None` for a new axis, and `...`.

    Raises:
        ShapeError: if the key does not fit the shape.
        InvalidArgumentError: in a run, if an index that is a tensor is out of range.
    """
    items = key if isinstance(key, tuple) else (key,)
    computed = [n for n, item in enumerate(items) if _is_index(item)]
    x = convert(x)
    with scope(None, "strided_slice", x) as full:
        if not computed:
            return strided(x, key, full)
        made = strided(x, tuple([slice(None) if _is_index(item) else item for item in items]))
        for place in reversed(computed):
            name = full if place == computed[0] else None
            made = _picked(made, convert(items[place]), _axis(items, place), name)
        return made


def _is_index(item: Any) -> bool:
    return isinstance(item, Operators) and item._as_tensor().dtype.is_integer


def _axis(items: Sequence[Any], place: int) -> int:
    """Which axis an item is about, once the plain items are done; counted from the nearer end."""
    before, after = items[:place], items[place + 1 :]
    if any(item is Ellipsis for item in before):
        return -1 - sum(map(_is_axis, after))
    return sum(map(_is_axis, before))


def _is_axis(item: Any) -> bool:
    """Whether an item stands for an axis of the result; an index that is a tensor still does."""
    return item is None or isinstance(item, slice | Operators)


def _picked(x: Tensor, index: Tensor, axis: int, name: str | None) -> Tensor:
    """The slice of a tensor at an index along an axis, from the end if it is negative."""
    if index.static_shape not in (None, ()):
        raise ShapeError(f"an index must be a scalar, not {show(index.static_shape)}")
    zero = constant_like(index.graph, index.dtype.numpy.type(0))
    end = index + size_along(x, (axis,), index.dtype)
    return emit(Gather(axis), x, where(less(index, zero), end, index), name=name)
