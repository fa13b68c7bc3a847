"""Tensors one after the other, and cut into pieces again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, axis_index, known, show
from thalweg.formula import Expr, Formula, Lowered, Operand, Position, affine, apply, axes, where
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.create import zeros_like
from thalweg.ops.extents import static_ints
from thalweg.ops.reshape import ExpandDims
from thalweg.ops.samples import CUBE, TABLE, VALUES
from thalweg.ops.slicing import strided

Grads = Sequence[Tensor | None]


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
        joined = np.concatenate([TABLE, TABLE[:1]])
        yield Sample(cls(1, 0), (joined, TABLE, TABLE[:1]), exact=True)


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
        return [strided(x, (*lead, n)) for n in range(count)]


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
    sizes = list(static_ints("split", pieces))
    if -1 in sizes and extent is not None:
        sizes[sizes.index(-1)] = extent - (sum(sizes) + 1)
    if any(s < 0 for s in sizes) or (extent is not None and sum(sizes) != extent):
        text = f"pieces of {sizes} do not make axis {axis} of {show(x.static_shape)}"
        raise ShapeError(f"split: {text}")
    return sizes
