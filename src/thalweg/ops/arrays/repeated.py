"""Slices that belong to one row: their sums, and the last of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import compatible, show
from thalweg.formula import (
    Check,
    Expr,
    Formula,
    Index,
    Lowered,
    Operand,
    Position,
    Steps,
    affine,
    apply,
    axes,
)
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import accumulator
from thalweg.ops.arrays.gather import MAX_SINGLE_TERMS, check_indices
from thalweg.ops.build import emit
from thalweg.ops.samples import TABLE, wave
from thalweg.ops.scatter import scatter_add, scatter_last

Grads = Sequence[Tensor | None]


class SumRepeated(Op):
    """`y[i, ...]` is the sum of `values[j, ...]` over all j with `indices[j] == indices[i]`.

    So slices that belong to one row become equal: it does not matter which of them is stored last.
    The sums are taken in the order of j, in double precision where they may be long.

        last[indices[j]]       = j                  for all j in turn
        sums[last[indices[j]]] += values[j]
        y[i]                   = sums[last[indices[i]]]

    Of the array `last`, which has an element for each row of the table, only those are touched that
    an index names. The time does not depend on how large the table is.

    Attributes:
        rows: of the table that the indices are for.
    """

    type: ClassVar[str] = "SumRepeated"
    rows: int

    def infer(self, values: Spec, indices: Spec) -> Spec:
        check_indices(indices)
        lead = None if values.shape is None else values.shape[:1]
        if (indices.shape is not None and len(indices.shape) != 1) or not compatible(
            lead, indices.shape
        ):
            raise ShapeError(
                f"values {show(values.shape)} need an index each; indices are {show(indices.shape)}"
            )
        return values

    def evaluate(self, xp: Any, values: Any, indices: Any) -> Any:
        count = len(indices)
        last = scatter_last(xp, self.rows, indices, xp.arange(count))[indices]
        wide = self._wide(as_dtype(values.dtype), count).numpy
        sums = scatter_add(xp, values.shape, wide, last, values)
        return xp.asarray(sums[last], values.dtype)

    @staticmethod
    def _wide(dtype: DType, count: int) -> DType:
        """The type to add up so many values in."""
        wide = accumulator(dtype)
        return dtypes.float64 if wide == dtypes.float32 and count > MAX_SINGLE_TERMS else wide

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [Check(1, self.rows, "indices")]

    def lower(self, *inputs: Operand) -> Lowered:
        values, indices = inputs
        count, *rest = values.shape
        wide = self._wide(values.dtype, count)
        last = Operand(2, (self.rows,), dtypes.int32)
        sums = Operand(3, values.shape, wide)
        places = _places(indices, last)
        every = axes(count, *rest)
        store: list[Index] = [_first(last, indices, every[0]), *every[1:]]
        added = Formula.make(every, cast_expr(values[every], wide), store, values.shape)
        mine = axes(count, *rest)
        total = sums[(_first(last, indices, mine[0]), *mine[1:])]
        result = Formula.make(mine, cast_expr(total, values.dtype))
        return Steps(((places, last.dtype), (added, wide)), result)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(self, dy, node.inputs[1]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        pick = np.array([2, 0, 2, 2, 6], np.int32)
        yield Sample(cls(7), (wave(5, 20), pick))
        yield Sample(cls(7), (wave(5), pick.astype(np.int64)))
        yield Sample(cls(7), (wave(5, 2, 3), np.arange(5, dtype=np.int32)), exact=True)
        yield Sample(cls(7), (wave(1, 3), pick[:1]), exact=True)
        yield Sample(cls(7), (wave(0, 3), pick[:0]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        pick = np.array([1, 0, 1], np.int32)
        yield Sample(cls(3), (TABLE, pick), "values [2, 3] need an index each; indices are [3]")
        yield Sample(cls(3), (TABLE, TABLE), "indices must be int32 or int64, not float32")


class IsLast(Op):
    """Whether no index after this one is equal.

        last[indices[j]] = j                  for all j in turn
        y[i]             = last[indices[i]] == i

    Attributes:
        rows: of the table that the indices are for.
    """

    type: ClassVar[str] = "IsLast"
    differentiable: ClassVar[bool] = False
    rows: int

    def infer(self, indices: Spec) -> Spec:
        check_indices(indices)
        if indices.shape is not None and len(indices.shape) != 1:
            raise ShapeError(f"indices must be a vector; they are {show(indices.shape)}")
        return Spec(indices.shape, dtypes.bool_)

    def evaluate(self, xp: Any, indices: Any) -> Any:
        places = xp.arange(len(indices))
        return scatter_last(xp, self.rows, indices, places)[indices] == places

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [Check(0, self.rows, "indices")]

    def lower(self, *inputs: Operand) -> Lowered:
        (indices,) = inputs
        last = Operand(1, (self.rows,), dtypes.int32)
        (row,) = axes(*indices.shape)
        place = Position(affine(row), last.dtype)
        result = apply("eq", last[_integer(indices[row])], place)
        return Steps(((_places(indices, last), last.dtype),), Formula.make([row], result))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(7), (np.array([2, 0, 2, 2, 6], np.int32),), exact=True)
        yield Sample(cls(7), (np.array([], np.int64),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(3), (TABLE,), "indices must be int32 or int64, not float32")
        yield Sample(cls(3), (np.array([[1]], np.int32),), "must be a vector; they are [1, 1]")


def _places(indices: Operand, last: Operand) -> Formula:
    """For each row that an index names, where that is for the last time."""
    (row,) = axes(*indices.shape)
    place, store = Position(affine(row), last.dtype), [_integer(indices[row])]
    return Formula.make([row], place, store, last.shape, replaces=True)


def _integer(index: Expr) -> Expr:
    return cast_expr(index, dtypes.int64)


def _first(last: Operand, indices: Operand, at: Index) -> Expr:
    """Where the sum for an index is taken."""
    return _integer(last[_integer(indices[at])])
