"""Mini-batches of arrays in memory: which rows each step of a loop takes."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.protocol import MiniBatches
from thalweg.base.errors import FeedError
from thalweg.base.shapes import show
from thalweg.graph import Graph, Tensor
from thalweg.ops.random.seeds import seed_key
from thalweg.session.feeds import check_shape, describe

Array = np.ndarray[Any, Any]


MOST_SIZE = 1 << 31  # of a batch
MOST_ROWS = 1 << 20  # whose order is made at a time


def batch_random(graph: Graph, seed: int | None, run: int) -> np.random.Generator:
    """What shuffles a loop that begins with the run of this number."""
    if seed is not None and not is_whole(seed):
        raise FeedError(f"batches: the seed must be an integer, not {seed!r}")
    key = seed_key(graph, seed, place=0)
    return np.random.default_rng([word % 2**32 for word in key] + [run])


class RowOrder:
    """An endless stream of row numbers, epoch after epoch: each has every row once.

    Args:
        rows: how many there are.
        random: shuffles each epoch; None for the rows in order.
    """

    def __init__(self, rows: int, random: np.random.Generator | None) -> None:
        self._rows = rows
        self._random = random
        self._left = np.empty(0, np.int64)

    def take(self, count: int) -> Array:
        """The next `count` row numbers, int64."""
        parts = [self._left]
        missing = count - len(self._left)
        while missing > 0:
            parts.append(self._epoch())
            missing -= self._rows
        stream = np.concatenate(parts) if len(parts) > 1 else self._left
        self._left = stream[count:]
        return stream[:count]

    def skip(self, count: int) -> None:
        """Go on behind the next `count` row numbers."""
        while count > len(self._left):
            count -= len(self._left)
            self._left = self._epoch()
        self._left = self._left[count:]

    def _epoch(self) -> Array:
        if self._random is None:
            return np.arange(self._rows, dtype=np.int64)
        return self._random.permutation(self._rows)


class Batches:
    """What tensors are fed in a loop: in each step other rows of their arrays, the same for all.

    Args:
        arrays: by tensor, as `rows_array` makes them; their first axis is the rows.
        size: how many rows a step takes, which may be more than there are.
        random: shuffles the rows anew for each epoch; None for the rows in order.

    Attributes:
        taken: how many mini-batches have been taken.

    Raises:
        FeedError: if the arrays do not have the same number of rows, or none; if a batch does not
            have the shape of its tensor; if `size` is missing or less than 1.
    """

    def __init__(
        self, arrays: Mapping[Tensor, Array], size: int | None, random: np.random.Generator | None
    ) -> None:
        self._arrays = arrays
        self._kept: dict[Tensor, dict[Any, Any]] = {tensor: {} for tensor in arrays}
        self._size = _checked_size(arrays, size)
        self.taken = 0
        self._order = RowOrder(common_rows(arrays), random)
        for tensor, batch in self.take(0).items():
            check_shape(tensor, batch.shape)

    @property
    def most(self) -> int:
        """How many steps it is reasonable to take at a time."""
        return max(1, MOST_ROWS // max(1, self._size))

    def skip(self, steps: int) -> None:
        """Leave out the rows of the next `steps` steps."""
        self._order.skip(steps * self._size)

    def take(self, steps: int) -> dict[Tensor, MiniBatches]:
        """What the next `steps` steps are fed."""
        if not self._arrays:
            return {}
        self.taken += steps
        numbers = memory.zeros((steps + 1, self._size), np.int64)  # one more: see MiniBatches
        numbers[:steps] = self._order.take(steps * self._size).reshape(steps, self._size)
        return {
            t: MiniBatches(array, numbers[:steps], t.dtype.numpy, self._kept[t])
            for t, array in self._arrays.items()
        }


def _checked_size(arrays: Mapping[Tensor, Array], size: int | None) -> int:
    if not arrays:
        return 0
    if size is None:
        raise FeedError("batches: batch_size is missing: how many rows a step takes")
    if not is_whole(size):
        raise FeedError(f"batches: batch_size must be an integer, not {size!r}")
    if size < 1:
        raise FeedError(f"batches: batch_size must be at least 1, not {size}")
    if size >= MOST_SIZE:
        raise FeedError(f"batches: batch_size must be below 2^31, not {size}")
    return size


def is_whole(number: object) -> bool:
    """Whether something is an integer, and not just True or False."""
    try:
        operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return False
    return not isinstance(number, bool)


def common_rows(arrays: Mapping[Tensor, Array]) -> int:
    """How many rows all arrays have.

    Raises:
        FeedError: if they do not have as many, or none.
    """
    for tensor, array in arrays.items():
        if not array.ndim:
            raise FeedError(
                f"batches: the array for {describe(tensor)} has no rows: it is a scalar"
            )
        if not len(array):
            raise FeedError(
                f"batches: the array for {describe(tensor)} is empty: its shape is "
                f"{show(array.shape)}"
            )
    rows = {tensor: len(array) for tensor, array in arrays.items()}
    if len(set(rows.values())) > 1:
        listed = ", ".join(f"{tensor.op.name!r} has {count:,}" for tensor, count in rows.items())
        raise FeedError(f"batches: the arrays must have the same number of rows: {listed}")
    return next(iter(rows.values()), 0)
