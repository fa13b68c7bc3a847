"""Reductions: sums, products, extremes and their positions, truth of any or all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, axis_index, is_known, known, show
from thalweg.formula import Axis, Expr, Formula, Lowered, Operand, reduce
from thalweg.formula import axes as new_axes
from thalweg.formula import cast as cast_expr
from thalweg.formula.functions import BOOLEAN, NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import Broadcast, accumulated_sum, accumulator, broadcast_like
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import Reshape, stop_gradient
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.build import constant_value, convert, emit, scope, to_array
from thalweg.ops.elementwise.arithmetic import Add, Mul, Sub
from thalweg.ops.elementwise.classification import IsFinite
from thalweg.ops.elementwise.comparison import Equal, NotEqual
from thalweg.ops.elementwise.conversion import Cast, cast
from thalweg.ops.elementwise.division import Div, FloorDiv, FloorMod
from thalweg.ops.elementwise.exponential import Exp, Log
from thalweg.ops.elementwise.logical import LogicalAnd
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.elementwise.selection import Select

Grads = Sequence[Tensor | None]
Axes = tuple[int, ...] | None
_VALUES = np.array(
    [2, -1, 0.5, 3, -0.25, 1.5, 4, -2, 1.25, 0.75, 2.5, -3], np.float32
) * np.float32(0.5)
_CUBE = _VALUES.reshape(2, 3, 2)


def resolve_axes(axes: Axes, rank: int) -> tuple[int, ...]:
    """The axes as sorted numbers in `[0, rank)`; all of them for None.

    Raises:
        ShapeError: if one is out of range or named twice.
    """
    if axes is None:
        return tuple(range(rank))
    chosen = sorted({axis_index(axis, rank) for axis in axes})
    if len(chosen) != len(axes):
        raise ShapeError(f"an axis is named twice in {list(axes)}")
    return tuple(chosen)


def reduced_shape(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """What is left of a shape after a reduction."""
    if shape is None:
        return () if axes is None and not keepdims else None
    gone = resolve_axes(axes, len(shape))
    if keepdims:
        return tuple(1 if n in gone else d for n, d in enumerate(shape))
    return tuple(d for n, d in enumerate(shape) if n not in gone)


def reduction(
    x: Operand, gone: tuple[int, ...], keepdims: bool, combine: Callable[[list[Axis], Expr], Expr]
) -> Formula:
    """The formula of a reduction over some axes, by a function of those axes and the element."""
    own = new_axes(*x.shape)
    index = [Axis(a.extent, "r") if n in gone else a for n, a in enumerate(own)]
    body = combine([index[n] for n in gone], x[index])
    left = [axis for n, axis in enumerate(index) if n not in gone]
    if not keepdims:
        return Formula.make(left, body)
    ones = [Axis(1, "o") if n in gone else axis for n, axis in enumerate(index)]
    return Formula.make(ones, body)


class Reduction(Op):
    """What reductions share.

    Attributes:
        axes: those to reduce, sorted; None for all.
        keepdims: whether they stay, with extent 1.
    """

    combiner: ClassVar[str]
    kind: ClassVar[str] = NUMERIC
    axes: Axes = None
    keepdims: bool = False

    def infer(self, input_tensor: Spec) -> Spec:
        check_kind(self.kind, input_tensor.dtype)
        shape = reduced_shape(input_tensor.shape, self.axes, self.keepdims)
        return Spec(shape, input_tensor.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        gone = resolve_axes(self.axes, inputs[0].rank)
        return reduction(inputs[0], gone, self.keepdims, self.combine)

    def combine(self, over: list[Axis], body: Expr) -> Expr:
        """The reduction of an expression over the axes."""
        return reduce(self.combiner, over, body) if over else body

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        values: np.ndarray[Any, Any] = _CUBE > 0.5 if cls.kind == BOOLEAN else _CUBE
        exact = cls.kind == BOOLEAN
        for axes, keepdims in ((None, False), ((1,), False), ((0, 2), True), ((-1,), False)):
            yield Sample(cls(axes, keepdims), (values,), exact=exact)
        yield Sample(cls(()), (values,), exact=True)
        if cls.kind == NUMERIC:
            yield Sample(cls((0,)), (np.int32(_CUBE * 8),), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        numbers: np.ndarray[Any, Any] = np.ones(2, np.float32)
        truths: np.ndarray[Any, Any] = np.ones(2, np.bool_)
        good, bad = (truths, numbers) if cls.kind == BOOLEAN else (numbers, truths)
        yield Sample(cls((1,)), (good,), "axis 1 is out of range for rank 1")
        yield Sample(cls((0, -1)), (good,), "an axis is named twice in [0, -1]")
        yield Sample(cls(), (bad,), f"takes {cls.kind} tensors, not")


class Spread(Op):
    """The adjoint of `Sum`: a reduced tensor repeated along the axes that another tensor has."""

    type: ClassVar[str] = "Spread"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    axes: Axes = None

    def infer(self, y: Spec, x: Spec) -> Spec:
        return Spec(x.shape, y.dtype)

    def evaluate(self, xp: Any, y: Any, x: Any) -> Any:
        kept = reduced_shape(x.shape, self.axes, True)
        return xp.broadcast_to(xp.reshape(y, kept), x.shape)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        y, x = inputs
        return _spread(y, known(x.static_shape), self.axes)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.inputs[0]
        rank = None if y.static_shape is None else len(y.static_shape)
        same = dy.static_shape is not None and rank == len(dy.static_shape)
        return [emit(Sum(self.axes, bool(same and rank)), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((0, 2)), (_VALUES[:3], _CUBE), exact=True)
        yield Sample(cls((1,)), (_CUBE[:, :1], _CUBE), exact=True)


def _spread(y: Tensor, shape: tuple[int, ...], axes: Axes) -> Tensor:
    kept = known(reduced_shape(shape, axes, True))
    narrow = y if y.static_shape == kept else emit(Reshape(kept), y)
    return narrow if kept == shape else emit(Broadcast(shape), narrow)


def spread(y: Tensor, x: Tensor, axes: Axes) -> Tensor:
    """A reduction of x over some axes, repeated to x's shape."""
    if is_known(x.static_shape):
        return _spread(y, known(x.static_shape), axes)
    return emit(Spread(axes), y, x)


class Sum(Reduction):
    """The sum over axes; 16-bit floats are added up as float32."""

    type: ClassVar[str] = "Sum"
    combiner: ClassVar[str] = "sum"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        kind = input_tensor.dtype
        wide = accumulator(as_dtype(kind)).numpy
        total = xp.sum(input_tensor, axis=self.axes, dtype=wide, keepdims=self.keepdims)
        return total.astype(kind)

    def combine(self, over: list[Axis], body: Expr) -> Expr:
        return accumulated_sum(over, body) if over else body

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [spread(dy, node.inputs[0], self.axes)]


class Prod(Reduction):
    """The product over axes; its first and second derivatives are right where factors are zero."""

    type: ClassVar[str] = "Prod"
    combiner: ClassVar[str] = "prod"

    def evaluate(self, xp: Any, input_tensor: Any) -> Any:
        kind = input_tensor.dtype
        wide = accumulator(as_dtype(kind)).numpy
        total = xp.prod(input_tensor, axis=self.axes, dtype=wide, keepdims=self.keepdims)
        return total.astype(kind)

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
    zero = x.dtype.type(-0.0 if negative else 0.0)
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
        yield Sample(cls(-1, dtypes.int32), (_CUBE,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(3), (_CUBE,), "axis 3 is out of range for rank 3")
        yield Sample(cls(1), (_CUBE[:, :0],), "axis 1 of [2, 0, 2] is empty")
        yield Sample(cls(0, dtypes.float32), (_CUBE,), "output_type must be an integer type")


class ArgMax(ArgReduction):
    """The position of the largest element along an axis; the first one if several are equal."""

    type: ClassVar[str] = "ArgMax"
    combiner: ClassVar[str] = "argmax"

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.argmax(input, axis=self.axis).astype(self.output_type.numpy)


class ArgMin(ArgReduction):
    """The position of the smallest element along an axis; the first one if several are equal."""

    type: ClassVar[str] = "ArgMin"
    combiner: ClassVar[str] = "argmin"

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.argmin(input, axis=self.axis).astype(self.output_type.numpy)


# -- the public functions


def _axes_of(x: Tensor, axis: Any, reduction_indices: Any) -> Axes:
    chosen = reduction_indices if axis is None else axis
    if chosen is None:
        axes: Axes = None
    else:
        axes = _integers(chosen)
    if x.static_shape is None:
        return axes
    try:
        return resolve_axes(axes, len(x.static_shape))
    except ShapeError:
        return axes  # the record complains, with the user's line


def _integers(value: Any) -> tuple[int, ...]:
    array = constant_value(value) if isinstance(value, Tensor) else to_array(value)
    if array is None or not (array.dtype.kind in "iu" or array.size == 0):
        raise DTypeError(f"an axis must be a known integer, not {value!r}")
    return tuple(int(v) for v in array.reshape(-1))


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
    at = 0 if chosen is None else _integers(chosen)[0]
    return emit(record(at, as_dtype(output_type)), convert(input), name=name or record.type)
