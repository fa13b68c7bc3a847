"""Python's indexing of tensors, also by tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import axis_index, show
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.gather import Gather, check_indices
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.build import constant_like, convert, emit, scope
from thalweg.ops.elementwise.arithmetic import add
from thalweg.ops.elementwise.comparison import less
from thalweg.ops.elementwise.selection import where
from thalweg.ops.samples import CUBE, TABLE


class FromEnd(Op):
    """An index along an axis of a tensor; one below 0 is counted from the end.

    Attributes:
        axis: of the second input, of which only the shape matters.
    """

    type: ClassVar[str] = "FromEnd"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    axis: int

    def infer(self, index: Spec, x: Spec) -> Spec:
        check_indices(index)
        if x.shape is not None:
            axis_index(self.axis, len(x.shape))
        return index

    def evaluate(self, xp: Any, index: Any, x: Any) -> Any:
        return xp.where(index < 0, index + index.dtype.type(x.shape[self.axis]), index)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        index, x = inputs
        end = add(index, size_along(x, (self.axis,), index.dtype))
        zero = constant_like(index.graph, index.dtype.numpy.type(0))
        return where(less(index, zero), end, index)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1), (np.array([-1, 0, 2, -3], np.int32), TABLE), exact=True)
        yield Sample(cls(-3), (np.int64(-2), CUBE), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1), (TABLE, TABLE), "indices must be int32 or int64, not float32")
        yield Sample(cls(2), (np.int32(1), TABLE), "axis 2 is out of range for rank 2")


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
        others = [slice(None) if _is_index(item) else item for item in items]
        whole = all(item == slice(None) for item in others)
        made = x if whole else strided(x, tuple(others))
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
    return emit(Gather(axis), x, emit(FromEnd(axis), index, x), name=name)
