"""Examples with labels, handed out in shuffled batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DataSet"]

_Batch = tuple[npt.NDArray[Any], npt.NDArray[Any]]


class DataSet:
    """Examples with labels, handed out in shuffled batches, epoch after epoch.

    The arrays keep their order; an epoch is a permutation of the row numbers.

    Args:
        images: the examples, [n, ...]. They are not copied unless they have to be converted.
        labels: their labels, [n, ...].
        dtype: what the images become. With float32, uint8 images are scaled from [0, 255] to
            [0, 1] and other images are cast; with uint8, images must be uint8 already.
        reshape: whether each image is flattened to one axis.
        seed: of the order of the batches; None for another order each time.

    Raises:
        ValueError: if images and labels differ in number, or `dtype` is not one of the two.
    """

    def __init__(
        self,
        images: npt.NDArray[Any],
        labels: npt.NDArray[Any],
        *,
        dtype: Any = np.float32,
        reshape: bool = True,
        seed: int | None = None,
    ) -> None:
        if images.shape[:1] != labels.shape[:1] or not images.ndim:
            raise ValueError(
                f"images {list(images.shape)} and labels {list(labels.shape)} differ in number"
            )
        self._dtype = _image_dtype(dtype, images.dtype)
        if reshape:
            images = images.reshape(len(images), math.prod(images.shape[1:]))
        self._images = images
        self._labels = labels
        self._rng = np.random.default_rng(seed)
        self._order = np.arange(len(images))
        self._index_in_epoch = 0
        self._epochs_completed = 0

    @property
    def images(self) -> npt.NDArray[Any]:
        """All examples, in their first order: [n, features], or [n, ...] without `reshape`."""
        if self._images.dtype != self._dtype:  # at first use: float32 takes four times the memory
            self._images = _convert(self._images)
        return self._images

    @property
    def labels(self) -> npt.NDArray[Any]:
        """All labels, in the order of `images`: [n, ...]."""
        return self._labels

    @property
    def num_examples(self) -> int:
        """How many examples there are."""
        return len(self._labels)

    @property
    def epochs_completed(self) -> int:
        """How many epochs have ended; one ends when a batch needs an example of the next."""
        return self._epochs_completed

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> _Batch:
        """The next `batch_size` examples of the epoch, as new C-contiguous arrays.

        The first epoch and each one after it start with a new order, if `shuffle` is true at that
        batch. A batch across the boundary has the rest of the old epoch, then the start of the new.

        Args:
            batch_size: from 1 to `num_examples`.
            fake_data: whether to return images of ones with labels of class 0, and not to move on.
            shuffle: whether an epoch that starts in this batch gets a new order.

        Returns:
            Images [batch_size, ...] and labels [batch_size, ...].

        Raises:
            ValueError: if `batch_size` is out of range.
        """
        if not 1 <= batch_size <= self.num_examples:
            raise ValueError(f"batch_size must be from 1 to {self.num_examples}, not {batch_size}")
        if fake_data:
            return self._fake_batch(batch_size)
        rows = self._next_rows(batch_size, shuffle)
        return self.images.take(rows, axis=0), self.labels.take(rows, axis=0)

    def _next_rows(self, count: int, shuffle: bool) -> npt.NDArray[np.intp]:
        start = self._index_in_epoch
        if shuffle and start == 0 and self._epochs_completed == 0:
            self._shuffle()
        rows = self._order[start : start + count]
        missing = count - len(rows)
        if not missing:
            self._index_in_epoch = start + count
            return rows
        self._epochs_completed += 1
        if shuffle:
            self._shuffle()
        self._index_in_epoch = missing
        return np.concatenate([rows, self._order[:missing]])

    def _shuffle(self) -> None:
        self._order = self._rng.permutation(self.num_examples)

    def _fake_batch(self, count: int) -> _Batch:
        images = np.ones((count, *self._images.shape[1:]), self._dtype)
        labels = np.zeros((count, *self._labels.shape[1:]), self._labels.dtype)
        if labels.ndim > 1:
            labels[:, 0] = 1  # one-hot
        return images, labels


def _image_dtype(dtype: Any, given: np.dtype[Any]) -> np.dtype[Any]:
    """The NumPy dtype of `dtype`, which may also be an element type of a graph."""
    wanted: np.dtype[Any] | None
    try:
        wanted = np.dtype(getattr(dtype, "as_numpy_dtype", dtype))
    except TypeError:
        wanted = None
    if wanted is None or wanted not in (np.float32, np.uint8):
        raise ValueError(f"dtype of images must be float32 or uint8, not {dtype!r}")
    if wanted == np.uint8 and given != np.uint8:
        raise ValueError(f"dtype uint8 needs uint8 images, not {given}")
    return wanted


def _convert(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    converted = images.astype(np.float32)
    if images.dtype == np.uint8:
        converted *= np.float32(1 / 255)
    return converted
