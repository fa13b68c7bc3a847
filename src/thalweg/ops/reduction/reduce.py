"""Reductions: sums, products, extremes and their positions, truth of any or all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import ShapeError
from thalweg.formula import Axis, Expr, reduce
from thalweg.formula import cast as cast_expr
from thalweg.formula.functions import BOOLEAN, NUMERIC
from thalweg.graph import Operation, Sample, Tensor
from thalweg.ops.arrays.broadcast import accumulator, broadcast_like
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.elementwise.arithmetic import Add, Mul, Sub
from thalweg.ops.elementwise.classification import IsFinite
from thalweg.ops.elementwise.comparison import Equal, NotEqual
from thalweg.ops.elementwise.conversion import Cast, cast
from thalweg.ops.elementwise.division import Div, FloorDiv, FloorMod
from thalweg.ops.elementwise.exponential import Exp, Log
from thalweg.ops.elementwise.logical import LogicalAnd
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.elementwise.selection import Select
from thalweg.ops.extents import axis_numbers
from thalweg.ops.reduction.reduction import (
    Axes,
    Grads,
    Reduction,
    Sum,
    resolve_axes,
    spread,
)

__all__ = [
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
]


class Prod(Reduction):
    """The product over axes; its first and second derivatives are right where factors are zero."""

    type: ClassVar[str] = "Prod"
    combiner: ClassVar[str] = "prod"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        kind = input_tensor.dtype
        wide = accumulator(as_dtype(kind)).numpy
        total = xp.prod(input_tensor, axis=self.axes, dtype=wide, keepdims=self.keepdims)
        return xp.asarray(total, kind)

    def combine(self, over: list[Axis], body: Expr) -> Expr:
        if not over:
            return body
        wide = cast_expr(body, accumulator(body.dtype))
        return cast_expr(reduce("prod", over, wide), body.dtype)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x = node.inputs[0]
        return [Mul.of(spread(dy, x, self.axes), self._of_the_others(x))]

    def _of_the_others(self, x: Tensor) -> Tensor:
        """For each factor, the product of the others: of those that are not 0 and those that are.

        If one other factor is 0, it is written as the sum of the others that are, so that the
        product can be differentiated by it; if more are, all of it is 0, and so are derivatives.
        """

        def total(reduction: type[Reduction], of: Tensor) -> Tensor:
            return spread(emit(reduction(self.axes, True), of), x, self.axes)

        zero, one = zeros_like(x), zeros_like(x) + 1
        is_zero = Equal.of(x, zero)
        factors = Select.of(is_zero, one, x)
        zeros = Select.of(is_zero, x, zero)
        nonzero = Div.of(total(Prod, factors), factors)
        count = Sub.of(total(Sum, cast(is_zero, x.dtype)), cast(is_zero, x.dtype))
        single = Select.of(Equal.of(count, one), Sub.of(total(Sum, zeros), zeros), zero)
        return Mul.of(nonzero, Select.of(Equal.of(count, zero), one, single))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield from super().samples()
        yield Sample(cls((1,)), (np.array([[1, 0, 3], [0, 2, 0]], np.float32),))


class Extreme(Reduction):
    """The largest or smallest element; the gradient is shared equally among equal ones."""

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs[0], node.outputs[0]
        best = cast(Equal.of(x, spread(y, x, self.axes)), x.dtype)
        count = spread(emit(Sum(self.axes, True), best), x, self.axes)
        return [Mul.of(Div.of(best, count), spread(dy, x, self.axes))]

    def start(self, dtype: DType) -> float:
        """The value for no elements."""
        raise NotImplementedError


class Max(Extreme):
    """The largest element over axes, 0 rather than -0; NaN if one is."""

    type: ClassVar[str] = "Max"
    combiner: ClassVar[str] = "max"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        start = self.start(as_dtype(input_tensor.dtype))
        found = xp.max(input_tensor, axis=self.axes, keepdims=self.keepdims, initial=start)
        return _signed(self, xp, input_tensor, found, negative=False)

    def start(self, dtype: DType) -> float:
        return -float("inf") if dtype.is_floating else int(dtype.min)


class Min(Extreme):
    """The smallest element over axes, -0 rather than 0; NaN if one is."""

    type: ClassVar[str] = "Min"
    combiner: ClassVar[str] = "min"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        start = self.start(as_dtype(input_tensor.dtype))
        found = xp.min(input_tensor, axis=self.axes, keepdims=self.keepdims, initial=start)
        return _signed(self, xp, input_tensor, found, negative=True)

    def start(self, dtype: DType) -> float:
        return float("inf") if dtype.is_floating else int(dtype.max)


def _signed(op: Extreme, xp: Any, x: Any, found: Any, negative: bool) -> Any:
    """What was found; a 0 takes the sign asked for if x has a 0 of that sign there."""
    if not as_dtype(x.dtype).is_floating:
        return found
    zeros = (x == 0) & (xp.signbit(x) == negative)
    is_there = xp.any(zeros, axis=op.axes, keepdims=op.keepdims)
    zero = xp.asarray(-0.0 if negative else 0.0, x.dtype)
    return xp.where((found == 0) & is_there, zero, found)


class Truth(Reduction):
    """Reductions of truth values, through which no gradient flows."""

    kind: ClassVar[str] = BOOLEAN

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]


class All(Truth):
    """Whether every element over the axes is true."""

    type: ClassVar[str] = "All"
    combiner: ClassVar[str] = "all"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        return xp.all(input_tensor, axis=self.axes, keepdims=self.keepdims)


class Any_(Truth):  # noqa: N801  Any is Python's
    """Whether some element over the axes is true."""

    type: ClassVar[str] = "Any"
    combiner: ClassVar[str] = "any"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        return xp.any(input_tensor, axis=self.axes, keepdims=self.keepdims)


def _axes_of(x: Tensor, axis: Any, reduction_indices: Any) -> Axes:
    chosen = reduction_indices if axis is None else axis
    if chosen is None:
        axes: Axes = None
    else:
        axes = axis_numbers(chosen)
    if x.static_shape is None:
        return axes
    try:
        return resolve_axes(axes, len(x.static_shape))
    except ShapeError:
        return axes  # the record complains, with the user's line


def _reduce(
    record: type[Reduction],
    input_tensor: Any,
    axis: Any,
    keepdims: bool | None,
    name: str | None,
    reduction_indices: Any,
    keep_dims: bool | None,
) -> Tensor:
    x = convert(input_tensor)
    axes = _axes_of(x, axis, reduction_indices)
    return emit(record(axes, bool(keepdims or keep_dims)), x, name=name or record.type)


def reduce_sum(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The sum over axes, all of them if none is given; `keepdims` keeps them with extent 1.

    `reduction_indices` and `keep_dims` are older names of `axis` and `keepdims`, here and in the
    other reductions.

    Raises:
        ShapeError: if an axis does not exist.
    """
    return _reduce(Sum, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_prod(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The product over axes; see `reduce_sum` for the arguments."""
    return _reduce(Prod, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_max(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The largest element over axes; see `reduce_sum` for the arguments."""
    return _reduce(Max, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_min(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The smallest element over axes; see `reduce_sum` for the arguments."""
    return _reduce(Min, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_all(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Whether every element over axes is true; see `reduce_sum` for the arguments."""
    return _reduce(All, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_any(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Whether some element over axes is true; see `reduce_sum` for the arguments."""
    return _reduce(Any_, input_tensor, axis, keepdims, name, reduction_indices, keep_dims)


def reduce_mean(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The mean over axes. See `reduce_sum` for the arguments.

    That of integers is the exact mean, which is never out of range, rounded towards zero.
    """
    x = convert(input_tensor)
    check_kind(NUMERIC, x.dtype)
    with scope(name, "Mean", x) as full:
        record = Sum(_axes_of(x, axis, reduction_indices), bool(keepdims or keep_dims))
        if x.dtype.is_integer:
            return emit(Cast(x.dtype), _integer_mean(record, x), name=full)
        wide = accumulator(x.dtype)
        total = emit(record, cast(x, wide))  # the sum itself might overflow 16 bits
        count = broadcast_like(cast(size_along(x, record.axes), wide), total)
        if wide != x.dtype:
            return emit(Cast(x.dtype), Div.of(total, count), name=full)
        return Div.of(total, count, name=full)


def _integer_mean(record: Sum, x: Tensor) -> Tensor:
    """The exact mean, towards zero, as int64.

    Where the sum itself might be out of range, quotients and remainders are added up instead:
    `x = (x // n) * n + x % n`.
    """
    count = cast(size_along(x, record.axes), dtypes.int64)
    if x.dtype.size < dtypes.int64.size:
        rest = emit(record, cast(x, dtypes.int64))
        whole = zeros_like(rest)
    else:
        each = broadcast_like(count, x)
        rest, whole = (emit(record, part.of(x, each)) for part in (FloorMod, FloorDiv))
    count = broadcast_like(count, rest)
    below = Add.of(whole, FloorDiv.of(rest, count))
    inexact = NotEqual.of(FloorMod.of(rest, count), zeros_like(rest))
    return Add.of(below, cast(LogicalAnd.of(inexact, below < 0), dtypes.int64))


def reduce_logsumexp(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """`log(sum(exp(x)))` over axes, with the maximum taken out so that nothing overflows."""
    x = convert(input_tensor)
    with scope(name, "ReduceLogSumExp", x) as full:
        axes = _axes_of(x, axis, reduction_indices)
        keeps = bool(keepdims or keep_dims)
        top = emit(Max(axes, True), x)
        finite = Select.of(IsFinite.of(top), top, zeros_like(top))
        shift = stop_gradient(finite)
        total = emit(Sum(axes, keeps), Exp.of(Sub.of(x, spread(shift, x, axes))))
        flat = (
            shift if keeps else emit(Sum(axes, False), shift)
        )  # one element: only the shape changes
        return Add.of(Log.of(total), flat, name=full)
