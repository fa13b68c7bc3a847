"""Rows that are dealt out by number, put together again, and permutations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.formula import Check, Operand
from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor, graph_of
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.gather import gather
from thalweg.ops.arrays.ranges import range_
from thalweg.ops.arrays.reshape import reshape, reshape_like
from thalweg.ops.arrays.shape import size
from thalweg.ops.build import convert, emit, first_dtype
from thalweg.ops.elementwise.comparison import equal
from thalweg.ops.elementwise.selection import where
from thalweg.ops.extents import static_ints
from thalweg.ops.samples import CUBE, TABLE, wave

Grads = Sequence[Tensor | None]


class DynamicPartition(Op):
    """The slices of data, dealt out to tensors by number.

    Attributes:
        num_partitions: how many tensors there are.
    """

    type: ClassVar[str] = "DynamicPartition"
    effects: ClassVar[Effects] = ON_HOST
    takes_strings: ClassVar[bool] = True
    num_partitions: int

    def infer(self, data: Spec, partitions: Spec) -> tuple[Spec, ...]:
        _check_int32("partitions", partitions)
        rest = _slices("data", data.shape, "partitions", partitions.shape)
        spec = Spec(None if rest is None else (None, *rest), data.dtype)
        return (spec,) * self.num_partitions

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [Check(1, self.num_partitions, "partitions")]

    def evaluate(self, xp: Any, data: Any, partitions: Any) -> Any:
        chosen = xp.reshape(partitions, (-1,))
        rows = xp.reshape(data, (chosen.size, *data.shape[partitions.ndim :]))
        return tuple(rows[chosen == n] for n in range(self.num_partitions))

    def grad(self, node: Operation, *dys: Tensor | None) -> Grads:
        data, partitions = node.inputs
        numbers = reshape_like(range_(size(partitions)), partitions)
        places = data.graph.add(self, (numbers, partitions)).outputs
        slopes = [
            zeros_like(y) if dy is None else dy for y, dy in zip(node.outputs, dys, strict=True)
        ]
        return [reshape_like(emit(DynamicStitch(), *places, *slopes), data), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(2), (wave(5), np.array([0, 1, 1, 0, 1], np.int32)), exact=True)
        yield Sample(cls(4), (CUBE, np.array([[0, 2, 2], [1, 0, 2]], np.int32)), exact=True)
        yield Sample(cls(3), (TABLE, np.int32(1)), exact=True)
        names = np.array([b"a", b"b", b"c"], object)
        yield Sample(cls(2), (names, np.array([1, 0, 1], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        which = np.array([0, 1, 0], np.int32)
        yield Sample(cls(2), (TABLE, which), "data is [2, 3], which does not begin as partitions")
        yield Sample(cls(2), (wave(3), np.int64(which)), "partitions must be int32, not int64")


class DynamicStitch(Op):
    """Slices of several tensors, put to the places that indices say.

    The indices come first, then as many tensors. Where several slices have one place, the last one
    takes it; a place that no slice has is 0.
    """

    type: ClassVar[str] = "DynamicStitch"
    effects: ClassVar[Effects] = ON_HOST
    takes_strings: ClassVar[bool] = True

    def infer(self, *inputs: Spec) -> Spec:
        indices, data = _halves(inputs)
        kinds = {spec.dtype for spec in data}
        if len(kinds) > 1:
            raise DTypeError(f"data are {', '.join(str(spec.dtype) for spec in data)}")
        rest: Shape = None
        for n, (places, spec) in enumerate(zip(indices, data, strict=True)):
            _check_int32(f"indices[{n}]", places)
            own = _slices(f"data[{n}]", spec.shape, f"indices[{n}]", places.shape)
            rest = shapes.merge(rest, own)
        return Spec(None if rest is None else (None, *rest), data[0].dtype)

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        indices, data = _halves(inputs)
        flat = [xp.reshape(places, (-1,)) for places in indices]
        if min(places.min(initial=0) for places in flat) < 0:
            raise ValueError("an index is negative")
        rows = max(places.max(initial=-1) for places in flat) + 1
        rest, kind = data[0].shape[indices[0].ndim :], data[0].dtype
        found = xp.full((rows, *rest), b"" if kind.hasobject else 0, kind)
        for places, values in zip(flat, data, strict=True):
            found[places] = xp.reshape(values, (places.size, *rest))
        return found

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        """That of a slice goes to it if it has its place to the end."""
        indices, data = _halves(node.inputs)
        flat, numbers = [reshape(places, [-1]) for places in indices], _numbers(indices)
        last = emit(DynamicStitch(), *flat, *numbers)
        slopes = []
        for places, own, values in zip(flat, numbers, data, strict=True):
            rows = gather(dy, places)
            kept = where(equal(gather(last, places), own), rows, zeros_like(rows))
            slopes.append(reshape_like(kept, values))
        return [*([None] * len(indices)), *slopes]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        first, second = np.array([4, 0], np.int32), np.array([[1, 3], [0, 2]], np.int32)
        yield Sample(cls(), (first, second, wave(2, 3), CUBE[:, :2, :3]), exact=True)
        yield Sample(cls(), (np.int32(2), second, wave(4), wave(2, 2, 4)), exact=True)
        yield Sample(cls(), (first[:0], wave(0, 2)), exact=True)
        yield Sample(cls(), (first, np.array([b"a", b"b"], object)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        places = np.array([1, 0], np.int32)
        yield Sample(cls(), (places, TABLE.T.copy()), "data[0] is [3, 2], which does not begin as")
        yield Sample(cls(), (places, places, TABLE, TABLE[:, :1]), "shapes [3] and [1] are not")
        yield Sample(cls(), (np.int64(places), TABLE), "indices[0] must be int32, not int64")
        yield Sample(cls(), (places, places, TABLE, np.int32(TABLE)), "data are float32, int32")


class InvertPermutation(Op):
    """`y[x[i]] = i` for a vector x with each of the numbers from 0 on."""

    type: ClassVar[str] = "InvertPermutation"
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, x: Spec) -> Spec:
        if x.dtype not in (dtypes.int32, dtypes.int64):
            raise DTypeError(f"x must be int32 or int64, not {x.dtype}")
        if x.shape is not None and len(x.shape) != 1:
            raise ShapeError(f"x must be a vector, but it is {show(x.shape)}")
        return Spec(shapes.merge(x.shape, (None,)), x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        order = xp.argsort(x)
        if not xp.array_equal(x[order], xp.arange(x.size)):
            raise ValueError(f"x is not a permutation of the numbers from 0 to {x.size - 1}")
        return xp.asarray(order, x.dtype)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([3, 4, 0, 2, 1], np.int32),), exact=True)
        yield Sample(cls(), (np.array([0], np.int64),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.int32(TABLE),), "x must be a vector, but it is [2, 3]")
        yield Sample(cls(), (TABLE[0],), "x must be int32 or int64, not float32")


def _check_int32(name: str, spec: Spec) -> None:
    if spec.dtype != dtypes.int32:
        raise DTypeError(f"{name} must be int32, not {spec.dtype}")


def _slices(name: str, data: Shape, numbers_name: str, numbers: Shape) -> Shape:
    """The shape of what has one number each."""
    if data is None or numbers is None:
        return None
    if len(data) < len(numbers) or not shapes.compatible(data[: len(numbers)], numbers):
        begin = f"does not begin as {numbers_name}, {show(numbers)}"
        raise ShapeError(f"{name} is {show(data)}, which {begin}")
    return data[len(numbers) :]


def _halves(inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return inputs[: len(inputs) // 2], inputs[len(inputs) // 2 :]


def _numbers(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The numbers of the elements of the tensors, which go on from one to the next."""
    found, start = [], convert(0)
    for tensor in tensors:
        count = size(tensor)
        found.append(range_(count) + start)
        start = start + count
    return found


# -- the public functions


def dynamic_partition(
    data: Any, partitions: Any, num_partitions: Any, name: str | None = None
) -> list[Tensor]:
    """The slices of a tensor, dealt out to several by number.

    `dynamic_partition([10, 20, 30], [0, 1, 0], 2)` is `[10, 30]` and `[20]`.

    Args:
        data: a tensor whose shape begins with that of `partitions`.
        partitions: int32: for each slice of data the number of the tensor that it goes to.
        num_partitions: how many tensors there are.
        name: of the operation.

    Returns:
        `num_partitions` tensors `[?, ...]`, each with its slices in their order.

    Raises:
        ShapeError: if the shapes do not fit together.
        InvalidArgumentError: in a run, if a number is not in `range(num_partitions)`.
    """
    count = static_ints("dynamic_partition", num_partitions)[0]
    if count < 1:
        raise ShapeError(f"there must be 1 partition or more, not {count}")
    inputs = convert(data), convert(partitions, hint=dtypes.int32)
    return list(inputs[0].graph.add(DynamicPartition(count), inputs, name).outputs)


def dynamic_stitch(indices: Sequence[Any], data: Sequence[Any], name: str | None = None) -> Tensor:
    """One tensor of the slices of several: `y[indices[m][i, ...]] = data[m][i, ...]`.

    Where several slices have one place, the last one takes it; a place that none has is 0.

    Args:
        indices: int32 tensors.
        data: as many tensors; the shape of each begins with that of its indices.
        name: of the operation.

    Returns:
        `[?, ...]`: one slice more than the largest index.

    Raises:
        ShapeError: if the shapes do not fit together.
        InvalidArgumentError: in a run, if an index is negative.
    """
    if not indices or len(indices) != len(data):
        raise ShapeError(f"there are {len(indices)} indices for {len(data)} tensors")
    places = [convert(item, hint=dtypes.int32) for item in indices]
    hint = first_dtype(list(data))
    values = [convert(item, hint=hint) for item in data]
    return graph_of(places).add(DynamicStitch(), (*places, *values), name).outputs[0]


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The inverse of a permutation: `y[x[i]] = i`.

    Args:
        x: int32 or int64, a vector with each of the numbers from 0 on.
        name: of the operation.

    Raises:
        ShapeError: if x is no vector.
        InvalidArgumentError: in a run, if x is no permutation.
    """
    return emit(InvertPermutation(), convert(x), name=name)
