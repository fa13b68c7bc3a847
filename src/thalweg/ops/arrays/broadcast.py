"""Broadcasting and its adjoint, summation; repetition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, is_known, known, same_shape, show
from thalweg.formula import Axis, Expr, Formula, Lowered, Operand, axes, reduce
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.reshape import Reshape
from thalweg.ops.arrays.shape import known_dims
from thalweg.ops.build import convert, emit, needs_broadcast, scope
from thalweg.ops.extents import (
    check_ints,
    computed_dims,
    computed_ints,
    numbers_of,
    planned_ints,
    planned_shape,
)
from thalweg.ops.samples import CUBE, TABLE, VALUES

Grads = Sequence[Tensor | None]


# -- broadcasting and its adjoint


class Broadcast(Op):
    """The input repeated along axes of extent 1 and new leading axes, to a given shape."""

    type: ClassVar[str] = "Broadcast"
    takes_strings: ClassVar[bool] = True
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
        yield Sample(cls((4, 2, 3)), (TABLE,), exact=True)
        yield Sample(cls((2, 2, 3)), (TABLE.reshape(2, 3)[:, None, :1],), exact=True)
        yield Sample(cls((2, 3)), (np.float32(2),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 4)), (TABLE,), "[2, 3] cannot be broadcast to [2, 4]")
        yield Sample(cls((3,)), (TABLE,), "[2, 3] cannot be broadcast to [3]")


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
    takes_strings: ClassVar[bool] = True
    shape_only: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, x: Spec, like: Spec) -> Spec:
        return Spec(shapes.broadcast(x.shape, like.shape), x.dtype)

    def evaluate(self, xp: Any, x: Any, like: Any) -> Any:
        return xp.broadcast_to(x, xp.broadcast_shapes(x.shape, like.shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        x, like = inputs
        return _broadcast(x, known(shapes.broadcast(x.static_shape, like.static_shape)))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [sum_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([[1], [2]], np.float32), TABLE), exact=True)
        yield Sample(cls(), (np.array([1, 2, 3], np.float32), TABLE[:, :1]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "shapes [2, 3] and [4] do not broadcast together"
        yield Sample(cls(), (TABLE, np.ones(4, np.float32)), text)


def _broadcast(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if same_shape(known(x.static_shape), shape) else emit(Broadcast(shape), x)


def broadcast_like(x: Tensor, other: Tensor) -> Tensor:
    """X broadcast against another tensor; x itself if that cannot change its shape."""
    if not needs_broadcast(x, other):
        return x
    target = shapes.broadcast(x.static_shape, other.static_shape)
    if is_known(target) and is_known(x.static_shape):
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
        return xp.asarray(xp.reshape(total, self.shape), x.dtype)

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
            yield Sample(cls(shape), (CUBE,))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (CUBE,), "[2, 3, 4] cannot be summed to [2]")


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
        yield Sample(cls(), (CUBE, np.zeros((3, 1), np.float32)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE, CUBE[0, 0, :2]), "[2, 3, 4] cannot be summed to [2]")


def _summed(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if same_shape(known(x.static_shape), shape) else emit(SumTo(shape), x)


def sum_like(x: Tensor, like: Tensor) -> Tensor:
    """X summed to the shape of a tensor that was broadcast to x's."""
    if is_known(x.static_shape) and is_known(like.static_shape):
        return _summed(x, known(like.static_shape))
    return emit(SumLike(), x, like)


class DynamicBroadcast(Op):
    """Broadcast to a shape that is computed; `dims` says what is known of it beforehand."""

    type: ClassVar[str] = "BroadcastTo"
    takes_strings: ClassVar[bool] = True
    static: ClassVar[tuple[int, ...]] = (1,)
    dims: Shape = None

    def infer(self, input: Spec, shape: Spec) -> Spec:
        dims = computed_dims(self.dims, shape)
        if not _broadcasts_to(input.shape, dims):
            raise ShapeError(f"{show(input.shape)} cannot be broadcast to {show(dims)}")
        return Spec(dims, input.dtype)

    def evaluate(self, xp: Any, input: Any, shape: Any) -> Any:
        return xp.broadcast_to(input, tuple(int(d) for d in shape))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, shape = inputs
        return _broadcast(input, planned_shape("broadcast", self.dims, shape))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [sum_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE, np.array([2, 2, 3], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "[2, 3] cannot be broadcast to [?]"
        yield Sample(cls(), (TABLE, np.array([6], np.int32)), text)


# -- repetition


class Tile(Op):
    """The input laid side by side with itself, `multiples[n]` times along axis n."""

    type: ClassVar[str] = "Tile"
    takes_strings: ClassVar[bool] = True
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
        yield Sample(cls((2, 3)), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (TABLE,), "shapes [2, 3] and [?] are not compatible")


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
        yield Sample(cls((2, 1)), (VALUES[:12].reshape(4, 3), TABLE))


class DynamicTile(Op):
    """`Tile` by multiples that are computed."""

    type: ClassVar[str] = "DynamicTile"
    static: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, input: Spec, multiples: Spec) -> Spec:
        check_ints("multiples", multiples, 1)
        rank = (multiples.shape or (None,))[0]
        unknown = None if rank is None else (None,) * rank
        return Spec(_unknown(shapes.merge(input.shape, unknown)), input.dtype)

    def evaluate(self, xp: Any, input: Any, multiples: Any) -> Any:
        return xp.tile(input, multiples.tolist())

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, multiples = inputs
        return emit(Tile(tuple(planned_ints("tile", multiples))), input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(DynamicTileGrad(), dy, *node.inputs), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE, np.array([2, 3], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "shapes [2, 3] and [?] are not compatible"
        yield Sample(cls(), (TABLE, np.array([2], np.int32)), text)
        yield Sample(cls(), (TABLE, TABLE), "multiples must be integers, not float32")


class DynamicTileGrad(Op):
    """The adjoint of `DynamicTile`: the sum of the copies."""

    type: ClassVar[str] = "DynamicTileGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    static: ClassVar[tuple[int, ...]] = (2,)

    def infer(self, dy: Spec, x: Spec, multiples: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any, multiples: Any) -> Any:
        return TileGrad(tuple(multiples.tolist())).evaluate(xp, dy, x)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x, multiples = inputs
        return emit(TileGrad(tuple(planned_ints("tile", multiples))), dy, x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(DynamicTile(), dy, node.inputs[2]), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (VALUES[:12].reshape(4, 3), TABLE, np.array([2, 1], np.int32)))


def _unknown(shape: Shape) -> Shape:
    return None if shape is None else (None,) * len(shape)


# -- the public functions


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The input repeated to a shape, as NumPy does.

    Raises:
        ShapeError: if an extent is neither 1 nor the one that is wanted.
    """
    x = convert(input)
    with scope(name, "BroadcastTo", x, shape) as full:
        dims, dynamic = known_dims(shape)
        if dynamic is None:
            return emit(Broadcast(_no_unknowns(numbers_of(dims))), x, name=full)
        return emit(DynamicBroadcast(dims), x, dynamic, name=full)


def _no_unknowns(dims: tuple[int, ...]) -> tuple[int, ...]:
    if any(d < 0 for d in dims):
        raise ShapeError(f"every extent must be known and not negative: {show(dims)}")
    return dims


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The input repeated `multiples[n]` times along axis n.

    Args:
        input: a tensor.
        multiples: an integer for each axis: a list, which may hold scalar tensors, or a tensor.
        name: of the operation.

    Raises:
        ShapeError: if there are not as many multiples as axes, or one is negative.
    """
    times = computed_ints("tile", multiples)
    if isinstance(times, Tensor):
        return emit(DynamicTile(), convert(input), times, name=name or "Tile")
    return emit(Tile(times), convert(input), name=name)
