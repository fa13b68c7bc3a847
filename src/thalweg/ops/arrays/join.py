"""Tensors one after the other, and cut into pieces again."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, axis_index, known, show
from thalweg.formula import Expr, Formula, Lowered, Operand, Position, affine, apply, axes, where
from thalweg.graph import Op, Operation, Sample, Spec, Tensor, graph_of, infer
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import ExpandDims, Squeeze
from thalweg.ops.arrays.slicing import StridedSliceGrad, strided, strided_items
from thalweg.ops.build import checking, convert, emit, first_dtype, scope, to_array
from thalweg.ops.extents import static_ints
from thalweg.ops.samples import CUBE, TABLE, VALUES

Grads = Sequence[Tensor | None]

MOST_PIECES = 1 << 16  # that a tensor can be cut into, each an operation of the graph

MOST_INPUTS = 32  # of one operation: what finds the input of an element tests one after the other


class Concat(Op):
    """The inputs one after the other along an axis; their other extents must agree."""

    type: ClassVar[str] = "ConcatV2"
    takes_strings: ClassVar[bool] = True
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
        other = VALUES[6:15].reshape(3, 3)
        yield Sample(cls(0), (TABLE, other, TABLE), exact=True)
        yield Sample(cls(-1), (CUBE, CUBE[:, :, :1]), exact=True)
        yield Sample(cls(0), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1), (TABLE, TABLE[:1]), "only axis 1 may differ: [2, 3] and [1, 3]")
        yield Sample(cls(0), (TABLE, VALUES), "the ranks differ: [2, 3] and [24]")
        yield Sample(cls(0), (TABLE, np.int32(TABLE)), "the inputs are float32, int32")


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
    shape_only: ClassVar[range] = range(1, sys.maxsize)  # all but the first
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
        joined = np.concatenate([TABLE, TABLE[:1]])
        yield Sample(cls(1, 0), (joined, TABLE, TABLE[:1]), exact=True)


class Piece(Op):
    """One of the pieces that a tensor is cut into along an axis.

    Attributes:
        number: which one.
        sizes: the pieces' extents, of which one may be -1 for what is left; or how many pieces of
            equal extent there are.
        axis: along which the tensor is cut.
    """

    type: ClassVar[str] = "Piece"
    takes_strings: ClassVar[bool] = True
    number: int
    sizes: tuple[int, ...] | int
    axis: int

    def infer(self, value: Spec) -> Spec:
        if value.shape is None:
            return Spec(None, value.dtype)
        at = axis_index(self.axis, len(value.shape))
        extent = value.shape[at]
        if extent is not None:
            own: int | None = self._sizes(value.shape)[self.number]
        else:
            own = self.sizes[self.number] if isinstance(self.sizes, tuple) else None
        lead, tail = value.shape[:at], value.shape[at + 1 :]
        return Spec((*lead, None if own == -1 else own, *tail), value.dtype)

    def evaluate(self, xp: Any, value: Any) -> Any:
        return value[self.key(value.shape)]

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (value,) = inputs
        return strided(value, self.key(known(value.static_shape)))

    def key(self, shape: tuple[int | None, ...]) -> tuple[slice, ...]:
        """The piece as an index of a tensor of the shape."""
        at, sizes = axis_index(self.axis, len(shape)), self._sizes(shape)
        start = 0
        for size in sizes[: self.number]:
            start = start + size
        return (*(slice(None),) * at, slice(start, start + sizes[self.number]))

    def _sizes(self, shape: tuple[int | None, ...]) -> Sequence[int]:
        """The extents of all the pieces.

        Raises:
            ShapeError: if they do not make up the axis.
        """
        at = axis_index(self.axis, len(shape))
        extent = known((shape[at],))[0]
        if isinstance(self.sizes, int):
            if extent % self.sizes:
                text = f"axis {at} of {show(shape)} does not split into {self.sizes} equal parts"
                raise ShapeError(text)
            return [extent // self.sizes] * self.sizes
        sizes = list(self.sizes)
        if -1 in sizes:
            sizes[sizes.index(-1)] = extent - (sum(sizes) + 1)
        if any(s < 0 for s in sizes) or sum(sizes) != extent:
            text = f"pieces of {list(self.sizes)} do not make axis {at} of {show(shape)}"
            raise ShapeError(text)
        return sizes

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(PieceGrad(self.number, self.sizes, self.axis), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1, 2, -1), (CUBE,), exact=True)
        yield Sample(cls(1, (1, -1, 1), 2), (CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0, 2, 1), (TABLE,), "axis 1 of [2, 3] does not split into 2 equal parts")
        yield Sample(cls(0, (1, 1), 1), (TABLE,), "pieces of [1, 1] do not make axis 1 of [2, 3]")
        yield Sample(cls(0, 1, 2), (TABLE,), "axis 2 is out of range for rank 2")


class PieceGrad(Op):
    """The adjoint of `Piece`: zeros like the tensor, with dy where the piece was."""

    type: ClassVar[str] = "PieceGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    number: int
    sizes: tuple[int, ...] | int
    axis: int

    def infer(self, dy: Spec, value: Spec) -> Spec:
        return Spec(value.shape, dy.dtype)

    def _piece(self) -> Piece:
        return Piece(self.number, self.sizes, self.axis)

    def evaluate(self, xp: Any, dy: Any, value: Any) -> Any:
        key = strided_items(self._piece().key(value.shape))
        return StridedSliceGrad(key).evaluate(xp, dy, value)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, value = inputs
        key = strided_items(self._piece().key(known(value.static_shape)))
        return emit(StridedSliceGrad(key), dy, value)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(self._piece(), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(1, 2, -1), (CUBE[:, :, :2], CUBE), exact=True)


# -- the public functions


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
        at = static_ints("concat", axis)[0]
        return joined(at, _alike(_sequence(values)), full)


def joined(axis: int, parts: Sequence[Tensor], name: str | None = None) -> Tensor:
    """The tensors one after the other; many of them in groups, which are joined in turn."""
    record, graph = Concat(axis), graph_of(parts)
    if len(parts) > MOST_INPUTS:
        infer(record, parts, graph.source)  # so that an error speaks of all of them
    while len(parts) > MOST_INPUTS:
        groups = [parts[n : n + MOST_INPUTS] for n in range(0, len(parts), MOST_INPUTS)]
        parts = [emit(record, *group) for group in groups]
    return emit(record, *parts, name=name)


def _sequence(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _alike(values: Sequence[Any]) -> list[Tensor]:
    """The values as tensors; plain ones take the dtype of the first tensor."""
    if not values:
        raise ValueError("at least one tensor is needed")
    hint = first_dtype(values) or _widest(values)
    return [convert(v, hint=hint) for v in values]


def _widest(values: Sequence[Any]) -> DType:
    """The type that holds the numbers in all of the values."""
    arrays = [to_array(value) for value in values]
    floating = [a.dtype for a in arrays if as_dtype(a.dtype).is_floating]
    return as_dtype(np.result_type(*(floating or [a.dtype for a in arrays])))


def stack(values: Sequence[Any], axis: int = 0, name: str | None = "stack") -> Tensor:
    """Tensors of one shape along a new axis.

    Raises:
        ShapeError: if the shapes differ.
    """
    with scope(name, "stack", *values) as full:
        parts = [emit(ExpandDims(axis), part) for part in _alike(list(values))]
        rank = next((len(p.static_shape) for p in parts if p.static_shape is not None), None)
        at = axis if axis >= 0 or rank is None else axis_index(axis, rank)
        return joined(at, parts, full)


def unstack(
    value: Any, num: int | None = None, axis: int = 0, name: str | None = "unstack"
) -> list[Tensor]:
    """The slices along an axis, without that axis.

    Raises:
        ShapeError: if their number is neither known nor given.
    """
    x = convert(value)
    with scope(name, "unstack", x), checking("unstack", value=x):
        extent = _extent_along(x, axis)
        if num is None and extent is None:
            raise ShapeError(f"axis {axis} of {show(x.static_shape)} is unknown: give num")
        count = extent if num is None else num
        if count is None or count < 0 or extent not in (None, count):
            raise ShapeError(f"num is {num}, but {show(x.static_shape)} has {extent}")
        _checked_count(count)
        if extent is None or x.static_shape is None:
            return [emit(Squeeze((axis,)), piece) for piece in _cut(x, (1,) * count, axis)]
        lead = (slice(None),) * axis_index(axis, len(x.static_shape))
        return [strided(x, (*lead, n)) for n in range(count)]


def _extent_along(x: Tensor, axis: int) -> int | None:
    shape = x.static_shape
    return None if shape is None else shape[axis_index(axis, len(shape))]


def _checked_count(count: int) -> int:
    if count > MOST_PIECES:
        raise ShapeError(f"there can be at most {MOST_PIECES:,} pieces, not {count:,}")
    return count


def _cut(x: Tensor, sizes: tuple[int, ...] | int, axis: int) -> list[Tensor]:
    """The pieces of a tensor along an axis."""
    count = _checked_count(sizes if isinstance(sizes, int) else len(sizes))
    pieces = [Piece(n, sizes, axis) for n in range(count)]
    shape = x.static_shape
    if shape is None or _extent_along(x, axis) is None:
        return [emit(piece, x) for piece in pieces]
    return [strided(x, piece.key(shape)) for piece in pieces]


def split(
    value: Any,
    num_or_size_splits: Any,
    axis: Any = 0,
    num: int | None = None,
    name: str | None = "split",
) -> list[Tensor]:
    """Pieces along an axis: a number of equal ones, or ones of the given sizes (one may be -1).

    Raises:
        ShapeError: if the extent is not the sum of the pieces. If it is not known yet, the run
            raises it.
    """
    if isinstance(value, int) and isinstance(num_or_size_splits, int):  # the order before 1.0
        value, axis = axis, value
    x = convert(value)
    with scope(name, "split", x), checking("split", value=x):
        sizes = num_or_size_splits
        if not isinstance(sizes, int):
            sizes = static_ints("split", sizes)
            if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
                raise ShapeError(f"sizes cannot be negative, but for one of -1: {list(sizes)}")
        elif sizes < 1:
            raise ShapeError(f"there must be at least 1 piece, not {sizes}")
        return _cut(x, sizes, static_ints("split", axis)[0])
