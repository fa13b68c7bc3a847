"""The positions of the largest and of the smallest element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.formula import Axis, Expr, Lowered, Operand, reduce
from thalweg.formula.functions import NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.extents import axis_numbers
from thalweg.ops.reduction.reduction import (
    CUBE,
    Grads,
    reduced_shape,
    reduction,
    resolve_axes,
)


class ArgReduction(Op):
    """What `ArgMax` and `ArgMin` share: the first position of the extreme along one axis."""

    combiner: ClassVar[str]
    axis: int = 0
    output_type: DType = dtypes.int64

    def infer(self, input: Spec) -> Spec:
        check_kind(NUMERIC, input.dtype)
        if not self.output_type.is_integer:
            raise DTypeError(f"output_type must be an integer type, not {self.output_type}")
        left = reduced_shape(input.shape, (self.axis,), False)
        if input.shape is not None and input.shape[self.axis] == 0:
            raise ShapeError(f"axis {self.axis} of {show(input.shape)} is empty")
        return Spec(left, self.output_type)

    def lower(self, *inputs: Operand) -> Lowered:
        gone = resolve_axes((self.axis,), inputs[0].rank)

        def combine(over: list[Axis], body: Expr) -> Expr:
            return reduce(self.combiner, over, body, self.output_type)

        return reduction(inputs[0], gone, False, combine)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        ties = np.array([[1, 3, 3], [2, 2, -1]], np.float32)
        yield Sample(cls(1), (ties,), exact=True, differentiable=False)
        yield Sample(cls(0), (np.int32(ties),), exact=True, differentiable=False)
        yield Sample(cls(-1, dtypes.int32), (CUBE,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(3), (CUBE,), "axis 3 is out of range for rank 3")
        yield Sample(cls(1), (CUBE[:, :0],), "axis 1 of [2, 0, 2] is empty")
        yield Sample(cls(0, dtypes.float32), (CUBE,), "output_type must be an integer type")


class ArgMax(ArgReduction):
    """The position of the largest element along an axis; the first one if several are equal."""

    type: ClassVar[str] = "ArgMax"
    combiner: ClassVar[str] = "argmax"

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.asarray(xp.argmax(input, axis=self.axis), self.output_type.numpy)


class ArgMin(ArgReduction):
    """The position of the smallest element along an axis; the first one if several are equal."""

    type: ClassVar[str] = "ArgMin"
    combiner: ClassVar[str] = "argmin"

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.asarray(xp.argmin(input, axis=self.axis), self.output_type.numpy)


def argmax(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """The position of the largest element along an axis (0 if none is given).

    Args:
        input: a tensor of numbers.
        axis: the axis; `dimension` is its older name.
        name: of the operation.
        dimension: see `axis`.
        output_type: int64 or int32.

    Raises:
        ShapeError: if there is no such axis.
    """
    return _position(ArgMax, input, axis, dimension, output_type, name)


def argmin(
    input: Any,
    axis: Any = None,
    name: str | None = None,
    dimension: Any = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """The position of the smallest element along an axis; see `argmax`."""
    return _position(ArgMin, input, axis, dimension, output_type, name)


def _position(
    record: type[ArgReduction],
    input: Any,
    axis: Any,
    dimension: Any,
    output_type: Any,
    name: str | None,
) -> Tensor:
    chosen = dimension if axis is None else axis
    at = 0 if chosen is None else axis_numbers(chosen)[0]
    return emit(record(at, as_dtype(output_type)), convert(input), name=name or record.type)
