"""The same elements under another shape, and transposition.

Where shapes are not known until a run is planned, an op takes the tensor whose shape matters as a
`shape_only` input (or the shape itself as a `static` one) and is expanded into a simpler op then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.dims import Dim
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, axis_index, is_known, known, show
from thalweg.formula import Alias, Formula, Lowered, Operand, axes
from thalweg.graph import Gradient, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.shape import known_dims
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.extents import (
    check_ints,
    computed_dims,
    computed_ints,
    numbers_of,
    planned_shape,
    static_ints,
    unless_negative,
)
from thalweg.ops.samples import CUBE, TABLE

Grads = Sequence[Gradient | None]


# -- the same elements under another shape


class SameElements(Op):
    """What ops share whose output is their first input's memory under another shape."""

    takes_strings: ClassVar[bool] = True

    def lower(self, *inputs: Operand) -> Lowered:
        return Alias(0)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        others = (None,) * (len(node.inputs) - 1)
        return [reshape_like(dy, node.inputs[0]), *others]


def resolve_reshape(shape: tuple[int, ...], source: Shape) -> Shape:
    """The shape that elements of `source` take, where `shape` may hold one -1.

    Raises:
        ShapeError: if the numbers of elements differ.
    """
    if shape.count(-1) > 1:
        raise ShapeError(f"at most one extent may be -1, not {show(shape)}")
    if any(d < -1 for d in shape):
        raise ShapeError(f"an extent cannot be negative: {show(shape)}")
    if not is_known(source):
        return tuple(None if d == -1 else d for d in shape)
    have, rest = _cancel(known(source), [d for d in shape if d != -1])
    total, wanted = shapes.size(have), shapes.size(rest)
    fits = total == wanted if -1 not in shape else wanted > 0 and total % wanted == 0
    if not fits:
        count = int(shapes.size(known(source)))
        raise ShapeError(f"{show(source)} has {count} elements, which do not fit {show(shape)}")
    return tuple(total // wanted if d == -1 else d for d in shape)


def _cancel(have: tuple[int, ...], want: list[int]) -> tuple[list[int], list[int]]:
    """Drop the `Dim`s that occur on both sides, so that what is left over can stay static."""
    left, right = list(have), list(want)
    for extent in want:
        if isinstance(extent, Dim) and extent != 0:
            match = next((d for d in left if isinstance(d, Dim) and d == extent), None)
            if match is not None:
                left.remove(match)
                right.remove(extent)
    return left, right


class Reshape(SameElements):
    """The same elements, in row-major order, under another shape; one extent may be -1."""

    type: ClassVar[str] = "Reshape"
    shape: tuple[int, ...]

    def infer(self, tensor: Spec) -> Spec:
        return Spec(resolve_reshape(self.shape, tensor.shape), tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any) -> Any:
        return xp.reshape(tensor, self.shape)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((4, 6)), (CUBE,), exact=True)
        yield Sample(cls((2, -1)), (CUBE,), exact=True)
        yield Sample(cls(()), (np.array([[3]], np.float32),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((5, -1)), (CUBE,), "[2, 3, 4] has 24 elements, which do not fit [5, -1]")
        yield Sample(cls((-1, -1)), (CUBE,), "at most one extent may be -1")


class ReshapeLike(SameElements):
    """The elements of x under the shape of another tensor."""

    type: ClassVar[str] = "ReshapeLike"
    shape_only: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, x: Spec, like: Spec) -> Spec:
        if is_known(x.shape) and is_known(like.shape):
            resolve_reshape(known(like.shape), x.shape)
        return Spec(like.shape, x.dtype)

    def evaluate(self, xp: Any, x: Any, like: Any) -> Any:
        return xp.reshape(x, like.shape)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        x, like = inputs
        return reshaped(x, known(like.static_shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE, np.zeros((4, 6), np.float32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE, np.zeros(5, np.float32)), "which do not fit [5]")


class DynamicReshape(SameElements):
    """Reshape to a shape that is computed, from other tensors' shapes as a rule.

    Attributes:
        dims: what is known of the shape when the graph is built.
    """

    type: ClassVar[str] = "DynamicReshape"
    static: ClassVar[tuple[int, ...]] = (1,)
    dims: Shape = None

    def infer(self, tensor: Spec, shape: Spec) -> Spec:
        dims = computed_dims(self.dims, shape)
        return Spec(None if dims is None else unless_negative(dims), tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any, shape: Any) -> Any:
        return xp.reshape(tensor, tuple(int(d) for d in shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        tensor, shape = inputs
        return reshaped(tensor, planned_shape("reshape", self.dims, shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE, np.array([-1, 6], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (CUBE, np.array([4, 6], np.float32)), "a shape must be integers, not float32"
        )
        yield Sample(
            cls(), (CUBE, np.array([[4, 6]], np.int32)), "a shape must be a vector, not [1, 2]"
        )


def reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The elements of x under a known shape; x itself if that is its own."""
    return x if x.static_shape == shape else emit(Reshape(shape), x)


def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    """The elements of x under the shape of `like`."""
    shape = like.static_shape
    if is_known(shape):
        return reshaped(x, known(shape))
    return emit(ReshapeLike(), x, like)


class ExpandDims(SameElements):
    """A new axis of extent 1 before the given one; negative numbers count from the end."""

    type: ClassVar[str] = "ExpandDims"
    axis: int

    def infer(self, input: Spec) -> Spec:
        if input.shape is None:
            return Spec(None, input.dtype)
        at = axis_index(self.axis, len(input.shape) + 1)
        return Spec((*input.shape[:at], 1, *input.shape[at:]), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.expand_dims(input, self.axis)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for axis in (0, 1, -1):
            yield Sample(cls(axis), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(4), (TABLE,), "axis 4 is out of range for rank 3")


class Squeeze(SameElements):
    """Without the given axes, which must have extent 1; without all such axes if none is given."""

    type: ClassVar[str] = "Squeeze"
    axes: tuple[int, ...] = ()

    def infer(self, input: Spec) -> Spec:
        shape = input.shape
        if shape is None or (not self.axes and None in shape):
            return Spec(None, input.dtype)
        return Spec(
            tuple(d for n, d in enumerate(shape) if n not in self._gone(shape)), input.dtype
        )

    def _gone(self, shape: tuple[int | None, ...]) -> set[int]:
        if not self.axes:
            return {n for n, d in enumerate(shape) if d == 1}
        gone = {axis_index(axis, len(shape)) for axis in self.axes}
        for axis in gone:
            if shape[axis] not in (1, None):
                raise ShapeError(f"axis {axis} of {show(shape)} does not have extent 1")
        return gone

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.squeeze(input, self.axes or None)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE.reshape(1, 2, 1, 3),), exact=True)
        yield Sample(cls((-2,)), (TABLE.reshape(1, 2, 1, 3),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1,)), (TABLE,), "axis 1 of [2, 3] does not have extent 1")


class Identity(SameElements):
    """The input itself."""

    type: ClassVar[str] = "Identity"
    passes_slices: ClassVar[bool] = True

    def infer(self, input: Spec) -> Spec:
        return input

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input

    def grad(self, node: Operation, dy: Any) -> Grads:
        return [dy]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), exact=True)


class StopGradient(SameElements):
    """The input itself, for which no gradient flows back."""

    type: ClassVar[str] = "StopGradient"

    def infer(self, input: Spec) -> Spec:
        return input

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input

    def grad(self, node: Operation, dy: Any) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), exact=True, differentiable=False)


class ChoosingRows(SameElements):
    """A vector as the condition for choosing rows of x and y, with axes of extent 1 behind it.

    A condition of another rank stays as it is.
    """

    type: ClassVar[str] = "ChoosingRows"
    shape_only: ClassVar[tuple[int, ...]] = (1, 2)

    def infer(self, condition: Spec, x: Spec, y: Spec) -> Spec:
        shape = condition.shape
        if shape is not None and len(shape) != 1:
            return condition
        if shape is None or x.shape is None or y.shape is None:
            return Spec(None, condition.dtype)
        rank = max(len(x.shape), len(y.shape), 1)
        return Spec((*shape, *(1,) * (rank - 1)), condition.dtype)

    def evaluate(self, xp: Any, condition: Any, x: Any, y: Any) -> Any:
        rank = max(x.ndim, y.ndim) if condition.ndim == 1 else condition.ndim
        return xp.reshape(condition, condition.shape + (1,) * (rank - condition.ndim))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        return reshaped(inputs[0], known(self.infer(*(t.spec for t in inputs)).shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        rows = np.array([True, False])
        yield Sample(cls(), (rows, TABLE, CUBE), exact=True)
        yield Sample(cls(), (rows, rows, rows), exact=True)
        yield Sample(cls(), (TABLE > 0, TABLE, CUBE), exact=True)


def choosing_rows(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The condition in a shape that broadcasts with x and y, of which a vector chooses rows."""
    shape = condition.static_shape
    if shape is not None and len(shape) != 1:
        return condition
    record = ChoosingRows()
    target = record.infer(condition.spec, x.spec, y.spec).shape
    if target is not None and is_known(shape):
        return reshaped(condition, known(target))
    return emit(record, condition, x, y)


# -- transposition


class Transpose(Op):
    """`y[i_0, i_1, ...] = x[...]` with axis n of y axis `perm[n]` of x; None reverses them."""

    type: ClassVar[str] = "Transpose"
    takes_strings: ClassVar[bool] = True
    perm: tuple[int, ...] | None = None

    def infer(self, a: Spec) -> Spec:
        if a.shape is None:
            return Spec(None if self.perm is None else (None,) * len(self.perm), a.dtype)
        return Spec(tuple(a.shape[n] for n in self._order(len(a.shape))), a.dtype)

    def _order(self, rank: int) -> tuple[int, ...]:
        order = tuple(reversed(range(rank))) if self.perm is None else self.perm
        if sorted(order) != list(range(rank)):
            raise ShapeError(f"perm {list(order)} is not an order of the {rank} axes")
        return order

    def evaluate(self, xp: Any, a: Any) -> Any:
        return xp.transpose(a, self.perm)

    def lower(self, *inputs: Operand) -> Lowered:
        order = self._order(inputs[0].rank)
        index = axes(*(inputs[0].shape[n] for n in order))
        return Formula.make(index, inputs[0][[index[order.index(n)] for n in range(len(order))]])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        inverse = None if self.perm is None else tuple(int(n) for n in np.argsort(self.perm))
        return [emit(Transpose(inverse), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), exact=True)
        yield Sample(cls((2, 0, 1)), (CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((0, 0)), (TABLE,), "perm [0, 0] is not an order of the 2 axes")


class DynamicTranspose(Op):
    """`Transpose` by an order of the axes that is computed, or by its inverse."""

    type: ClassVar[str] = "DynamicTranspose"
    static: ClassVar[tuple[int, ...]] = (1,)
    inverse: bool = False

    def infer(self, a: Spec, perm: Spec) -> Spec:
        check_ints("perm", perm, 1)
        count = None if perm.shape is None or perm.shape[0] is None else (None,) * perm.shape[0]
        shape = shapes.merge(a.shape, count)
        return Spec(None if shape is None else (None,) * len(shape), a.dtype)

    def _by(self, perm: np.ndarray[Any, Any]) -> Transpose:
        order = np.argsort(perm) if self.inverse else perm
        return Transpose(tuple(order.tolist()))

    def evaluate(self, xp: Any, a: Any, perm: Any) -> Any:
        return self._by(np.asarray(perm)).evaluate(xp, a)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        a, perm = inputs
        return emit(self._by(np.array(static_ints("transpose", perm), int)), a)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(DynamicTranspose(not self.inverse), dy, node.inputs[1]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for inverse in (False, True):
            yield Sample(cls(inverse), (CUBE, np.array([2, 0, 1], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "shapes [2, 3] and [?] are not compatible"
        yield Sample(cls(), (TABLE, np.array([0], np.int32)), text)
        yield Sample(cls(), (TABLE, TABLE), "perm must be integers, not float32")


# -- the public functions


def identity(input: Any, name: str | None = None) -> Tensor:
    """The same value as a new tensor."""
    return emit(Identity(), convert(input), name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, taken as a constant by `tf.gradients`."""
    return emit(StopGradient(), convert(input), name=name)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The elements in row-major order under another shape.

    Args:
        tensor: what to reshape.
        shape: integers, one of which may be -1 (or None) for "whatever is left"; a tensor of
            integers, or a list that mixes integers and scalar tensors.
        name: of the operation.

    Raises:
        ShapeError: if the number of elements is not the same.
    """
    x = convert(tensor)
    with scope(name, "Reshape", x, shape) as full:
        dims, dynamic = known_dims(shape)
        if dynamic is None:
            return emit(Reshape(numbers_of(dims)), x, name=full)
        return emit(DynamicReshape(dims), x, dynamic, name=full)


def expand_dims(
    input: Any, axis: Any = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """A new axis of extent 1; `axis` counts in the result's shape, from the end if negative.

    Raises:
        ValueError: if no axis is given.
    """
    at = dim if axis is None else axis
    if at is None:
        raise ValueError("expand_dims needs an axis")
    return emit(ExpandDims(static_ints("expand_dims", at)[0]), convert(input), name=name)


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Tensor:
    """Drop the given axes, of extent 1; or all such axes.

    Raises:
        ShapeError: if an axis that is named has another extent.
    """
    chosen = squeeze_dims if axis is None else axis
    gone = () if chosen is None else static_ints("squeeze", chosen)
    return emit(Squeeze(gone), convert(input), name=name)


def transpose(a: Any, perm: Any = None, name: str | None = None) -> Tensor:
    """Axis n of the result is axis `perm[n]` of `a`; without `perm` the axes are reversed.

    Args:
        a: a tensor.
        perm: the numbers of all axes in some order: a list or a vector of integers. If it is
            computed, each order is planned and compiled apart.
        name: of the operation.

    Raises:
        ShapeError: if `perm` is not an order of all the axes.
    """
    x = convert(a)
    order = None if perm is None else computed_ints("transpose", perm)
    if isinstance(order, Tensor):
        return emit(DynamicTranspose(), x, order, name=name or "transpose")
    return emit(Transpose(order), x, name=name or "transpose")
