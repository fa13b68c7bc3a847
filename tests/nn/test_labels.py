"""Labels at the edges: no class, ties, predictions that are not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError

BACKENDS = ("numpy", "llvm")
LOGITS = np.array([[1, 2, 3], [0.5, -1, 0], [200, 0, -200]], np.float32)


def run(fetches: Any, feeds: Any, backend: str) -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("bad", [-1, 3, 2**31 - 1, -(2**31)])
def test_loss_and_gradient_refuse_a_label_that_is_no_class(
    bad: int, dtype: str, backend: str
) -> None:
    with tf.Graph().as_default():
        x, labels = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(dtype, [None])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
        (by_x,) = tf.gradients(loss, x)
        for fetch in (loss, by_x, [loss, by_x]):
            with pytest.raises(
                InvalidArgumentError, match=rf"labels\[1\] = {bad} is not in \[0, 3\)"
            ):
                run(fetch, {x: LOGITS, labels: np.array([0, bad, 1], dtype)}, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_label_is_read_of_an_empty_batch(backend: str) -> None:
    with tf.Graph().as_default():
        x, labels = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.int32, [None])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
        fetches = [loss, tf.gradients(loss, x)[0]]
        value, by_x = run(fetches, {x: LOGITS[:0], labels: np.zeros(0, np.int32)}, backend)
    assert value.shape == (0,)
    assert by_x.shape == (0, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_loss_of_a_class_is_not_that_of_impossible_others(backend: str) -> None:
    """A logit of minus infinity is a probability of 0, which the other classes do not see."""
    logits = np.array([[0, -math.inf, 0], [-math.inf, 5, -math.inf]], np.float32)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 1], logits=x)
        value, by_x = run([loss, tf.gradients(loss, x)[0]], {x: logits}, backend)
    np.testing.assert_allclose(value, [math.log(2), 0.0], rtol=1e-6)
    np.testing.assert_allclose(by_x, [[-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_in_top_k(backend: str) -> None:
    nan, inf = math.nan, math.inf
    rows: list[tuple[list[float], int, int, bool]] = [
        ([1, 2, 3, 4], 2, 2, True),
        ([1, 2, 3, 4], 1, 2, False),
        ([-1, -2, -3, -4], -1, 4, False),  # no class
        ([-1, -2, -3, -4], 4, 4, False),
        ([5, 5, 5, 5], 3, 1, True),  # a tie counts
        ([nan, 0.2, 0.3, 0.4], 3, 2, False),
        ([nan, 0.2, 0.3, 0.4], 0, 2, False),
        ([0.1, inf, 0.3, 0.4], 1, 2, False),
        ([0.1, -inf, 0.3, 0.4], 3, 2, False),
        ([1, 2, 3, 4], 3, 0, False),
    ]
    with tf.Graph().as_default():
        x, t = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int64, [None])
        answers = [tf.nn.in_top_k(x, t, k)[n] for n, (_, _, k, _) in enumerate(rows)]
        feeds = {x: [row[0] for row in rows], t: [row[1] for row in rows]}
        assert [bool(a) for a in run(answers, feeds, backend)] == [row[3] for row in rows]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_one_hot_of_no_class_is_off(dtype: str, backend: str) -> None:
    info = np.iinfo(dtype)
    indices = np.array([info.min, 0, 2, 3, info.max], dtype)
    hot = indices[:, None] == np.arange(3)
    with tf.Graph().as_default():
        i = tf.placeholder(dtype, [None])
        y = run(
            tf.one_hot(i, 3, on_value=0.1, off_value=-0.1, dtype=tf.float16), {i: indices}, backend
        )
    np.testing.assert_array_equal(y, np.where(hot, 0.1, -0.1).astype(np.float16))
