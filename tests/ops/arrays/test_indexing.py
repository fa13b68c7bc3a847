"""Indices that are tensors, against NumPy's indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError

X = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
BACKENDS = ("llvm", "numpy")
T = object()  # where the tensor goes
KEYS: list[tuple[Any, ...]] = [
    (T,), (T, T), (slice(1, None), T), (..., T), (T, ..., T), (None, T), (..., T, None),
    (1, T), (T, 1), (..., T, 2), (T, slice(None, None, -1), None, 0), (-1, ..., T, slice(1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("value", [1, 0, -1, -2])
def test_a_tensor_is_an_index_as_a_number_is(backend: str, known: bool, value: int) -> None:
    x, i = (
        tf.placeholder(tf.float32, X.shape if known else [None] * 3),
        tf.placeholder(tf.int32, []),
    )
    made = [x[tuple([i if item is T else item for item in key])] for key in KEYS]
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for found, key in zip(session.run(made, {x: X, i: value}), KEYS, strict=True):
            expected = X[tuple([value if item is T else item for item in key])]
            np.testing.assert_array_equal(found, expected)


def test_indices_out_of_range_are_reported() -> None:
    x, i = tf.constant(X), tf.placeholder(tf.int64, [])
    with tf.Session() as session:
        for value in (3, -4):
            with pytest.raises(InvalidArgumentError, match="test_indexing"):
                session.run(x[i], {i: value})


def test_other_tensors_are_no_indices() -> None:
    x = tf.constant(X)
    with pytest.raises(ShapeError, match="must be a scalar"):
        x[tf.constant([1, 2])]
    with pytest.raises(DTypeError, match="must be an integer"):
        x[tf.constant(1.5)]
