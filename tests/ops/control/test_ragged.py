"""Loops whose iterations make values of different shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError

X = np.linspace(0.3, 1.2, 5).astype(np.float32)


def doubling(x: Any) -> Any:
    """Only a run finds out that the shape changes: it does not if x is empty."""
    return tf.while_loop(
        lambda y: tf.shape(y)[0] < 20,
        lambda y: tf.concat([y, y * x[0]], 0),
        [x],
        shape_invariants=[tf.TensorShape([None])],
    )


def prefixes(x: Any) -> Any:
    parts = tf.constant([0, 3, 1, 5])
    return tf.foldl(lambda a, n: a + tf.reduce_sum(x[:n] ** 3) * a, parts, tf.constant(1.0))


def three_deep(x: Any) -> Any:
    """The innermost loop runs more often in each iteration of both others."""

    def inner(m: Any, y: Any) -> Any:
        _, z = tf.while_loop(
            lambda k, z: k < m, lambda k, z: (k + 1, tf.sin(z) * x[:2] + x[:2]), [0, y]
        )
        return m + 1, z

    def outer(n: Any, y: Any) -> Any:
        return n + 1, tf.while_loop(lambda m, y: m < n, inner, [0, y])[1]

    return tf.while_loop(lambda n, y: n < 4, outer, [1, tf.ones([2])])[1]


@pytest.mark.parametrize(
    ("function", "backend"), [(doubling, "numpy"), (prefixes, "numpy"), (three_deep, "llvm")]
)
def test_gradients_are_central_differences(function: Any, backend: str) -> None:
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(function(x))
    (slope,) = tf.gradients(total, x)
    (second,) = tf.gradients(tf.reduce_sum(slope), x)
    step = np.float32(1e-2) * np.eye(len(X), dtype=np.float32)[:2]
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for tensor, derivative in ((total, slope), (slope, second)):
            pairs = [[session.run(tensor, {x: X + d}) for d in (e, -e)] for e in step]
            wanted = [(np.sum(a) - np.sum(b)) / 2e-2 for a, b in pairs]
            found = session.run(derivative, {x: X})[:2]
            # The differences are those of float32 values over 0.02, and of a cubic: some 1e-3.
            np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-2 * np.abs(wanted).max())


def test_steps_with_other_lengths_share_a_session() -> None:
    x = tf.placeholder(tf.float32, [None])
    (slope,) = tf.gradients(tf.reduce_sum(doubling(x)), x)
    with tf.Session() as session:
        for length in (5, 25, 7, 20):  # of which those of 20 or more run no iteration
            found = session.run(slope, {x: np.ones(length, np.float32)})
            count = length
            while count < 20:
                count *= 2
            assert found.shape == (length,)
            assert found[1] == count // length


def test_values_of_different_shapes_are_no_tensor() -> None:
    x = tf.placeholder(tf.float32, [None])
    parts = tf.map_fn(lambda n: x[:n], tf.range(1, 4), dtype=tf.float32)
    sums = tf.map_fn(tf.reduce_sum, parts)  # which takes them one by one
    text = r"'map' \(Loop\) failed: its iterations make values of different shapes, \[1\] and \[2\]"
    with tf.Session() as session:
        for tensor in (parts, tf.reduce_sum(parts)):
            with pytest.raises(InvalidArgumentError, match=rf"{text}[^$]*test_ragged\.py"):
                session.run(tensor, {x: X})
        with pytest.raises(InvalidArgumentError, match=text):
            session.run_steps(parts, 2, {x: X})
        np.testing.assert_allclose(session.run(sums, {x: X}), np.cumsum(X)[:3], rtol=1e-6)
