"""Python's indexing of tensors, also by tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import ShapeError, UnimplementedError
from thalweg.base.shapes import axis_index, show
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.gather import Gather, check_indices
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.arrays.window import window, window_length
from thalweg.ops.build import constant_like, constant_value, convert, emit, scope
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
    takes_strings: ClassVar[bool] = True
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
    """`x[key]`: integers, slices with steps, `None` for a new axis, and `...`.

    An integer, and a bound of a slice, may be a scalar tensor. In the body of a loop, a slice such
    as `x[i:i + 3]` has one length in all iterations and must fit.

    Raises:
        ShapeError: if the key does not fit the shape.
        InvalidArgumentError: in a run, if an index that is a tensor is out of range.
    """
    items = key if isinstance(key, tuple) else (key,)
    lengths = [window_length(item) for item in items]
    gathered = [n for n, item in enumerate(items) if _is_index(item) or lengths[n] is not None]
    x = convert(x)
    with scope(None, "strided_slice", x) as full:
        if not gathered:
            return strided(x, key, full)
        others = [slice(None) if n in gathered else item for n, item in enumerate(items)]
        whole = all(isinstance(item, slice) and item == slice(None) for item in others)
        made = x if whole else strided(x, tuple(others))
        for place in reversed(gathered):
            name = full if place == gathered[0] else None
            made = _picked(made, items[place], lengths[place], _axis(items, place), name)
        return made


def _is_index(item: Any) -> bool:
    return isinstance(item, Operators) and item._as_tensor().dtype.is_integer


def _axis(items: Sequence[Any], place: int) -> int:
    """Which axis an item is about, once the plain items are done, and the indices behind it.

    It is counted from the nearer end.
    """
    before, after = items[:place], items[place + 1 :]
    if any(item is Ellipsis for item in before):
        return -1 - sum(item is None or isinstance(item, slice) for item in after)
    return sum(item is None or isinstance(item, slice | Operators) for item in before)


def _picked(x: Tensor, item: Any, length: int | None, axis: int, name: str | None) -> Tensor:
    """The part of a tensor along an axis for an index, or for a slice of a known length."""
    if length is not None:
        return window(x, convert(item.start), length, axis, item.step or 1, name)
    index = convert(item)
    if index.static_shape not in (None, ()):
        raise ShapeError(f"an index must be a scalar, not {show(index.static_shape)}")
    return emit(Gather(axis, True), x, emit(FromEnd(axis), index, x), name=name)


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: None = None,
    name: str | None = None,
) -> Tensor:
    """`x[begin:end:stride, ...]`, with one bound for each part of the index.

    Bit `n` of a mask is about part `n`: its begin or end is left out, or it is `...`, a new axis,
    or the single index `begin[n]`.

    Args:
        input_: a tensor.
        begin: integers, or a vector; either may hold tensors.
        end: likewise, as many.
        strides: likewise; all 1 if not given.
        begin_mask: see above.
        end_mask: see above.
        ellipsis_mask: see above.
        new_axis_mask: see above.
        shrink_axis_mask: see above.
        var: TensorFlow's reference to assign to; not supported.
        name: of the operation.

    Raises:
        ShapeError: if the bounds are not vectors of one known length, or do not fit.
        UnimplementedError: if `var` is given.
    """
    if var is not None:
        raise UnimplementedError("strided_slice: var is not supported; use tf.assign")
    x = convert(input_)
    begins = _bounds(begin)
    ends, steps = _bounds(end), [1] * len(begins) if strides is None else _bounds(strides)
    if not len(begins) == len(ends) == len(steps):
        counts = f"{len(begins)}, {len(ends)} and {len(steps)}"
        raise ShapeError(f"strided_slice: there are {counts} begins, ends and strides")

    def item(n: int) -> Any:
        bit = 1 << n
        if ellipsis_mask & bit:
            return ...
        if new_axis_mask & bit:
            return None
        if shrink_axis_mask & bit:
            return begins[n]
        start = None if begin_mask & bit else begins[n]
        return slice(start, None if end_mask & bit else ends[n], steps[n])

    with scope(name, "strided_slice", x):
        return getitem(x, tuple(map(item, range(len(begins)))))


def _bounds(value: Any) -> Sequence[Any]:
    """The bounds of a `strided_slice`, one by one."""
    if not isinstance(value, Operators):
        return [int(v) for v in value] if isinstance(value, np.ndarray) else list(value)
    tensor = convert(value)
    count = tensor.static_shape[0] if tensor.static_shape else None
    if count is None:
        raise ShapeError(f"strided_slice: the number of bounds in {tensor.name!r} is not known")
    known = constant_value(tensor)
    return [getitem(tensor, n) if known is None else int(known[n]) for n in range(count)]
