"""Axes that are given as tensors: known where they follow from constants, refused elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import ShapeError

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
CALLS: list[Any] = [
    lambda x, axis: tf.reduce_sum(x, axis),
    lambda x, axis: tf.reduce_logsumexp(x, axis=axis),
    lambda x, axis: tf.argmax(x, axis),
    lambda x, axis: tf.concat([x, x], axis),
    lambda x, axis: tf.expand_dims(x, axis),
    lambda x, axis: tf.squeeze(x[:1, :1, :1], [axis]),
    lambda x, axis: tf.split(x, 1, axis)[0],
    lambda x, axis: tf.cumsum(x, axis),
    lambda x, axis: tf.gather(x, [0], axis=axis),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_what_follows_from_constants_is_a_number(number: int) -> None:
    x, call = tf.placeholder(tf.float32, [None, 3, 4]), CALLS[number]
    axes = [tf.constant(1), tf.rank(x) - 2, tf.minimum(tf.constant(5), 1), np.int64(1)]
    made = [call(x, axis) for axis in axes]
    plain = call(x, 1)
    assert all(tensor.shape.as_list() == plain.shape.as_list() for tensor in made)
    with tf.Session(config=tf.ConfigProto(backend="numpy")) as session:
        *found, expected = session.run([*made, plain], {x: X})
    for value in found:
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_what_a_run_computes_is_refused(number: int) -> None:
    x, axis = tf.placeholder(tf.float32, [None, 3, 4]), tf.placeholder(tf.int32, [], "axis")
    with pytest.raises(ShapeError, match=r"constants"):
        CALLS[number](x, axis)


def test_ranges_of_known_axes() -> None:
    x = tf.placeholder(tf.float32, [None, 3, 4])
    made = tf.reduce_max(x, tf.range(1, tf.rank(x)))
    assert made.shape.as_list() == [None]
