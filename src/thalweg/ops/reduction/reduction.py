"""What reductions share: axes, the shape of the result, its way back to that of x; and sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, axis_index, is_known, known
from thalweg.formula import Axis, Expr, Formula, Lowered, Operand, reduce
from thalweg.formula import axes as new_axes
from thalweg.formula.functions import BOOLEAN, NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import Broadcast, accumulated_sum, accumulator
from thalweg.ops.arrays.reshape import Reshape
from thalweg.ops.build import emit
from thalweg.ops.elementwise.pointwise import check_kind

Grads = Sequence[Tensor | None]


Axes = tuple[int, ...] | None


VALUES = np.array([2, -1, 0.5, 3, -0.25, 1.5, 4, -2, 1.25, 0.75, 2.5, -3], np.float32) * np.float32(
    0.5
)


CUBE = VALUES.reshape(2, 3, 2)


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
        values: np.ndarray[Any, Any] = CUBE > 0.5 if cls.kind == BOOLEAN else CUBE
        exact = cls.kind == BOOLEAN
        for axes, keepdims in ((None, False), ((1,), False), ((0, 2), True), ((-1,), False)):
            yield Sample(cls(axes, keepdims), (values,), exact=exact)
        yield Sample(cls(()), (values,), exact=True)
        if cls.kind == NUMERIC:
            yield Sample(cls((0,)), (np.int32(CUBE * 8),), exact=True, differentiable=False)

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
        yield Sample(cls((0, 2)), (VALUES[:3], CUBE), exact=True)
        yield Sample(cls((1,)), (CUBE[:, :1], CUBE), exact=True)


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
        return xp.asarray(total, kind)

    def combine(self, over: list[Axis], body: Expr) -> Expr:
        return accumulated_sum(over, body) if over else body

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [spread(dy, node.inputs[0], self.axes)]
