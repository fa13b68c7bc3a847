"""Tensors from values: constants and placeholders, one number everywhere, ranges, one-hot rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import axis_index, is_known, known, show
from thalweg.formula import Const, Formula, Lowered, Operand, Position, affine, apply, axes, where
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor, default_graph
from thalweg.ops.arrays.broadcast import Broadcast, BroadcastLike, broadcast_to
from thalweg.ops.arrays.constant import Placeholder, PlaceholderWithDefault
from thalweg.ops.build import (
    constant_like,
    convert,
    emit,
    scope,
    to_array,
)
from thalweg.ops.extents import check_ints, computed_ints, planned_ints
from thalweg.ops.samples import TABLE

__all__ = [
    "constant",
    "convert_to_tensor",
    "fill",
    "one_hot",
    "ones",
    "ones_like",
    "placeholder",
    "placeholder_with_default",
    "zeros",
    "zeros_like",
]

Grads = Sequence[Tensor | None]


class OneHot(Op):
    """`on` where the position along a new axis is the index, else `off`."""

    type: ClassVar[str] = "OneHot"
    depth: int
    axis: int
    dtype: DType
    on: float = 1
    off: float = 0

    def infer(self, indices: Spec) -> Spec:
        if not indices.dtype.is_integer:
            raise DTypeError(f"indices must be integers, not {indices.dtype}")
        if indices.shape is None:
            return Spec(None, self.dtype)
        at = axis_index(self.axis, len(indices.shape) + 1)
        return Spec((*indices.shape[:at], self.depth, *indices.shape[at:]), self.dtype)

    def evaluate(self, xp: Any, indices: Any) -> Any:
        at = axis_index(self.axis, indices.ndim + 1)
        places = xp.reshape(xp.arange(self.depth), [-1] + [1] * (indices.ndim - at))
        hit = xp.expand_dims(indices, at) == places
        return xp.asarray(xp.where(hit, self.on, self.off), self.dtype.numpy)

    def lower(self, *inputs: Operand) -> Lowered:
        (indices,) = inputs
        at = axis_index(self.axis, indices.rank + 1)
        index = axes(*indices.shape[:at], self.depth, *indices.shape[at:])
        chosen = cast_expr(indices[(*index[:at], *index[at + 1 :])], dtypes.int64)
        hit = apply("eq", chosen, Position(affine(index[at])))
        return Formula.make(index, where(hit, Const(self.on, self.dtype), self.off))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        indices = np.array([[0, 2], [-1, 1]], np.int32)
        yield Sample(cls(3, -1, dtypes.float32), (indices,), exact=True, differentiable=False)
        yield Sample(cls(3, 0, dtypes.int32, 5, -5), (indices,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(3, -1, dtypes.float32), (TABLE,), "indices must be integers, not float32")


class DynamicOneHot(Op):
    """`OneHot` of a depth that is computed."""

    type: ClassVar[str] = "DynamicOneHot"
    static: ClassVar[tuple[int, ...]] = (1,)
    axis: int
    dtype: DType
    on: float = 1
    off: float = 0

    def infer(self, indices: Spec, depth: Spec) -> Spec:
        check_ints("depth", depth, 0)
        made: Any = self.of(0).infer(indices)
        if made.shape is None:
            return Spec(None, self.dtype)
        at = axis_index(self.axis, len(made.shape))
        return Spec((*made.shape[:at], None, *made.shape[at + 1 :]), self.dtype)

    def of(self, depth: int) -> OneHot:
        return OneHot(depth, self.axis, self.dtype, self.on, self.off)

    def evaluate(self, xp: Any, indices: Any, depth: Any) -> Any:
        return self.of(int(depth)).evaluate(xp, indices)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        indices, depth = inputs
        return emit(self.of(planned_ints("one_hot", depth)[0]), indices)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        inputs = np.array([[0, 2], [-1, 1]], np.int32), np.int32(3)
        for axis in (-1, 0):
            record = cls(axis, dtypes.float32, 2)
            yield Sample(record, inputs, exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        record, indices = cls(-1, dtypes.float32), np.array([0, 2], np.int32)
        yield Sample(record, (indices, indices), "depth must have rank 0, not [2]")
        yield Sample(record, (indices, np.float32(3)), "depth must be integers, not float32")


# -- the public functions


def constant(
    value: Any,
    dtype: Any = None,
    shape: Any = None,
    name: str | None = "Const",
    verify_shape: bool = False,
) -> Tensor:
    """A tensor whose value is part of the graph.

    Args:
        value: a number, nested list or array.
        dtype: its element type; float32 or int32 for Python numbers if None.
        shape: what to fill: the last element of `value` is repeated if there are too few.
        name: of the operation.
        verify_shape: whether `value` must have the shape already.

    Raises:
        ShapeError: if there are more values than the shape holds.
    """
    array = to_array(value, None if dtype is None else as_dtype(dtype))
    if shape is not None:
        array = _fitted(array, known(shapes.as_shape(shape)), verify_shape)
    return constant_like(default_graph(), array, name=name or "Const")


def _fitted(array: np.ndarray[Any, Any], target: tuple[int, ...], strict: bool) -> Any:
    if array.shape == target:
        return array
    missing = int(shapes.size(target)) - array.size
    if strict or missing < 0 or array.size == 0:
        raise ShapeError(f"constant: a value of shape {show(array.shape)} for shape {show(target)}")
    flat = array.reshape(-1)
    return np.concatenate([flat, np.repeat(flat[-1:], missing)]).reshape(target)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that every run must be given, through `feed_dict`.

    Args:
        dtype: its element type.
        shape: its static shape; None, or extents of None, for what may differ from run to run.
        name: of the operation.
    """
    return emit(Placeholder(as_dtype(dtype), shapes.as_shape(shape)), name=name)


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The input, unless a run feeds another value."""
    return emit(PlaceholderWithDefault(shapes.as_shape(shape)), convert(input), name=name)


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None
) -> Tensor:
    """A tensor for a tensor, variable, array, number or nested list.

    Raises:
        DTypeError: if it cannot be of the dtype.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    hint = None if preferred_dtype is None else as_dtype(preferred_dtype)
    return convert(value, wanted, name, hint)


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of a shape, which may hold tensors, with one value everywhere."""
    with scope(name, "Fill", value, dims) as full:
        return broadcast_to(convert(value), dims, name=full)


def zeros(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of zeros (False for bool)."""
    return _filled(0, shape, dtype, name or "zeros")


def ones(shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """A tensor of ones (True for bool)."""
    return _filled(1, shape, dtype, name or "ones")


def _filled(value: int, shape: Any, dtype: Any, name: str) -> Tensor:
    with scope(name, name, shape) as full:
        return broadcast_to(convert(value, hint=as_dtype(dtype)), shape, name=full)


def zeros_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Zeros of a tensor's shape, and of its dtype unless another is given."""
    return _filled_like(0, tensor, dtype, name or "zeros_like")


def ones_like(
    tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True
) -> Tensor:
    """Ones of a tensor's shape, and of its dtype unless another is given."""
    return _filled_like(1, tensor, dtype, name or "ones_like")


def _filled_like(value: int, tensor: Any, dtype: Any, name: str) -> Tensor:
    x = convert(tensor)
    with scope(name, name, x) as full:
        kind = x.dtype if dtype is None else as_dtype(dtype)
        number = constant_like(x.graph, to_array(value, kind))
        if is_known(x.static_shape):
            return emit(Broadcast(known(x.static_shape)), number, name=full)
        return emit(BroadcastLike(), number, x, name=full)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: float | None = None,
    off_value: float | None = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """A new axis of extent `depth`: `on_value` at the index, `off_value` elsewhere.

    An index outside `[0, depth)` gives `off_value` everywhere.

    Args:
        indices: integers of any shape.
        depth: an integer, or a scalar tensor.
        on_value: a number; 1 if not given.
        off_value: a number; 0 if not given.
        axis: where the new axis is in the result's shape; the last one if not given.
        dtype: of the result; float32 if not given.
        name: of the operation.
    """
    record = DynamicOneHot(
        -1 if axis is None else axis,
        dtypes.float32 if dtype is None else as_dtype(dtype),
        1 if on_value is None else on_value,
        0 if off_value is None else off_value,
    )
    count, chosen, full = computed_ints("one_hot", depth), convert(indices), name or "one_hot"
    if isinstance(count, Tensor):
        return emit(record, chosen, count, name=full)
    return emit(record.of(count[0]), chosen, name=full)
