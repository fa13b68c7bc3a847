"""Shapes as values: shape, size, rank; and shapes as users give them, which may hold tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.record import Record
from thalweg.base.shapes import Shape, UnknownDimension, axis_index, is_known, known
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.build import (
    INDEX,
    computed_constant,
    constant_like,
    constant_value,
    convert,
    emit,
    is_planned,
)
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.extents import as_position, has_dim
from thalweg.ops.samples import CUBE, TABLE

Grads = Sequence[Tensor | None]


class ShapeValue(Op):
    """What ops share that say something about their input's shape."""

    takes_strings: ClassVar[bool] = True
    shape_only: ClassVar[tuple[int, ...]] = (0,)
    dtype: DType

    def relevant(self, shape: Sequence[Any]) -> Sequence[Any]:
        """The extents that the value says something about."""
        return shape

    def number(self, extents: Sequence[int]) -> Any:
        """The value, by those extents."""
        raise NotImplementedError

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.asarray(self.number(self.relevant(input.shape)), dtype=self.dtype.numpy)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        extents = known(input.static_shape)
        return computed_constant(input.graph, _ShapeArray(self), self.relevant(extents))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]


class _ShapeArray(Record):
    """The value of an op for extents, as an array."""

    op: ShapeValue

    def __call__(self, *extents: int) -> np.ndarray[Any, Any]:
        return np.asarray(self.op.number(extents), self.op.dtype.numpy)


class ShapeOf(ShapeValue):
    """The shape of a tensor, as a vector of integers."""

    type: ClassVar[str] = "Shape"
    dtype: DType = dtypes.int32

    def infer(self, input: Spec) -> Spec:
        return Spec((None,) if input.shape is None else (len(input.shape),), self.dtype)

    def number(self, extents: Sequence[int]) -> Any:
        return list(extents)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE,), exact=True, differentiable=False)


class SizeOf(ShapeValue):
    """How many elements a tensor has along some axes together; along all if they are None."""

    type: ClassVar[str] = "Size"
    dtype: DType = dtypes.int32
    axes: tuple[int, ...] | None = None

    def infer(self, input: Spec) -> Spec:
        if input.shape is not None:
            self.relevant(input.shape)
        return Spec((), self.dtype)

    def relevant(self, shape: Sequence[Any]) -> list[Any]:
        chosen = range(len(shape)) if self.axes is None else self.axes
        return [shape[axis_index(axis, len(shape))] for axis in chosen]

    def number(self, extents: Sequence[int]) -> Any:
        return shapes.size(extents)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE,), exact=True, differentiable=False)
        yield Sample(cls(axes=(0, -1)), (CUBE,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(axes=(2,)), (TABLE,), "axis 2 is out of range for rank 2")


class Rank(ShapeValue):
    """How many axes a tensor has."""

    type: ClassVar[str] = "Rank"
    dtype: DType = dtypes.int32

    def infer(self, input: Spec) -> Spec:
        return Spec((), self.dtype)

    def relevant(self, shape: Sequence[Any]) -> Sequence[Any]:
        return [0] * len(shape)  # only how many there are

    def number(self, extents: Sequence[int]) -> Any:
        return len(extents)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE,), exact=True, differentiable=False)


def shape(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The shape as a vector of integers; a constant where it is fully known."""
    x, kind = convert(input), as_dtype(out_type)
    extents = x.static_shape
    if not is_known(extents) or has_dim(known(extents)):
        return emit(ShapeOf(kind), x, name=name)
    return constant_like(x.graph, np.array(known(extents), kind.numpy), name=name or "Shape")


def size(input: Any, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """The number of elements; a constant where the shape is fully known."""
    return size_along(convert(input), None, as_dtype(out_type), name)


def size_along(
    x: Tensor, over: tuple[int, ...] | None, dtype: DType = INDEX, name: str | None = None
) -> Tensor:
    """The number of elements along some axes together."""
    record = SizeOf(dtype, over)
    extents = None if x.static_shape is None else record.relevant(x.static_shape)
    if extents is None or None in extents or has_dim(extents):
        return emit(record, x, name=name)
    value = np.asarray(shapes.size(extents), dtype.numpy)
    return constant_like(x.graph, value, name=name or record.type)


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes; a constant where it is known."""
    x = convert(input)
    if x.static_shape is None:
        return emit(Rank(), x, name=name)
    return constant_like(x.graph, np.int32(len(x.static_shape)), name=name or "Rank")


# -- shapes as users give them


def known_dims(value: Any) -> tuple[Shape, Tensor | None]:
    """A shape as a user may give it: what is known of it, and the tensor that holds it if needed.

    Unknown extents of a plain shape count as -1.
    """
    if isinstance(value, Operators):
        tensor = convert(value)
        array = None if is_planned(tensor) else constant_value(tensor)
        if array is not None:
            return tuple(int(d) for d in array.reshape(-1)), None
        return _partly_known(tensor), tensor
    items = value if isinstance(value, Iterable) else (value,)
    dims = [_known_dim(item) for item in items]
    if all(not isinstance(d, Tensor) for d in dims):
        return tuple(d for d in dims if not isinstance(d, Tensor)), None
    tensor = convert([_as_index(d) for d in dims])
    return tuple(None if isinstance(d, Tensor) else d for d in dims), tensor


def _partly_known(tensor: Tensor) -> Shape:
    """What is known of the value of a shape's tensor: `tf.shape(x)` knows x's static extents."""
    if isinstance(tensor.op.record, ShapeOf):
        return tensor.op.inputs[0].static_shape
    rank = tensor.static_shape[0] if tensor.static_shape else None
    return None if rank is None else (None,) * rank


def _known_dim(item: Any) -> int | Tensor:
    if item is None or isinstance(item, UnknownDimension):
        return -1
    if hasattr(item, "_as_tensor"):
        item = item._as_tensor()
    if not isinstance(item, Tensor):
        return as_position(item)
    value = None if is_planned(item) else constant_value(item)
    return item if value is None else int(value.item())


def _as_index(item: int | Tensor) -> Tensor:
    tensor = convert(item, hint=INDEX)
    if tensor.dtype == INDEX:
        return tensor
    return cast(tensor, INDEX)
