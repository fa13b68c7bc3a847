"""The MNIST database of handwritten digits: 60,000 training and 10,000 test images.

An image is 28 x 28 grey levels, 0 (background) to 255 (ink); its label is the digit, 0 to 9.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits";
http://yann.lecun.com/exdb/mnist/, licence CC BY-SA 3.0. The README.md of this folder says more.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from thalweg.datasets.mnist.data_set import DataSet
from thalweg.datasets.mnist.files import read_embedded, read_folder

__all__ = ["DataSet", "Datasets", "load_data", "read_data_sets"]

_CLASSES = 10

_Examples = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


class Datasets(NamedTuple):
    """The three parts of a data set."""

    train: DataSet
    validation: DataSet
    test: DataSet


def load_data() -> tuple[_Examples, _Examples]:
    """The images and labels as they are, in the order of the original files.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 arrays of shapes [60000, 28, 28], [60000],
        [10000, 28, 28] and [10000], new at each call.

    Raises:
        ValueError: if the installed data file is damaged.
    """
    train_images, train_labels, test_images, test_labels = read_embedded()
    return (train_images, train_labels), (test_images, test_labels)


def read_data_sets(
    train_dir: str | os.PathLike[str] | None = None,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    *,
    fake_data: bool = False,
) -> Datasets:
    """MNIST in three parts that hand out batches, as TensorFlow 1's tutorials read it.

    Args:
        train_dir: a folder; if it holds the four original IDX files, plain or as `.gz`, they are
            read instead of the data in the package. Nothing is ever downloaded or written.
        one_hot: whether labels are float64 rows [n, 10], and not uint8 digits [n].
        dtype: float32 for images scaled to [0, 1], uint8 for the grey levels 0 to 255.
        reshape: whether images are [n, 784], and not [n, 28, 28, 1].
        validation_size: how many of the training file's examples, its first, are for validation.
        seed: of the order of the batches; None for another order each time.
        fake_data: accepted for TensorFlow 1: `next_batch(fake_data=True)` makes fake batches.

    Returns:
        `train` (55,000 examples unless told otherwise), `validation` (5,000) and `test` (10,000).

    Raises:
        ValueError: if `validation_size` or `dtype` is out of range, if the files of `train_dir` are
            malformed, or if the installed data file is damaged.
    """
    arrays = (None if train_dir is None else read_folder(train_dir)) or read_embedded()
    train_images, train_labels, test_images, test_labels = arrays
    if not 0 <= validation_size <= len(train_images):
        raise ValueError(
            f"validation_size must be from 0 to {len(train_images)}, not {validation_size}"
        )

    def data_set(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> DataSet:
        targets = _one_hot(labels) if one_hot else labels
        return DataSet(images[..., np.newaxis], targets, dtype=dtype, reshape=reshape, seed=seed)

    return Datasets(
        train=data_set(train_images[validation_size:], train_labels[validation_size:]),
        validation=data_set(train_images[:validation_size], train_labels[:validation_size]),
        test=data_set(test_images, test_labels),
    )


def _one_hot(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    if np.any(labels >= _CLASSES):
        raise ValueError(f"one_hot: label {labels.max()} is not one of {_CLASSES} classes")
    return np.eye(_CLASSES)[labels]
