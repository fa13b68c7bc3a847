"""The same numbers in other places: reshaping, slicing, joining, broadcasting; shapes as values.

Where shapes are not known until a run is planned, an op takes the tensor whose shape matters as a
`shape_only` input (or the shape itself as a `static` one) and is expanded into a simpler op then.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError, UnimplementedError
from thalweg.base.shapes import Dim, Shape, UnknownDimension, axis_index, is_known, known, show
from thalweg.formula import (
    Affine,
    Alias,
    Axis,
    Const,
    Expr,
    Formula,
    Lowered,
    Operand,
    Position,
    affine,
    apply,
    axes,
    inside,
    reduce,
    where,
)
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor, default_graph
from thalweg.ops.build import (
    INDEX,
    constant_like,
    constant_value,
    convert,
    emit,
    is_planned,
    needs_broadcast,
    scope,
    to_array,
)
from thalweg.ops.constant import Placeholder, PlaceholderWithDefault
from thalweg.ops.pointwise import cast

Grads = Sequence[Tensor | None]
_VALUES = np.arange(1, 25, dtype=np.float32) * np.float32(0.25)
_CUBE = _VALUES.reshape(2, 3, 4)
_TABLE = _VALUES[:6].reshape(2, 3)


def static_values(what: str, tensor: Tensor) -> np.ndarray[Any, Any]:
    """The value of a `static` input.

    Raises:
        ShapeError: if it depends on more than constants and shapes.
    """
    value = constant_value(tensor)
    if value is None:
        raise ShapeError(
            f"{what}: the value of {tensor.name!r} must follow from constants and shapes alone, "
            f"as every shape is fixed before a run starts\n  it was made at {tensor.op.source}"
        )
    return value


def planned_ints(what: str, tensor: Tensor) -> list[int]:
    """The integers of a `static` input, as `Dim`s if they may differ in the next run."""
    values = static_values(what, tensor).reshape(-1).tolist()
    return [Dim(v) if is_planned(tensor) and v >= 0 else int(v) for v in values]


def has_dim(extents: Iterable[int]) -> bool:
    """Whether any extent may differ in the next run."""
    return any(isinstance(d, Dim) for d in extents)


# -- the same elements under another shape


class SameElements(Op):
    """What ops share whose output is their first input's memory under another shape."""

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
        yield Sample(cls((4, 6)), (_CUBE,), exact=True)
        yield Sample(cls((2, -1)), (_CUBE,), exact=True)
        yield Sample(cls(()), (np.array([[3]], np.float32),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((5, -1)), (_CUBE,), "[2, 3, 4] has 24 elements, which do not fit [5, -1]")
        yield Sample(cls((-1, -1)), (_CUBE,), "at most one extent may be -1")


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
        return _reshaped(x, known(like.static_shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE, np.zeros((4, 6), np.float32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE, np.zeros(5, np.float32)), "which do not fit [5]")


class DynamicReshape(SameElements):
    """Reshape to a shape that is computed, from other tensors' shapes as a rule.

    Attributes:
        dims: what is known of the shape when the graph is built.
    """

    type: ClassVar[str] = "DynamicReshape"
    static: ClassVar[tuple[int, ...]] = (1,)
    dims: Shape = None

    def infer(self, tensor: Spec, shape: Spec) -> Spec:
        dims = _computed_dims(self.dims, shape)
        return Spec(None if dims is None else _unless_negative(dims), tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any, shape: Any) -> Any:
        return xp.reshape(tensor, tuple(int(d) for d in shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        tensor, shape = inputs
        return _reshaped(tensor, _planned_shape("reshape", self.dims, shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE, np.array([-1, 6], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (_CUBE, np.array([4, 6], np.float32)), "a shape must be integers, not float32"
        )
        yield Sample(
            cls(), (_CUBE, np.array([[4, 6]], np.int32)), "a shape must be a vector, not [1, 2]"
        )


def _unless_negative(dims: tuple[int | None, ...]) -> Shape:
    return tuple(None if d is not None and d < 0 else d for d in dims)


def _computed_dims(dims: Shape, shape: Spec) -> Shape:
    """What is known of a shape that is computed by a tensor of this spec."""
    if not shape.dtype.is_integer:
        raise DTypeError(f"a shape must be integers, not {shape.dtype}")
    if shape.shape is not None and len(shape.shape) != 1:
        raise ShapeError(f"a shape must be a vector, not {show(shape.shape)}")
    if dims is not None:
        return dims
    rank = shape.shape[0] if shape.shape else None
    return None if rank is None else (None,) * rank


def _planned_shape(what: str, dims: Shape, shape: Tensor) -> tuple[int, ...]:
    """A computed shape's extents: those known when the graph was built stay plain numbers."""
    values = planned_ints(what, shape)
    return tuple(
        v if d is None else d for v, d in zip(values, dims or [None] * len(values), strict=True)
    )


def _reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.static_shape == shape else emit(Reshape(shape), x)


def reshape_like(x: Tensor, like: Tensor) -> Tensor:
    """The elements of x under the shape of `like`."""
    shape = like.static_shape
    if is_known(shape):
        return _reshaped(x, known(shape))
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
            yield Sample(cls(axis), (_TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(4), (_TABLE,), "axis 4 is out of range for rank 3")


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
        yield Sample(cls(), (_TABLE.reshape(1, 2, 1, 3),), exact=True)
        yield Sample(cls((-2,)), (_TABLE.reshape(1, 2, 1, 3),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1,)), (_TABLE,), "axis 1 of [2, 3] does not have extent 1")


class Identity(SameElements):
    """The input itself."""

    type: ClassVar[str] = "Identity"

    def infer(self, input: Spec) -> Spec:
        return input

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [dy]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_TABLE,), exact=True)


class StopGradient(SameElements):
    """The input itself, for which no gradient flows back."""

    type: ClassVar[str] = "StopGradient"

    def infer(self, input: Spec) -> Spec:
        return input

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_TABLE,), exact=True, differentiable=False)


# -- transposition


class Transpose(Op):
    """`y[i_0, i_1, ...] = x[...]` with axis n of y axis `perm[n]` of x; None reverses them."""

    type: ClassVar[str] = "Transpose"
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
        yield Sample(cls(), (_TABLE,), exact=True)
        yield Sample(cls((2, 0, 1)), (_CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((0, 0)), (_TABLE,), "perm [0, 0] is not an order of the 2 axes")


# -- broadcasting and its adjoint


class Broadcast(Op):
    """The input repeated along axes of extent 1 and new leading axes, to a given shape."""

    type: ClassVar[str] = "Broadcast"
    shape: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        if not _broadcasts_to(x.shape, self.shape):
            raise ShapeError(f"{show(x.shape)} cannot be broadcast to {show(self.shape)}")
        return Spec(self.shape, x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.broadcast_to(x, self.shape)

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        index = axes(*self.shape)
        own = index[len(index) - x.rank :]
        read = [
            0 if extent == 1 != axis.extent else axis
            for axis, extent in zip(own, x.shape, strict=True)
        ]
        return Formula.make(index, x[read])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [sum_like(dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((4, 2, 3)), (_TABLE,), exact=True)
        yield Sample(cls((2, 2, 3)), (_TABLE.reshape(2, 3)[:, None, :1],), exact=True)
        yield Sample(cls((2, 3)), (np.float32(2),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 4)), (_TABLE,), "[2, 3] cannot be broadcast to [2, 4]")
        yield Sample(cls((3,)), (_TABLE,), "[2, 3] cannot be broadcast to [3]")


def _broadcasts_to(shape: Shape, target: Shape) -> bool:
    """Whether an array of this shape might be broadcast to the target."""
    if shape is None or target is None:
        return True
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(
        have in (None, 1) or want is None or have == want for have, want in pairs
    )


class BroadcastLike(Op):
    """x broadcast against another tensor: the result has the shape that both have together."""

    type: ClassVar[str] = "BroadcastLike"
    shape_only: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, x: Spec, like: Spec) -> Spec:
        return Spec(shapes.broadcast(x.shape, like.shape), x.dtype)

    def evaluate(self, xp: Any, x: Any, like: Any) -> Any:
        return xp.broadcast_to(x, np.broadcast_shapes(x.shape, like.shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        x, like = inputs
        return _broadcast(x, known(shapes.broadcast(x.static_shape, like.static_shape)))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [sum_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([[1], [2]], np.float32), _TABLE), exact=True)
        yield Sample(cls(), (np.array([1, 2, 3], np.float32), _TABLE[:, :1]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "shapes [2, 3] and [4] do not broadcast together"
        yield Sample(cls(), (_TABLE, np.ones(4, np.float32)), text)


def _broadcast(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.static_shape == shape else emit(Broadcast(shape), x)


def broadcast_like(x: Tensor, other: Tensor) -> Tensor:
    """X broadcast against another tensor; x itself if that cannot change its shape."""
    if not needs_broadcast(x, other):
        return x
    target = shapes.broadcast(x.static_shape, other.static_shape)
    if is_known(target):
        return _broadcast(x, known(target))
    return emit(BroadcastLike(), x, other)


def accumulated_sum(over: Sequence[Axis], body: Expr) -> Expr:
    """The sum of the body; 16-bit floats are added up as float32."""
    wide = accumulator(body.dtype)
    return cast_expr(reduce("sum", over, cast_expr(body, wide)), body.dtype)


def accumulator(dtype: DType) -> DType:
    """The type to add up values in."""
    return dtypes.float32 if dtype.is_floating and dtype.size == 2 else dtype


class SumTo(Op):
    """The adjoint of `Broadcast`: the sum over the axes along which the shape was repeated."""

    type: ClassVar[str] = "SumTo"
    shape: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        if not _broadcasts_to(self.shape, x.shape):
            raise ShapeError(f"{show(x.shape)} cannot be summed to {show(self.shape)}")
        return Spec(self.shape, x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        lead = x.ndim - len(self.shape)
        narrow = [lead + n for n, d in enumerate(self.shape) if d == 1]
        wide = accumulator(as_dtype(x.dtype)).numpy
        total = xp.sum(x, axis=(*range(lead), *narrow), dtype=wide)
        return xp.reshape(total, self.shape).astype(x.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        lead = x.rank - len(self.shape)
        over = list(axes(*x.shape[:lead], names="abcdefgh"))
        index = axes(*self.shape)
        read = list(over)
        for axis, extent in zip(index, x.shape[lead:], strict=True):
            if axis.extent == 1 != extent:
                over.append(Axis(extent, "r"))
                read.append(over[-1])
            else:
                read.append(axis)
        return Formula.make(index, accumulated_sum(over, x[read]) if over else x[read])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [broadcast_like(dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for shape in ((3, 4), (1, 4), (2, 1, 1), (), (2, 3, 4)):
            yield Sample(cls(shape), (_CUBE,))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (_CUBE,), "[2, 3, 4] cannot be summed to [2]")


class SumLike(Op):
    """The sum over the axes along which another tensor was broadcast to the input's shape."""

    type: ClassVar[str] = "SumLike"
    shape_only: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, x: Spec, like: Spec) -> Spec:
        if not _broadcasts_to(like.shape, x.shape):
            raise ShapeError(f"{show(x.shape)} cannot be summed to {show(like.shape)}")
        return Spec(like.shape, x.dtype)

    def evaluate(self, xp: Any, x: Any, like: Any) -> Any:
        return SumTo(like.shape).evaluate(xp, x)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        x, like = inputs
        return _summed(x, known(like.static_shape))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [broadcast_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE, np.zeros((3, 1), np.float32)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE, _CUBE[0, 0, :2]), "[2, 3, 4] cannot be summed to [2]")


def _summed(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.static_shape == shape else emit(SumTo(shape), x)


def sum_like(x: Tensor, like: Tensor) -> Tensor:
    """X summed to the shape of a tensor that was broadcast to x's."""
    if is_known(x.static_shape) and is_known(like.static_shape):
        return _summed(x, known(like.static_shape))
    return emit(SumLike(), x, like)


class DynamicBroadcast(Op):
    """Broadcast to a shape that is computed; `dims` says what is known of it beforehand."""

    type: ClassVar[str] = "BroadcastTo"
    static: ClassVar[tuple[int, ...]] = (1,)
    dims: Shape = None

    def infer(self, input: Spec, shape: Spec) -> Spec:
        dims = _computed_dims(self.dims, shape)
        if not _broadcasts_to(input.shape, dims):
            raise ShapeError(f"{show(input.shape)} cannot be broadcast to {show(dims)}")
        return Spec(dims, input.dtype)

    def evaluate(self, xp: Any, input: Any, shape: Any) -> Any:
        return xp.broadcast_to(input, tuple(int(d) for d in shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, shape = inputs
        return _broadcast(input, _planned_shape("broadcast", self.dims, shape))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [sum_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_TABLE, np.array([2, 2, 3], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "[2, 3] cannot be broadcast to [?]"
        yield Sample(cls(), (_TABLE, np.array([6], np.int32)), text)


# -- repetition


class Tile(Op):
    """The input laid side by side with itself, `multiples[n]` times along axis n."""

    type: ClassVar[str] = "Tile"
    multiples: tuple[int, ...]

    def infer(self, input: Spec) -> Spec:
        if any(m < 0 for m in self.multiples):
            raise ShapeError(f"multiples cannot be negative: {list(self.multiples)}")
        shape = shapes.merge(input.shape, (None,) * len(self.multiples)) or ()
        pairs = zip(shape, self.multiples, strict=True)
        return Spec(tuple(None if d is None else d * m for d, m in pairs), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.tile(input, self.multiples)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        shape = known(input.static_shape)
        narrow, wide = self._interleaved(shape)
        repeated = emit(Broadcast(wide), emit(Reshape(narrow), input))
        return emit(Reshape(self._result(shape)), repeated)

    def _result(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(d * m for d, m in zip(shape, self.multiples, strict=True))

    def _interleaved(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        pairs = list(zip(self.multiples, shape, strict=True))
        narrow = tuple(n for _, d in pairs for n in (1, d))
        return narrow, tuple(n for pair in pairs for n in pair)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(TileGrad(self.multiples), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 3)), (_TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (_TABLE,), "shapes [2, 3] and [?] are not compatible")


class TileGrad(Op):
    """The adjoint of `Tile`: the sum of the copies."""

    type: ClassVar[str] = "TileGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    multiples: tuple[int, ...]

    def infer(self, dy: Spec, x: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any) -> Any:
        narrow, wide = Tile(self.multiples)._interleaved(x.shape)
        return xp.reshape(SumTo(narrow).evaluate(xp, xp.reshape(dy, wide)), x.shape)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x = inputs
        shape = known(x.static_shape)
        narrow, wide = Tile(self.multiples)._interleaved(shape)
        return emit(Reshape(shape), emit(SumTo(narrow), emit(Reshape(wide), dy)))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(Tile(self.multiples), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 1)), (_VALUES[:12].reshape(4, 3), _TABLE))


# -- joining


class Concat(Op):
    """The inputs one after the other along an axis; their other extents must agree."""

    type: ClassVar[str] = "ConcatV2"
    axis: int

    def infer(self, *values: Spec) -> Spec:
        kinds = {value.dtype for value in values}
        if len(kinds) > 1:
            raise DTypeError(f"the inputs are {', '.join(str(v.dtype) for v in values)}")
        ranks = {len(value.shape) for value in values if value.shape is not None}
        if len(ranks) > 1:
            raise ShapeError(f"the ranks differ: {' and '.join(show(v.shape) for v in values)}")
        if not ranks:
            return Spec(None, values[0].dtype)
        return Spec(self._joined([v.shape for v in values], ranks.pop()), values[0].dtype)

    def _joined(self, parts: list[Shape], rank: int) -> Shape:
        at = axis_index(self.axis, rank)
        ranked = [(None,) * rank if part is None else part for part in parts]
        others: Shape = (None,) * rank
        for part in ranked:
            try:
                others = shapes.merge(others, (*part[:at], None, *part[at + 1 :]))
            except ShapeError:
                text = " and ".join(map(show, parts))
                raise ShapeError(f"only axis {at} may differ: {text}") from None
        total: int | None = 0
        for part in ranked:
            extent = part[at]
            total = None if total is None or extent is None else total + extent
        assert others is not None
        return (*others[:at], total, *others[at + 1 :])

    def evaluate(self, xp: Any, *values: Any) -> Any:
        return xp.concatenate(values, axis=self.axis)

    def lower(self, *inputs: Operand) -> Lowered:
        at = axis_index(self.axis, inputs[0].rank)
        shape = known(self._joined([operand.shape for operand in inputs], inputs[0].rank))
        index = axes(*shape)
        starts = [0]
        for operand in inputs:
            starts.append(starts[-1] + operand.shape[at])

        def read(n: int) -> Expr:
            moved = index[at] if n == 0 else index[at] - starts[n]
            return inputs[n][[*index[:at], moved, *index[at + 1 :]]]

        body = read(len(inputs) - 1)
        for n in reversed(range(len(inputs) - 1)):
            body = where(apply("lt", Position(affine(index[at])), starts[n + 1]), read(n), body)
        return Formula.make(index, body)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        parts = node.inputs
        extents = [_extent_at(part, self.axis) for part in parts]
        if None in extents:
            slices = (ConcatSlice(n, self.axis) for n in range(len(parts)))
            return [emit(record, dy, *parts) for record in slices]
        return list(_pieces(dy, [e for e in extents if e is not None], self.axis))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        other = _VALUES[6:15].reshape(3, 3)
        yield Sample(cls(0), (_TABLE, other, _TABLE), exact=True)
        yield Sample(cls(-1), (_CUBE, _CUBE[:, :, :1]), exact=True)
        yield Sample(cls(0), (_TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1), (_TABLE, _TABLE[:1]), "only axis 1 may differ: [2, 3] and [1, 3]")
        yield Sample(cls(0), (_TABLE, _VALUES), "the ranks differ: [2, 3] and [24]")
        yield Sample(cls(0), (_TABLE, np.int32(_TABLE)), "the inputs are float32, int32")


def _extent_at(tensor: Tensor, axis: int) -> int | None:
    return None if tensor.static_shape is None else tensor.static_shape[axis]


def _pieces(x: Tensor, extents: Sequence[int], axis: int) -> Iterator[Tensor]:
    """Slices of the given extents, one after the other along an axis."""
    assert x.static_shape is not None
    at, start = axis_index(axis, len(x.static_shape)), 0
    for extent in extents:
        yield strided(x, (*(slice(None),) * at, slice(start, start + extent)))
        start = start + extent


class ConcatSlice(Op):
    """What a concatenation holds of one of its inputs: `ConcatSlice(n)(joined, *inputs)`."""

    type: ClassVar[str] = "ConcatSlice"
    shape_only: ClassVar[tuple[int, ...]] = tuple(range(1, 4096))  # all but the first
    number: int
    axis: int

    def infer(self, joined: Spec, *parts: Spec) -> Spec:
        return Spec(parts[self.number].shape, joined.dtype)

    def evaluate(self, xp: Any, joined: Any, *parts: Any) -> Any:
        return joined[self._key([part.shape for part in parts])]

    def _key(self, parts: Sequence[tuple[int, ...]]) -> tuple[slice, ...]:
        at = axis_index(self.axis, len(parts[0]))
        start = 0
        for part in parts[: self.number]:
            start = start + part[at]
        return (*(slice(None),) * at, slice(start, start + parts[self.number][at]))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        joined, *parts = inputs
        return strided(joined, self._key([known(part.static_shape) for part in parts]))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        parts = [zeros_like(part) for part in node.inputs[1:]]
        parts[self.number] = dy
        return [emit(Concat(self.axis), *parts), *(None for _ in parts)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        joined = np.concatenate([_TABLE, _TABLE[:1]])
        yield Sample(cls(1, 0), (joined, _TABLE, _TABLE[:1]), exact=True)


# -- slicing


class Slice(Op):
    """`y[i] = x[begins + i * strides]` along each axis, for a result of shape `sizes`."""

    type: ClassVar[str] = "Slice"
    begins: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def infer(self, input: Spec) -> Spec:
        shape = shapes.merge(input.shape, (None,) * len(self.sizes)) or ()
        for extent, first, last in zip(shape, self.begins, self._lasts(), strict=True):
            low, high = builtins.min(first, last), builtins.max(first, last)
            if low < 0 or (extent is not None and high >= extent and 0 not in self.sizes):
                raise ShapeError(
                    f"begin {show(self.begins)} and size {show(self.sizes)} reach outside "
                    f"{show(shape)}"
                )
        return Spec(self.sizes, input.dtype)

    def _lasts(self) -> tuple[int, ...]:
        items = zip(self.begins, self.sizes, self.strides, strict=True)
        return tuple(b + builtins.max(n - 1, 0) * s for b, n, s in items)

    def evaluate(self, xp: Any, input: Any) -> Any:
        items = zip(self.begins, self.sizes, self.strides, strict=True)
        places = [int(b) + np.arange(n) * int(s) for b, n, s in items]
        return input[xp.ix_(*places)] if places else input

    def lower(self, *inputs: Operand) -> Lowered:
        index = axes(*self.sizes)
        items = zip(index, self.begins, self.strides, strict=True)
        return Formula.make(index, inputs[0][[i * s + b for i, b, s in items]])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        record = SliceGrad(self.begins, self.strides, known(node.inputs[0].static_shape))
        return [emit(record, dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((0, 1, 1), (2, 2, 3), (1, 1, 1)), (_CUBE,), exact=True)
        yield Sample(cls((1, 0, 3), (1, 2, 2), (1, 2, -2)), (_CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "begin [1, 0] and size [2, 3] reach outside [2, 3]"
        yield Sample(cls((1, 0), (2, 3), (1, 1)), (_TABLE,), text)


class SliceGrad(Op):
    """The adjoint of `Slice`: zeros of a shape, with the input where the slice was taken."""

    type: ClassVar[str] = "SliceGrad"
    begins: tuple[int, ...]
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    def infer(self, dy: Spec) -> Spec:
        shapes.merge(dy.shape, (None,) * len(self.shape))
        return Spec(self.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any) -> Any:
        if not self.shape:
            return dy
        items = zip(self.begins, dy.shape, self.strides, strict=True)
        at = np.ix_(*(int(b) + np.arange(n) * int(s) for b, n, s in items))
        result = xp.zeros(self.shape, dy.dtype)
        if hasattr(result, "at"):  # JAX's arrays do not change in place
            return result.at[at].set(dy)
        result[at] = dy
        return result

    def lower(self, *inputs: Operand) -> Lowered:
        (dy,) = inputs
        index = axes(*self.shape)
        conditions: list[Expr] = []
        read: list[Axis | Affine | Expr] = []
        for n, axis in enumerate(index):
            at, aligned = self._source(n, axis)
            if not (self.strides[n] == 1 and self.begins[n] == 0 and dy.shape[n] == axis.extent):
                conditions += [*aligned, inside(at, dy.shape[n])]
            read.append(at)
        return Formula.make(index, guarded(conditions, dy[read], 0))

    def _source(self, n: int, axis: Axis) -> tuple[Axis | Affine | Expr, list[Expr]]:
        """The index of dy that went to this position, and conditions for there being one."""
        begin, stride = self.begins[n], self.strides[n]
        distance = axis - begin if stride > 0 else affine(begin) - axis
        if abs(stride) == 1:
            return (axis if begin == 0 and stride == 1 else distance), []
        position = Position(affine(distance))
        aligned = apply("eq", apply("floormod", position, abs(stride)), 0)
        return apply("floordiv", position, abs(stride)), [aligned]

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        sizes = known(node.inputs[0].static_shape)
        return [emit(Slice(self.begins, sizes, self.strides), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, 0), (1, 1), (4, 3)), (_TABLE,), exact=True)
        yield Sample(cls((1, 5), (2, -2), (4, 7)), (_TABLE,), exact=True)


def guarded(conditions: Sequence[Expr], value: Expr, other: float) -> Expr:
    """The value where every condition holds, else a number."""
    if not conditions:
        return value
    holds = conditions[0]
    for condition in conditions[1:]:
        holds = apply("and", holds, condition)
    return where(holds, value, other)


_Bounds = tuple[int | None, int | None, int | None]


class StridedSlice(Op):
    """Python's slicing, `x[1:, ::-2, None, ..., -1]`, of a tensor whose shape is not known yet.

    Attributes:
        items: for each part of the key a number, `(start, stop, step)`, "new" or "...".
    """

    type: ClassVar[str] = "StridedSlice"
    items: tuple[Any, ...]

    def infer(self, input: Spec) -> Spec:
        if input.shape is None:
            return Spec(None, input.dtype)
        return Spec(
            _sliced_shape(input.shape, _per_axis(self.items, len(input.shape))), input.dtype
        )

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input[tuple(map(_python_item, self.items))]

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        return _slice_known(input, self.items)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(StridedSliceGrad(self.items), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, "...", (None, None, -2))), (_CUBE,), exact=True)
        yield Sample(cls(("new", (0, 9, None), -1)), (_CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (_TABLE,), "index 2 is outside axis 0 of [2, 3]")
        yield Sample(cls((0, 0, 0)), (_TABLE,), "3 indices for a tensor of rank 2")


class StridedSliceGrad(Op):
    """The adjoint of `StridedSlice`: zeros like x, with dy where the slice was taken."""

    type: ClassVar[str] = "StridedSliceGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    items: tuple[Any, ...]

    def infer(self, dy: Spec, x: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any) -> Any:
        ranges = _ranges(x.shape, _per_axis(self.items, x.ndim))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return SliceGrad(begins, strides, x.shape).evaluate(xp, xp.reshape(dy, sizes))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x = inputs
        shape = known(x.static_shape)
        ranges = _ranges(shape, _per_axis(self.items, len(shape)))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return emit(SliceGrad(begins, strides, shape), _reshaped(dy, sizes))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(StridedSlice(self.items), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, (None, None, 2))), (np.array([5, 6], np.float32), _TABLE), exact=True)


def _python_item(item: Any) -> Any:
    if isinstance(item, tuple):
        return slice(*item)
    return {"new": None, "...": Ellipsis}.get(item, item)


def _per_axis(items: tuple[Any, ...], rank: int) -> list[Any]:
    """The items with the ellipsis spelt out, and ranges for the axes that are not mentioned."""
    named = sum(item not in ("new", "...") for item in items)
    if named > rank:
        raise ShapeError(f"{named} indices for a tensor of rank {rank}")
    whole = [(None, None, None)] * (rank - named)
    if "..." not in items:
        return [*items, *whole]
    at = items.index("...")
    return [*items[:at], *whole, *items[at + 1 :]]


def _sliced_shape(shape: tuple[int | None, ...], items: Sequence[Any]) -> Shape:
    result: list[int | None] = []
    axis = 0
    for item in items:
        if item == "new":
            result.append(1)
            continue
        if isinstance(item, tuple):
            result.append(_length(shape[axis], item))
        else:
            _check_position(item, axis, shape)
        axis += 1
    return tuple(result)


def _check_position(position: int, axis: int, shape: tuple[int | None, ...]) -> None:
    extent = shape[axis]
    if extent is not None and not -extent <= position < extent:
        raise ShapeError(f"index {position} is outside axis {axis} of {show(shape)}")


def _length(extent: int | None, item: _Bounds) -> int | None:
    if extent is None:
        return None
    return _range(extent, item)[1]


def _range(extent: int, item: _Bounds) -> tuple[int, int, int]:
    """Begin, size and stride of a Python slice; what depends on a `Dim` is one."""
    start, stop, step = item
    if (start in (None, 0)) and stop is None and step in (None, 1):
        return 0, extent, 1
    first, last, stride = slice(start, stop, step).indices(int(extent))
    count = len(range(first, last, stride))
    if not isinstance(extent, Dim):
        return first, count, stride
    # A range that fits and is counted from one end has the same size whatever the extent is.
    anchored = start is not None and stop is not None and (start < 0) == (stop < 0)
    begin = first if start is not None and start >= 0 and not isinstance(start, Dim) else Dim(first)
    if start is None and stride > 0:
        begin = 0
    size = count if anchored and not has_dim((start or 0, stop or 0)) else Dim(count)
    return begin, size, stride


def _ranges(shape: Sequence[int], items: Sequence[Any]) -> list[tuple[int, int, int]]:
    """Begin, size and stride along every axis of the input."""
    own = [item for item in items if item != "new"]
    result: list[tuple[int, int, int]] = []
    for axis, (extent, item) in enumerate(zip(shape, own, strict=True)):
        if isinstance(item, tuple):
            result.append(_range(extent, item))
        else:
            _check_position(item, axis, tuple(shape))
            result.append((item if item >= 0 else extent + item, 1, 1))
    return result


def _slice_known(x: Tensor, items: tuple[Any, ...], name: str | None = None) -> Tensor:
    """A strided slice of a tensor whose shape is known."""
    shape = known(x.static_shape)
    parts = _per_axis(items, len(shape))
    target = known(_sliced_shape(shape, parts))
    ranges = _ranges(shape, parts)
    begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
    whole = sizes == shape and all(s == 1 for s in strides)
    same = sizes == target
    part = x if whole else emit(Slice(begins, sizes, strides), x, name=name if same else None)
    if same and (not whole or name is None):
        return part
    return emit(Reshape(target), part, name=name)


def strided(x: Tensor, key: Any, name: str | None = None) -> Tensor:
    """`x[key]` for ints, slices, None and `...`."""
    items = tuple(map(_item, key if isinstance(key, tuple) else (key,)))
    if sum(item == "..." for item in items) > 1:
        raise ShapeError("an index may hold only one '...'")
    # Let the record complain, with the user's line, if the key does not fit.
    if is_known(x.static_shape) and _fits(items, known(x.static_shape)):
        return _slice_known(x, items, name)
    return emit(StridedSlice(items), x, name=name)


def _fits(items: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    try:
        _sliced_shape(shape, _per_axis(items, len(shape)))
    except ShapeError:
        return False
    return True


def _item(item: Any) -> Any:
    if item is None:
        return "new"
    if item is Ellipsis:
        return "..."
    if isinstance(item, slice):
        if item.step is not None and _position(item.step) == 0:
            raise ShapeError("the step of a slice cannot be 0")
        return tuple(
            None if v is None else _position(v) for v in (item.start, item.stop, item.step)
        )
    return _position(item)


def _position(value: Any) -> int:
    if isinstance(value, Tensor):
        constant = constant_value(value)
        if constant is None:
            raise UnimplementedError(
                f"{value!r} cannot be an index here: use tf.slice or tf.gather"
            )
        value = constant.item()
    if isinstance(value, Dim):
        return value
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise DTypeError(f"an index must be an integer, a slice, None or '...', not {value!r}")
    return int(value.__index__())


def getitem(x: Tensor, key: Any) -> Tensor:
    """`x[key]`: integers, slices with steps, `None` for a new axis, and `...`."""
    with scope(None, "strided_slice", x) as full:
        return strided(x, key, full)


class DynamicSlice(Op):
    """`input[begin : begin + size]` along every axis, for computed bounds; -1 is up to the end.

    Attributes:
        dims: what is known of the result's shape when the graph is built.
    """

    type: ClassVar[str] = "DynamicSlice"
    static: ClassVar[tuple[int, ...]] = (1, 2)
    dims: Shape = None

    def infer(self, input: Spec, begin: Spec, size: Spec) -> Spec:
        dims = _computed_dims(self.dims, size)
        if dims is None and input.shape is not None:
            dims = (None,) * len(input.shape)
        if dims is not None:
            shapes.merge(input.shape, (None,) * len(dims))
            dims = _unless_negative(dims)
        _computed_dims(None, begin)
        return Spec(dims, input.dtype)

    def evaluate(self, xp: Any, input: Any, begin: Any, size: Any) -> Any:
        pairs = zip(begin.tolist(), size.tolist(), strict=True)
        return input[tuple(slice(b, None if n == -1 else b + n) for b, n in pairs)]

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, begin, size = inputs
        begins = tuple(planned_ints("slice", begin))
        shape = known(input.static_shape)
        wanted = zip(_planned_shape("slice", self.dims, size), begins, shape, strict=True)
        sizes = tuple(d - b if n == -1 else n for n, b, d in wanted)
        return emit(Slice(begins, sizes, (1,) * len(sizes)), input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(DynamicSliceGrad(), dy, *node.inputs[:2]), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (_TABLE, np.array([0, 1], np.int32), np.array([-1, 2], np.int32)), exact=True
        )

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        bounds = np.array([0], np.int32), np.array([1], np.int32)
        yield Sample(cls(), (_TABLE, *bounds), "shapes [2, 3] and [?] are not compatible")


class DynamicSliceGrad(Op):
    """The adjoint of `DynamicSlice`: zeros like x, with dy from `begin` on."""

    type: ClassVar[str] = "DynamicSliceGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    static: ClassVar[tuple[int, ...]] = (2,)

    def infer(self, dy: Spec, x: Spec, begin: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any, begin: Any) -> Any:
        begins = tuple(int(b) for b in begin)
        return SliceGrad(begins, (1,) * len(begins), x.shape).evaluate(xp, dy)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x, begin = inputs
        begins = tuple(planned_ints("slice", begin))
        return emit(SliceGrad(begins, (1,) * len(begins), known(x.static_shape)), dy)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        size = shape(node.inputs[0])
        return [emit(DynamicSlice(), dy, node.inputs[2], size), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_TABLE[:, :2], _TABLE, np.array([0, 1], np.int32)), exact=True)


# -- padding


class Pad(Op):
    """The input with `paddings[n]` = (before, after) elements of a value added along axis n."""

    type: ClassVar[str] = "Pad"
    paddings: tuple[tuple[int, int], ...]
    value: float = 0

    def infer(self, tensor: Spec) -> Spec:
        if any(p < 0 for pair in self.paddings for p in pair):
            raise ShapeError(f"paddings cannot be negative: {list(self.paddings)}")
        if tensor.shape is not None and len(tensor.shape) != len(self.paddings):
            raise ShapeError(f"{len(self.paddings)} pairs of paddings for {show(tensor.shape)}")
        extents = tensor.shape or (None,) * len(self.paddings)
        pairs = zip(extents, self.paddings, strict=True)
        padded = (None if d is None else d + sum(pair) for d, pair in pairs)
        return Spec(tuple(padded), tensor.dtype)

    def evaluate(self, xp: Any, tensor: Any) -> Any:
        return xp.pad(tensor, self.paddings, constant_values=self.value) if tensor.ndim else tensor

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        index = axes(*known(self.infer(Spec(x.shape, x.dtype)).shape))
        read = [
            i - before if before else i for i, (before, _) in zip(index, self.paddings, strict=True)
        ]
        places = zip(read, x.shape, self.paddings, strict=True)
        conditions = [inside(at, extent) for at, extent, pair in places if any(pair)]
        return Formula.make(index, guarded(conditions, x[read], self.value))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        key = tuple(slice(before, -after if after else None) for before, after in self.paddings)
        return [strided(dy, key)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(((1, 2), (0, 1))), (_TABLE,), exact=True)
        yield Sample(cls(((0, 0), (2, 0)), -1.5), (_TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(((1, 1),)), (_TABLE,), "1 pairs of paddings for [2, 3]")
        yield Sample(cls(((-1, 1), (0, 0))), (_TABLE,), "paddings cannot be negative")


# -- shapes as values


class ShapeValue(Op):
    """What ops share that say something about their input's shape."""

    shape_only: ClassVar[tuple[int, ...]] = (0,)
    dtype: DType

    def numbers(self, shape: tuple[int, ...]) -> Any:
        """The value for an input of this shape."""
        raise NotImplementedError

    def varies(self, shape: tuple[int, ...]) -> bool:
        """Whether the value may differ in the next run."""
        return has_dim(shape)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.asarray(self.numbers(input.shape), dtype=self.dtype.numpy)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        extents = known(input.static_shape)
        value = np.asarray(self.numbers(extents), self.dtype.numpy)
        return constant_like(input.graph, value, self.varies(extents))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]


class ShapeOf(ShapeValue):
    """The shape of a tensor, as a vector of integers."""

    type: ClassVar[str] = "Shape"
    dtype: DType = dtypes.int32

    def infer(self, input: Spec) -> Spec:
        return Spec((None,) if input.shape is None else (len(input.shape),), self.dtype)

    def numbers(self, shape: tuple[int, ...]) -> Any:
        return [int(d) for d in shape]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE,), exact=True, differentiable=False)


class SizeOf(ShapeValue):
    """How many elements a tensor has along some axes together; along all if they are None."""

    type: ClassVar[str] = "Size"
    dtype: DType = dtypes.int32
    axes: tuple[int, ...] | None = None

    def infer(self, input: Spec) -> Spec:
        if input.shape is not None:
            self._extents(input.shape)
        return Spec((), self.dtype)

    def _extents(self, shape: tuple[Any, ...]) -> list[Any]:
        chosen = range(len(shape)) if self.axes is None else self.axes
        return [shape[axis_index(axis, len(shape))] for axis in chosen]

    def numbers(self, shape: tuple[int, ...]) -> Any:
        return int(shapes.size(self._extents(shape)))

    def varies(self, shape: tuple[int, ...]) -> bool:
        return has_dim(self._extents(shape))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE,), exact=True, differentiable=False)
        yield Sample(cls(axes=(0, -1)), (_CUBE,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(axes=(2,)), (_TABLE,), "axis 2 is out of range for rank 2")


class Rank(ShapeValue):
    """How many axes a tensor has."""

    type: ClassVar[str] = "Rank"
    dtype: DType = dtypes.int32

    def infer(self, input: Spec) -> Spec:
        return Spec((), self.dtype)

    def numbers(self, shape: tuple[int, ...]) -> Any:
        return len(shape)

    def varies(self, shape: tuple[int, ...]) -> bool:
        return False

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_CUBE,), exact=True, differentiable=False)


class Range(Op):
    """`start, start + delta, ...` up to but without `limit`, for computed bounds."""

    type: ClassVar[str] = "Range"
    static: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def infer(self, start: Spec, limit: Spec, delta: Spec) -> Spec:
        for bound in (start, limit, delta):
            if bound.dtype != start.dtype:
                raise DTypeError(f"the bounds are {start.dtype} and {bound.dtype}")
            if bound.shape not in (None, ()):
                raise ShapeError(f"a bound must be a scalar, not {show(bound.shape)}")
        return Spec((None,), start.dtype)

    def evaluate(self, xp: Any, start: Any, limit: Any, delta: Any) -> Any:
        bounds = (v.item() for v in (start, limit, delta))
        return xp.arange(*bounds, dtype=start.dtype)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        start, limit, delta = inputs
        bounds = (start, limit, delta)
        value = self.evaluate(np, *(static_values("range", bound) for bound in bounds))
        return constant_like(start.graph, value, any(map(is_planned, bounds)))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.int32(1), np.int32(8), np.int32(3)), differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (np.int32(1), np.array([8], np.int32), np.int32(3)), "a bound must be a scalar"
        )
        yield Sample(cls(), (np.int32(1), np.float32(8), np.int32(3)), "are int32 and float32")


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
        places = xp.arange(self.depth).reshape([-1] + [1] * (indices.ndim - at))
        hit = xp.expand_dims(indices, at) == places
        return xp.where(hit, self.on, self.off).astype(self.dtype.numpy)

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
        yield Sample(cls(3, -1, dtypes.float32), (_TABLE,), "indices must be integers, not float32")


# -- the public functions


def _known_dims(value: Any) -> tuple[Shape, Tensor | None]:
    """A shape as a user may give it: what is known of it, and the tensor that holds it if needed.

    Unknown extents of a plain shape count as -1.
    """
    if isinstance(value, Tensor) or hasattr(value, "_as_tensor"):
        tensor = convert(value)
        array = constant_value(tensor)
        if array is not None and not is_planned(tensor):
            return tuple(int(d) for d in array.reshape(-1)), None
        return _partly_known(tensor), tensor
    items = value if isinstance(value, Iterable) else (value,)
    dims = [_known_dim(item) for item in items]
    if all(not isinstance(d, Tensor) for d in dims):
        return tuple(d for d in dims if not isinstance(d, Tensor)), None
    tensor = stack([_as_index(d) for d in dims])
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
        return _position(item)
    value = constant_value(item)
    return item if value is None or is_planned(item) else int(value.item())


def _as_index(item: int | Tensor) -> Tensor:
    tensor = convert(item, hint=INDEX)
    if tensor.dtype == INDEX:
        return tensor
    return cast(tensor, INDEX)


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
        dims, dynamic = _known_dims(shape)
        if dynamic is None:
            return emit(Reshape(_numbers_of(dims)), x, name=full)
        return emit(DynamicReshape(dims), x, dynamic, name=full)


def _numbers_of(dims: Shape) -> tuple[int, ...]:
    """The dims, all of which are numbers (perhaps -1)."""
    assert dims is not None
    return tuple(d for d in dims if d is not None)


def transpose(a: Any, perm: Any = None, name: str | None = None) -> Tensor:
    """Axis n of the result is axis `perm[n]` of `a`; without `perm` the axes are reversed.

    Raises:
        ShapeError: if `perm` is not an order of all the axes.
    """
    order = None if perm is None else _static_ints("transpose", perm)
    return emit(Transpose(order), convert(a), name=name or "transpose")


def _static_ints(what: str, value: Any) -> tuple[int, ...]:
    """Integers that must be known when the graph is built."""
    if isinstance(value, Tensor):
        return tuple(int(v) for v in static_values(what, value).reshape(-1))
    array = to_array(value)
    if not (array.dtype.kind in "iu" or array.size == 0):
        raise DTypeError(f"{what} needs integers, not {value!r}")
    return tuple(int(v) for v in array.reshape(-1))


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
    return emit(ExpandDims(_static_ints("expand_dims", at)[0]), convert(input), name=name)


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Tensor:
    """Drop the given axes, of extent 1; or all such axes.

    Raises:
        ShapeError: if an axis that is named has another extent.
    """
    chosen = squeeze_dims if axis is None else axis
    gone = () if chosen is None else _static_ints("squeeze", chosen)
    return emit(Squeeze(gone), convert(input), name=name)


def concat(values: Any, axis: Any = None, name: str | None = "concat") -> Tensor:
    """The tensors one after the other along an axis.

    The order of arguments from before 1.0, `concat(axis, values)`, is understood too.

    Raises:
        ShapeError: if the other extents differ.
        DTypeError: if the dtypes differ.
    """
    if isinstance(values, int) and not isinstance(axis, int | None):
        values, axis = axis, values
    if axis is None:
        raise ValueError("concat needs an axis")
    with scope(name, "concat", *_sequence(values)) as full:
        at = _static_ints("concat", axis)[0]
        return emit(Concat(at), *_alike(_sequence(values)), name=full)


def _sequence(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _alike(values: Sequence[Any]) -> list[Tensor]:
    """The values as tensors; plain ones take the dtype of the first tensor."""
    if not values:
        raise ValueError("at least one tensor is needed")
    hint = next((v.dtype for v in values if isinstance(v, Tensor)), None)
    return [convert(v, hint=hint) for v in values]


def stack(values: Sequence[Any], axis: int = 0, name: str | None = "stack") -> Tensor:
    """Tensors of one shape along a new axis.

    Raises:
        ShapeError: if the shapes differ.
    """
    with scope(name, "stack", *values) as full:
        parts = [emit(ExpandDims(axis), part) for part in _alike(list(values))]
        rank = next((len(p.static_shape) for p in parts if p.static_shape is not None), None)
        at = axis if axis >= 0 or rank is None else axis_index(axis, rank)
        return emit(Concat(at), *parts, name=full)


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack"
) -> list[Tensor]:
    """The slices along an axis, without that axis.

    Raises:
        ShapeError: if their number is neither known nor given.
    """
    x = convert(value)
    with scope(name, "unstack", x):
        at, extent = _axis_of("unstack", x, axis)
        count = extent if num is None else num
        if count is None:
            raise ShapeError(f"unstack: axis {axis} of {show(x.static_shape)} is unknown: give num")
        if extent is not None and count != extent:
            raise ShapeError(f"unstack: num is {count}, but {show(x.static_shape)} has {extent}")
        lead = (slice(None),) * at
        return [strided(x, (*lead, n)) for n in builtins.range(count)]


def _axis_of(what: str, x: Tensor, axis: int) -> tuple[int, int | None]:
    if x.static_shape is None:
        raise ShapeError(f"{what}: the rank of {x.name!r} must be known")
    at = axis_index(axis, len(x.static_shape))
    return at, x.static_shape[at]


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str | None = "split",
) -> list[Tensor]:
    """Pieces along an axis: a number of equal ones, or ones of the given sizes (one may be -1).

    Raises:
        ShapeError: if the extent is not the sum of the pieces.
    """
    if isinstance(value, int) and isinstance(num_or_size_splits, int):  # the order before 1.0
        value, axis = axis, value
    x = convert(value)
    with scope(name, "split", x):
        at, extent = _axis_of("split", x, axis)
        return list(_pieces(x, _split_sizes(num_or_size_splits, at, extent, x), at))


def _split_sizes(pieces: Any, axis: int, extent: int | None, x: Tensor) -> Sequence[int]:
    if isinstance(pieces, int):
        if extent is None or extent % pieces:
            text = f"axis {axis} of {show(x.static_shape)} does not split into {pieces} equal parts"
            raise ShapeError(f"split: {text}")
        return [extent // pieces] * pieces
    sizes = list(_static_ints("split", pieces))
    if -1 in sizes and extent is not None:
        sizes[sizes.index(-1)] = extent - (sum(sizes) + 1)
    if any(s < 0 for s in sizes) or (extent is not None and sum(sizes) != extent):
        text = f"pieces of {sizes} do not make axis {axis} of {show(x.static_shape)}"
        raise ShapeError(f"split: {text}")
    return sizes


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The input repeated `multiples[n]` times along axis n."""
    return emit(Tile(_static_ints("tile", multiples)), convert(input), name=name)


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The box of a given size from a given position on; a size of -1 goes up to the end.

    Raises:
        ShapeError: if it reaches outside.
    """
    x = convert(input_)
    with scope(name, "Slice", x) as full:
        begins, computed_begin = _known_dims(begin)
        sizes, computed_size = _known_dims(size)
        static = computed_begin is None and computed_size is None
        if static and begins is not None and sizes is not None and is_known(x.static_shape):
            items = zip(_numbers_of(sizes), _numbers_of(begins), known(x.static_shape), strict=True)
            extents = tuple(d - b if n == -1 else n for n, b, d in items)
            return emit(Slice(_numbers_of(begins), extents, (1,) * len(extents)), x, name=full)
        first = computed_begin if computed_begin is not None else convert(begins, hint=INDEX)
        wanted = computed_size if computed_size is not None else convert(sizes, hint=INDEX)
        return emit(DynamicSlice(sizes), x, first, wanted, name=full)


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: float = 0,
) -> Tensor:
    """`paddings[n]` = (before, after) elements of a constant added along axis n.

    Raises:
        UnimplementedError: for the modes REFLECT and SYMMETRIC.
    """
    if mode.upper() != "CONSTANT":
        raise UnimplementedError(f"pad: mode {mode!r} is not supported, only 'CONSTANT'")
    flat = _static_ints("pad", paddings)
    pairs = tuple(builtins.zip(flat[::2], flat[1::2], strict=True))
    return emit(Pad(pairs, constant_values), convert(tensor), name=name)


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
    extents = None if x.static_shape is None else record._extents(x.static_shape)
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


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The input repeated to a shape, as NumPy does.

    Raises:
        ShapeError: if an extent is neither 1 nor the one that is wanted.
    """
    x = convert(input)
    with scope(name, "BroadcastTo", x, shape) as full:
        dims, dynamic = _known_dims(shape)
        if dynamic is None:
            return emit(Broadcast(_no_unknowns(_numbers_of(dims))), x, name=full)
        return emit(DynamicBroadcast(dims), x, dynamic, name=full)


def _no_unknowns(dims: tuple[int, ...]) -> tuple[int, ...]:
    if any(d < 0 for d in dims):
        raise ShapeError(f"every extent must be known and not negative: {show(dims)}")
    return dims


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
        number = constant_like(x.graph, np.asarray(value).astype(kind.numpy))
        if is_known(x.static_shape):
            return emit(Broadcast(known(x.static_shape)), number, name=full)
        return emit(BroadcastLike(), number, x, name=full)


def range_(
    start: Any,
    limit: Any = None,
    delta: Any = 1,
    dtype: Any = None,
    name: str | None = "range",
) -> Tensor:
    """`start, start + delta, ...` up to but without `limit`; `range_(n)` counts from 0.

    The bounds are numbers, or tensors that follow from constants and shapes alone.
    """
    if limit is None:
        start, limit = 0, start
    bounds = (start, limit, delta)
    with scope(name, "range", *bounds) as full:
        kind = _range_dtype(bounds) if dtype is None else as_dtype(dtype)
        if not any(isinstance(b, Tensor) for b in bounds):
            array = np.arange(start, limit, delta).astype(kind.numpy)
            return constant_like(default_graph(), array, name=full)
        return emit(Range(), *(convert(b, hint=kind) for b in bounds), name=full)


def _range_dtype(bounds: Sequence[Any]) -> DType:
    kinds = [b.dtype if isinstance(b, Tensor) else as_dtype(to_array(b).dtype) for b in bounds]
    given = [k for k, b in zip(kinds, bounds, strict=True) if isinstance(b, Tensor)]
    return given[0] if given else next((k for k in kinds if k.is_floating), kinds[0])


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
    """
    record = OneHot(
        _static_ints("one_hot", depth)[0],
        -1 if axis is None else axis,
        dtypes.float32 if dtype is None else as_dtype(dtype),
        1 if on_value is None else on_value,
        0 if off_value is None else off_value,
    )
    return emit(record, convert(indices), name=name or "one_hot")


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
