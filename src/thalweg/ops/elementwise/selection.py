"""Selection: one of two values, by a condition; and zeros, which gradients choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.formula import Const, Lowered, Operand, pointwise
from thalweg.formula import where as where_expr
from thalweg.formula.functions import ANY, BOOLEAN
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.reshape import choosing_rows
from thalweg.ops.build import convert, convert_pair, emit, scope
from thalweg.ops.elementwise.broadcasting import broadcast_together
from thalweg.ops.elementwise.pointwise import MIXED, OTHER, Grads, Unary, check_kind, numbers
from thalweg.ops.host.where import Where

__all__ = ["where"]


class ZerosLike(Unary):
    """0 in the shape and of the dtype of x, whatever its values are."""

    type: ClassVar[str] = "ZerosLike"
    kind: ClassVar[str] = ANY
    shape_only: ClassVar[tuple[int, ...]] = (0,)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.zeros(x.shape, x.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: Const(0, x.dtype), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (numbers(1, -2, np.nan, np.inf),), exact=True, differentiable=False)


class Select(Op):
    """`x` where the condition holds, else `y`."""

    type: ClassVar[str] = "Select"
    takes_strings: ClassVar[bool] = True

    def infer(self, condition: Spec, x: Spec, y: Spec) -> Spec:
        check_kind(BOOLEAN, condition.dtype)
        if x.dtype != y.dtype:
            raise DTypeError(f"the branches are {x.dtype} and {y.dtype}")
        return Spec(shapes.merge(condition.shape, shapes.merge(x.shape, y.shape)), x.dtype)

    def evaluate(self, xp: Any, condition: Any, x: Any, y: Any) -> Any:
        return xp.where(condition, x, y)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(where_expr, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        condition, zero = node.inputs[0], ZerosLike.of(dy)
        return [None, Select.of(condition, dy, zero), Select.of(condition, zero, dy)]

    @classmethod
    def of(cls, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return emit(cls(), condition, x, y)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (MIXED > 0.5, MIXED, OTHER))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (MIXED, MIXED, MIXED), "takes bool tensors, not float32")
        yield Sample(cls(), (MIXED > 0, MIXED, MIXED > 0), "the branches are float32 and bool")


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """`x` where the condition holds, else `y`; without them, where it holds.

    A vector as the condition of tensors of higher rank chooses whole rows, as in TensorFlow 1.

    Args:
        condition: bool; without x and y also numbers, which hold unless they are 0.
        x: what to take where it holds.
        y: what to take elsewhere, of the dtype of x.
        name: of the operation.

    Returns:
        A tensor of the shape of x and y. Without them, the indices of the elements that hold, as
        int64 `[?, rank]`, in row-major order.

    Raises:
        ShapeError: if the shapes do not fit together.
        InvalidArgumentError: if there is only one of x and y.
    """
    if x is None and y is None:
        return emit(Where(), convert(condition), name=name)
    if x is None or y is None:
        raise InvalidArgumentError("give both x and y, or neither")
    with scope(name, "Select", condition, x, y) as full:
        chosen = convert(condition, dtypes.bool_)
        a, b = convert_pair(x, y, "where")
        rows = choosing_rows(chosen, a, b)
        return emit(Select(), *broadcast_together((rows, a, b)), name=full)
