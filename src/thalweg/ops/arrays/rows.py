"""Arrays in which one row is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.formula import Check, Formula, Lowered, Operand, Position, affine, apply, axes, where
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.gather import Gather, check_indices
from thalweg.ops.build import emit
from thalweg.ops.samples import CUBE, TABLE


class WriteRow(Op):
    """An array with another row at an index: `y[index] = row`, and else `y[i] = array[i]`."""

    type: ClassVar[str] = "WriteRow"

    def infer(self, array: Spec, index: Spec, row: Spec) -> Spec:
        check_indices(index)
        if index.shape not in (None, ()):
            raise ShapeError(f"the index must be a scalar, not {show(index.shape)}")
        if array.dtype != row.dtype:
            raise DTypeError(f"the array is {array.dtype}, the row {row.dtype}")
        if row.shape is None:
            return array
        try:
            return Spec(shapes.merge(array.shape, (None, *row.shape)), array.dtype)
        except ShapeError:
            text = f"a row of {show(row.shape)} does not fit an array of {show(array.shape)}"
            raise ShapeError(text) from None

    def evaluate(self, xp: Any, array: Any, index: Any, row: Any) -> Any:
        places = xp.reshape(xp.arange(array.shape[0]), (-1, *(1 for _ in array.shape[1:])))
        return xp.where(places == index, row, array)

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [Check(1, inputs[0].shape[0], "index")]

    def lower(self, *inputs: Operand) -> Lowered:
        array, index, row = inputs
        every = axes(*array.shape)
        here = cast_expr(index[()], dtypes.int64)
        is_row = apply("eq", Position(affine(every[0])), here)
        return Formula.make(every, where(is_row, row[every[1:]], array[every]))

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        _, index, row = node.inputs
        return [emit(WriteRow(), dy, index, zeros_like(row)), None, emit(Gather(), dy, index)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE, np.int32(1), TABLE[0] * 2), exact=True)
        yield Sample(cls(), (CUBE, np.int64(0), CUBE[1]), exact=True)
        yield Sample(cls(), (TABLE[0], np.int32(2), np.float32(7)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "a row of [2] does not fit an array of [2, 3]"
        yield Sample(cls(), (TABLE, np.int32(1), TABLE[0, :2]), text)
        yield Sample(cls(), (TABLE, np.array([1]), TABLE[0]), "the index must be a scalar, not [1]")
        yield Sample(cls(), (TABLE, np.int32(1), np.int32(TABLE[0])), "is float32, the row int32")
