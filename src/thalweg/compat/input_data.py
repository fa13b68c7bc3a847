"""The digits as `tensorflow.examples.tutorials.mnist.input_data` reads them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import UnimplementedError
from thalweg.datasets import mnist
from thalweg.datasets.mnist import DataSet, Datasets

__all__ = ["DataSet", "Datasets", "read_data_sets"]


def read_data_sets(
    train_dir: str | os.PathLike[str] | None,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = np.float32,
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = "",
) -> Datasets:
    """MNIST in three parts; see `thalweg.datasets.mnist.read_data_sets`.

    Args:
        train_dir: a folder that may hold the original files.
        fake_data: must be False.
        one_hot: whether labels are rows with a single 1.
        dtype: of the images.
        reshape: whether images are rows of 784.
        validation_size: how many examples are for validation.
        seed: of the order of the batches.
        source_url: of no effect: nothing is downloaded.

    Raises:
        UnimplementedError: for fake data.
        ValueError: as the function of `thalweg.datasets.mnist` does.
    """
    if fake_data:
        raise UnimplementedError("read_data_sets: fake data is not supported")
    kind = as_dtype(dtype).numpy
    return mnist.read_data_sets(train_dir, one_hot, kind, reshape, validation_size, seed)
