"""The different elements of a vector, and those that another one does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.graph import ON_HOST, Effects, Op, Sample, Spec, Tensor
from thalweg.ops.build import convert, convert_pair
from thalweg.ops.samples import TABLE


class UniqueOutput(NamedTuple):
    """What `tf.unique` returns."""

    y: Tensor
    idx: Tensor


class UniqueWithCountsOutput(NamedTuple):
    """What `tf.unique_with_counts` returns."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]  # TensorFlow's name


class ListDiffOutput(NamedTuple):
    """What `tf.setdiff1d` returns."""

    out: Tensor
    idx: Tensor


class UniqueWithCounts(Op):
    """The different elements in the order in which they appear, where each is, and how often.

    Attributes:
        out_idx: the dtype of places and counts.
    """

    type: ClassVar[str] = "UniqueWithCounts"
    effects: ClassVar[Effects] = ON_HOST
    differentiable: ClassVar[bool] = False
    takes_strings: ClassVar[bool] = True
    out_idx: DType = dtypes.int32

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        places = Spec(_vector("x", x.shape), _index_dtype(self.out_idx))
        return Spec((None,), x.dtype), places, Spec((None,), self.out_idx)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return self._found(xp, x)

    def _found(self, xp: Any, x: Any) -> tuple[Any, ...]:
        ascending, first, place, count = xp.unique(
            x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
        )
        order = xp.argsort(first)
        position = xp.argsort(order)
        kind = self.out_idx.numpy
        counts = xp.asarray(count[order], kind)
        return ascending[order], xp.asarray(position[place], kind), counts

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([1, 1, 2, 4, 4, 4, 7, 8, 8], np.int32),), exact=True)
        yield Sample(cls(dtypes.int64), (np.array([3, -1, 3, 0.5], np.float32),), exact=True)
        yield Sample(cls(), (np.array([np.nan, 1, np.nan], np.float32),), exact=True)
        yield Sample(cls(), (np.array([b"b", b"a", b"b"], object),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), "x must be a vector, but it is [2, 3]")
        text = "indices must be int32 or int64, not float32"
        yield Sample(cls(dtypes.float32), (TABLE[0],), text)


class Unique(UniqueWithCounts):
    """The different elements in the order in which they appear, and where each is."""

    type: ClassVar[str] = "Unique"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        return super().infer(x)[:2]

    def evaluate(self, xp: Any, x: Any) -> Any:
        return self._found(xp, x)[:2]


class ListDiff(Op):
    """The elements of x that y does not have, in their order, and their places.

    Attributes:
        out_idx: the dtype of the places.
    """

    type: ClassVar[str] = "ListDiff"
    effects: ClassVar[Effects] = ON_HOST
    differentiable: ClassVar[bool] = False
    takes_strings: ClassVar[bool] = True
    out_idx: DType = dtypes.int32

    def infer(self, x: Spec, y: Spec) -> tuple[Spec, Spec]:
        _vector("x", x.shape)
        _vector("y", y.shape)
        if x.dtype != y.dtype:
            raise DTypeError(f"x is {x.dtype} and y is {y.dtype}")
        return Spec((None,), x.dtype), Spec((None,), _index_dtype(self.out_idx))

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        (places,) = xp.nonzero(~xp.isin(x, y))
        return x[places], xp.asarray(places, self.out_idx.numpy)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        few = np.array([1, 3, 5], np.int32)
        yield Sample(cls(), (np.arange(1, 7, dtype=np.int32), few), exact=True)
        yield Sample(cls(dtypes.int64), (TABLE[0], TABLE[0, 1:]), exact=True)
        yield Sample(cls(), (np.array([b"b", b"a"], object), np.array([b"b"], object)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE[0], TABLE), "y must be a vector, but it is [2, 3]")
        yield Sample(cls(), (TABLE[0], np.int32(TABLE[0])), "x is float32 and y is int32")


def _vector(name: str, shape: Shape) -> Shape:
    """The shape of a vector.

    Raises:
        ShapeError: if it is another one.
    """
    if shape is not None and len(shape) != 1:
        raise ShapeError(f"{name} must be a vector, but it is {show(shape)}")
    return shapes.merge(shape, (None,))


def _index_dtype(dtype: DType) -> DType:
    if dtype not in (dtypes.int32, dtypes.int64):
        raise DTypeError(f"indices must be int32 or int64, not {dtype}")
    return dtype


# -- the public functions


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> UniqueOutput:
    """The different elements of a vector, in the order in which they first appear.

    Args:
        x: a vector.
        out_idx: the dtype of `idx`: int32 or int64.
        name: of the operation.

    Returns:
        y: the different elements. idx: for each element of x its place in y.

    Raises:
        ShapeError: if x is no vector.
    """
    tensor = convert(x)
    made = tensor.graph.add(Unique(as_dtype(out_idx)), (tensor,), name)
    return UniqueOutput(*made.outputs)


def unique_with_counts(
    x: Any, out_idx: Any = dtypes.int32, name: str | None = None
) -> UniqueWithCountsOutput:
    """The different elements of a vector, and how often each appears.

    Args:
        x: a vector.
        out_idx: the dtype of `idx` and `count`: int32 or int64.
        name: of the operation.

    Returns:
        y and idx as `tf.unique` does; count: for each element of y how often it is in x.

    Raises:
        ShapeError: if x is no vector.
    """
    tensor = convert(x)
    made = tensor.graph.add(UniqueWithCounts(as_dtype(out_idx)), (tensor,), name)
    return UniqueWithCountsOutput(*made.outputs)


def setdiff1d(
    x: Any, y: Any, index_dtype: Any = dtypes.int32, name: str | None = None
) -> ListDiffOutput:
    """The elements of a vector that another one does not have.

    Args:
        x: a vector.
        y: a vector of the same dtype.
        index_dtype: the dtype of `idx`: int32 or int64.
        name: of the operation.

    Returns:
        out: the elements of x that y does not have, in their order. idx: their places in x.

    Raises:
        ShapeError: if x or y is no vector.
    """
    pair = convert_pair(x, y, "setdiff1d")
    made = pair[0].graph.add(ListDiff(as_dtype(index_dtype)), pair, name)
    return ListDiffOutput(*made.outputs)
