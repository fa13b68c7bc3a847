"""Static shapes: tuples with None for what is not known yet, and TensorFlow's public classes.

Inside Thalweg a shape is a `Shape`: `None` when even the rank is unknown, else a tuple of extents
in which `None` is an unknown one. `TensorShape` and `Dimension` are what users are handed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias, Union, cast

from thalweg.base.dims import Dim, plain
from thalweg.base.errors import ShapeError

Shape: TypeAlias = tuple[int | None, ...] | None


def show(shape: Shape) -> str:
    """A shape as error messages write it: `[100, ?]`, or `<unknown>`."""
    if shape is None:
        return "<unknown>"
    return "[" + ", ".join("?" if d is None else str(plain(d)) for d in shape) + "]"


def is_known(shape: Shape) -> bool:
    """Whether the rank and every extent are known."""
    return shape is not None and None not in shape


def known(shape: Shape) -> tuple[int, ...]:
    """The shape, which the caller knows to be fully known.

    Raises:
        ShapeError: if it is not.
    """
    if shape is None or None in shape:
        raise ShapeError(f"the shape must be known here; it is {show(shape)}")
    return cast("tuple[int, ...]", shape)


def size(shape: Sequence[int]) -> int:
    """How many elements a known shape has."""
    total = 1
    for extent in shape:
        total = total * extent  # not math.prod: a Dim must stay one
    return total


def same_shape(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether the extents are equal, and surely also in the next run.

    A batch of 64 images is not the same as 64 channels.
    """
    if len(a) != len(b):
        return False
    return all(x is y or (type(x) is type(y) and x == y) for x, y in zip(a, b, strict=True))


TYPICAL = 64


def typical_size(extents: Iterable[int]) -> int:
    """How many elements there are, taking every extent that varies from run to run for the same.

    Decisions of the compiler go by this, so that they do not change with the batch size.
    """
    return math.prod(TYPICAL if isinstance(d, Dim) else int(d) for d in extents)


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides of a known shape, in elements."""
    result: list[int] = []
    step = 1
    for extent in reversed(shape):
        result.append(step)
        step = step * extent
    return tuple(reversed(result))


def broadcast(*shapes: Shape) -> Shape:
    """The shape that NumPy's broadcasting gives these, as far as it is known.

    Raises:
        ShapeError: if two known extents differ and neither is 1.
    """
    if any(shape is None for shape in shapes):
        return None
    ranked = [shape for shape in shapes if shape is not None]
    rank = max((len(shape) for shape in ranked), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in ranked]
    return tuple(_broadcast_extent([shape[i] for shape in padded], shapes) for i in range(rank))


def _broadcast_extent(extents: list[int | None], shapes: Sequence[Shape]) -> int | None:
    large = [d for d in extents if d is not None and d != 1]
    if any(d != large[0] for d in large):
        raise ShapeError(f"shapes {' and '.join(map(show, shapes))} do not broadcast together")
    if large:
        return next((d for d in large if isinstance(d, Dim)), large[0])
    return None if None in extents else next((d for d in extents if isinstance(d, Dim)), 1)


def merge(a: Shape, b: Shape) -> Shape:
    """What both shapes together say.

    Raises:
        ShapeError: if they contradict each other.
    """
    if a is None or b is None:
        return b if a is None else a
    if a == b:
        return a
    pairs = list(zip(a, b, strict=False))
    if len(a) != len(b) or any(x != y for x, y in pairs if None not in (x, y)):
        raise ShapeError(f"shapes {show(a)} and {show(b)} are not compatible")
    return tuple(y if x is None else x for x, y in pairs)


def compatible(a: Shape, b: Shape) -> bool:
    """Whether both could describe the same array."""
    try:
        merge(a, b)
    except ShapeError:
        return False
    return True


def axis_index(axis: int, rank: int) -> int:
    """A possibly negative axis number as one in `[0, rank)`.

    Raises:
        ShapeError: if it is out of range.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is out of range for rank {rank}")
    return axis % rank


class Dimension(int):
    """A known extent. It is an `int` that also has TensorFlow 1's `.value`."""

    __slots__ = ()

    @property
    def value(self) -> int:
        """The extent as a plain int."""
        return int(self)

    def __repr__(self) -> str:
        return f"Dimension({int(self)})"

    def __str__(self) -> str:
        return str(int(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Dimension, (int(self),)


class UnknownDimension:
    """An extent that is not known; its `.value` is None."""

    __slots__ = ()
    value: None = None

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, UnknownDimension)

    def __hash__(self) -> int:
        return hash(None)

    def __repr__(self) -> str:
        return "Dimension(None)"

    def __str__(self) -> str:
        return "?"


ShapeLike: TypeAlias = Union["TensorShape", Iterable[Any], int, None]


class TensorShape:
    """A static shape as users see it, with TensorFlow 1's methods.

    Args:
        dims: an iterable of extents (ints, `Dimension`s or None), an int for a vector, another
            TensorShape, or None for an unknown rank.
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: ShapeLike) -> None:
        self._dims = as_shape(dims)

    @property
    def dims(self) -> list[Dimension | UnknownDimension] | None:
        """The extents as `Dimension`s, or None if the rank is unknown."""
        return None if self._dims is None else list(map(_dimension, self._dims))

    @property
    def ndims(self) -> int | None:
        """The rank, or None."""
        return None if self._dims is None else len(self._dims)

    rank = ndims

    def as_list(self) -> list[int | None]:
        """The extents as ints and None.

        Raises:
            ValueError: if the rank is unknown.
        """
        return [None if d is None else int(d) for d in self._ranked()]

    def num_elements(self) -> int | None:
        """How many elements, or None if that is not known."""
        return math.prod(known(self._dims)) if is_known(self._dims) else None

    def is_fully_defined(self) -> bool:
        """Whether the rank and every extent are known."""
        return is_known(self._dims)

    def is_compatible_with(self, other: ShapeLike) -> bool:
        """Whether both shapes could describe the same array."""
        return compatible(self._dims, as_shape(other))

    def merge_with(self, other: ShapeLike) -> TensorShape:
        """What both shapes together say."""
        return TensorShape(merge(self._dims, as_shape(other)))

    def concatenate(self, other: ShapeLike) -> TensorShape:
        """This shape followed by another one."""
        tail = as_shape(other)
        return TensorShape(None if self._dims is None or tail is None else self._dims + tail)

    def with_rank(self, rank: int) -> TensorShape:
        """The shape, known to have that rank."""
        return self.merge_with((None,) * rank)

    def assert_has_rank(self, rank: int) -> None:
        """Raise a ValueError unless the rank fits."""
        self.with_rank(rank)

    def assert_is_compatible_with(self, other: ShapeLike) -> None:
        """Raise a ValueError unless the shapes are compatible."""
        self.merge_with(other)

    def _ranked(self) -> tuple[int | None, ...]:
        if self._dims is None:
            raise ShapeError("the shape has an unknown rank")
        return self._dims

    def __len__(self) -> int:
        return len(self._ranked())

    def __iter__(self) -> Iterator[Dimension | UnknownDimension]:
        return map(_dimension, self._ranked())

    def __getitem__(self, key: int | slice) -> Any:
        part = self._ranked()[key]
        return TensorShape(part) if isinstance(part, tuple) else _dimension(part)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorShape | list | tuple | None):
            return NotImplemented
        return self._dims == as_shape(other)

    def __hash__(self) -> int:
        return hash(self._dims)

    def __repr__(self) -> str:
        inner = "None" if self._dims is None else ", ".join(map(repr, self))
        return f"TensorShape({inner if self._dims is None else '[' + inner + ']'})"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        comma = "," if len(self._dims) == 1 else ""
        return "(" + ", ".join("?" if d is None else str(int(d)) for d in self._dims) + comma + ")"


def _dimension(extent: int | None) -> Dimension | UnknownDimension:
    return UnknownDimension() if extent is None else Dimension(extent)


def as_shape(dims: ShapeLike) -> Shape:
    """Whatever a user may write for a shape, as a `Shape`; -1 is not taken for unknown.

    Raises:
        ShapeError: for extents that are not integers or are negative.
    """
    if dims is None:
        return None
    if isinstance(dims, TensorShape):
        return dims._dims
    if isinstance(dims, int) or not isinstance(dims, Iterable):
        dims = (dims,)
    return tuple(map(_extent, dims))


def _extent(value: Any) -> int | None:
    if value is None or isinstance(value, UnknownDimension):
        return None
    if isinstance(value, Dim):
        return value
    try:
        extent = value.__index__()
    except (AttributeError, TypeError):
        raise ShapeError(f"an extent must be an integer or None, not {value!r}") from None
    if extent < 0:
        raise ShapeError(f"an extent cannot be negative: {extent}")
    return int(extent)
