"""The arrays that a run is given for tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.base import shapes
from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.dtypes import NAMES
from thalweg.base.errors import DTypeError, FeedError, GraphError
from thalweg.base.shapes import show
from thalweg.base.text import text_array
from thalweg.graph import Graph, Origin, Tensor
from thalweg.graph.operators import Operators

Array = np.ndarray[Any, Any]


class Feeds:
    """What a session is fed.

    Args:
        graph: the session's.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensors: dict[Any, Tensor] = BoundedDict()  # by what users call them

    def arrays(self, feed_dict: Mapping[Any, Any]) -> dict[Tensor, Array]:
        """The arrays of a feed_dict. A key that is a tuple of tensors has a tuple of values.

        Raises:
            FeedError: as `feedable` and `feed_array` do, and for tuples of different sizes.
        """
        _check_mapping("feed_dict", feed_dict)
        feeds: dict[Tensor, Array] = {}
        for key, value in feed_dict.items():
            tensor = self._tensors.get(key)
            if tensor is None and isinstance(key, tuple):
                feeds.update(self.arrays(_pairs(key, value)))
                continue
            if tensor is None:
                tensor = self._feedable(key)
            feeds[tensor] = feed_array(tensor, value)
        return feeds

    def rows(
        self, batches: Mapping[Any, Any], feeds: Mapping[Tensor, Array]
    ) -> dict[Tensor, Array]:
        """The arrays of which each step of a loop is fed other rows.

        Args:
            batches: as users give them.
            feeds: what else is fed.

        Raises:
            FeedError: as `feedable` and `rows_array` do, and if something is fed twice.
        """
        _check_mapping("batches", batches)
        arrays = {}
        for key, value in batches.items():
            tensor = self._feedable(key)
            if tensor in feeds:
                raise FeedError(f"{describe(tensor)} is in both feed_dict and batches")
            arrays[tensor] = rows_array(tensor, value)
        return arrays

    def clear(self) -> None:
        """Forget what has been fed."""
        self._tensors.clear()

    def _feedable(self, key: Any) -> Tensor:
        tensor = self._tensors[key] = feedable(self._graph, key)
        return tensor


def _pairs(keys: tuple[Any, ...], values: Any) -> dict[Any, Any]:
    """What the parts of a structure of tensors, such as the state of a cell, are fed."""
    if not isinstance(values, tuple | list) or len(values) != len(keys):
        found = f"{len(values)}" if isinstance(values, tuple | list) else type(values).__name__
        raise FeedError(f"a key of feed_dict has {len(keys)} tensors, but its value has {found}")
    return dict(zip(keys, values, strict=True))


def feedable(graph: Graph, key: Any) -> Tensor:
    """The tensor that a key of a feed_dict stands for.

    Raises:
        FeedError: if it is no tensor of the graph, or a variable.
    """
    try:
        found = graph.as_graph_element(key, allow_operation=False)
    except TypeError:
        raise FeedError(
            f"{key!r} cannot be a key of feed_dict: a tensor is needed, or its name such as 'x:0'"
        ) from None
    except GraphError as error:
        raise FeedError(f"cannot feed {key!r}: {error}") from None
    if found.op.record.origin is Origin.RESOURCE:
        raise FeedError(
            f"{found.name!r} is a variable and cannot be fed; give it a value with "
            f"variable.load(value, session) or an assign\n  it was made at {found.op.source}"
        )
    tensor: Tensor = found
    return tensor


def feed_array(tensor: Tensor, value: Any) -> Array:
    """The value as a contiguous array of the tensor's dtype.

    Raises:
        FeedError: if it cannot be one, or would lose fractions.
    """
    dtype = tensor.dtype.numpy
    if dtype.hasobject:
        return _text(tensor, value)
    array = value if type(value) is np.ndarray else _array(tensor, value)
    if array.dtype is not dtype and array.dtype != dtype:
        array = _cast(tensor, array)
    return array if array.flags.c_contiguous else array.copy(order="C")


def rows_array(tensor: Tensor, value: Any) -> Array:
    """The value as a contiguous array whose rows can be fed to the tensor.

    An array of a type whose values the tensor's can all hold stays as it is, and is converted batch
    by batch: images in bytes take a quarter of the memory, and less time to fetch from it.

    Raises:
        FeedError: as `feed_array` does.
    """
    array = value if type(value) is np.ndarray else _array(tensor, value)
    if _widens(array.dtype, tensor.dtype.numpy):
        return array if array.flags.c_contiguous else array.copy(order="C")
    return feed_array(tensor, array)


def _widens(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    kinds = source.kind in "buif" and target.kind in "uif" and source.name in NAMES
    return kinds and source.isnative and np.can_cast(source, target, "safe")


def check_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Check that a feed has the shape that the tensor was made with.

    Raises:
        FeedError: if it has not.
    """
    if not _fits(shape, tensor.static_shape):
        raise FeedError(
            f"the feed for {describe(tensor)} has the shape {show(shape)}\n"
            f"  {tensor.name!r} was made at {tensor.op.source}"
        )


def describe(tensor: Tensor) -> str:
    """A tensor as messages about feeds call it."""
    kind = "the placeholder" if tensor.op.record.origin is Origin.FEED else "the tensor"
    return f"{kind} {tensor.op.name!r} ({tensor.dtype} {show(tensor.static_shape)})"


def missing(tensor: Tensor) -> FeedError:
    """The error for a placeholder that a run needs and was not given."""
    return FeedError(f"{describe(tensor)} was not fed\n  it was made at {tensor.op.source}")


def _check_mapping(what: str, given: Any) -> None:
    if type(given) is not dict and not isinstance(given, Mapping):
        raise FeedError(f"{what} must be a dict from tensors to values, not {given!r}")


def _fits(shape: tuple[int, ...], static: shapes.Shape) -> bool:
    if static is None:
        return True
    return len(shape) == len(static) and all(
        d is None or d == n for n, d in zip(shape, static, strict=True)
    )


def _array(tensor: Tensor, value: Any) -> Array:
    if isinstance(value, Operators):
        raise _unusable(tensor, f"{value!r}, which is part of a graph: feed its value, an array")
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _unusable(tensor, f"a {type(value).__name__} that is no array: {error}") from None


def _text(tensor: Tensor, value: Any) -> Array:
    """The value as an array of strings."""
    try:
        return text_array(value)
    except DTypeError as error:
        raise _unusable(tensor, f"not made of strings: {error}") from None


def _cast(tensor: Tensor, array: Array) -> Array:
    if array.dtype.kind == "c":
        raise _unusable(tensor, "complex numbers")
    if array.dtype.kind not in "buif" and array.dtype.name not in NAMES:
        raise _unusable(tensor, f"values of the type {array.dtype}, which are no numbers")
    with np.errstate(all="ignore"):
        cast = array.astype(tensor.dtype.numpy)
        if tensor.dtype.is_integer and not np.array_equal(cast, array):
            raise _unusable(tensor, f"{array.dtype} values that {tensor.dtype} cannot hold")
    return cast


def _unusable(tensor: Tensor, what: str) -> FeedError:
    return FeedError(
        f"the feed for {describe(tensor)} is {what}\n"
        f"  {tensor.name!r} was made at {tensor.op.source}"
    )
