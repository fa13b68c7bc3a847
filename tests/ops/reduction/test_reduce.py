"""Reductions where they are not smooth, of nothing, and of what is not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
INF, NAN = math.inf, math.nan


def run(fetches: Any, feeds: Any, backend: str) -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session, np.errstate(all="ignore"):
        return session.run(fetches, feeds)


def _others(row: Array, *left_out: int) -> float:
    return float(np.prod(np.delete(row, left_out)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_have_two_derivatives_at_zeros(dtype: str, backend: str) -> None:
    rows = [
        [2, 3, -4, 0.5],
        [0, 3, -4, 2],
        [0, 3, 0, 2],
        [0, 0, 0, 2],
        [0, 0, 0, 0],
        [-0.0, 1, 2, 3],
    ]
    x = np.array(rows, dtype)
    count = x.shape[1]
    first = [[_others(row, i) for i in range(count)] for row in x]
    second = [
        [[0.0 if i == j else _others(row, i, j) for j in range(count)] for i in range(count)]
        for row in x
    ]
    with tf.Graph().as_default():
        fed = tf.placeholder(dtype, [None, count])
        (by_x,) = tf.gradients(tf.reduce_prod(fed, 1), fed)
        assert by_x is not None
        hessian = [tf.gradients(by_x[:, i], fed)[0] for i in range(count)]
        value, rows_of_it = run([by_x, hessian], {fed: x}, backend)
    np.testing.assert_allclose(value, first, rtol=1e-6)
    np.testing.assert_allclose(np.stack(rows_of_it, 1), second, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_extremes_share_the_gradient(backend: str) -> None:
    x = np.array([[1, 3, 3, 2], [5, 5, 5, 5], [-1, -2, -1, -1]], np.float32)
    with tf.Graph().as_default():
        fed = tf.placeholder(tf.float32, [None, 4])
        made = [tf.gradients(f(fed, 1), fed)[0] for f in (tf.reduce_max, tf.reduce_min)]
        by_max, by_min = run(made, {fed: x}, backend)
    third = np.float32(1) / 3
    np.testing.assert_array_equal(
        by_max, np.array([[0, 0.5, 0.5, 0], [0.25] * 4, [third, 0, third, third]], np.float32)
    )
    np.testing.assert_array_equal(
        by_min, np.array([[1, 0, 0, 0], [0.25] * 4, [0, 1, 0, 0]], np.float32)
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_of_two_equal_numbers_gets_the_gradient(backend: str) -> None:
    with tf.Graph().as_default():
        x, y = (tf.placeholder(tf.float32, [None]) for _ in range(2))
        made = [tf.gradients(f(x, y), [x, y]) for f in (tf.maximum, tf.minimum)]
        for by_x, by_y in run(made, {x: [0.0, -0.0, INF], y: [0.0, 0.0, INF]}, backend):
            assert by_x.tolist() == [1, 1, 1]
            assert by_y.tolist() == [0, 0, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reductions_of_nothing(dtype: str, backend: str) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(dtype, [None, None])
        functions = [tf.reduce_sum, tf.reduce_prod, tf.reduce_max, tf.reduce_min, tf.reduce_mean]
        functions.append(tf.reduce_logsumexp)
        values = run([f(x, 1) for f in functions], {x: np.zeros((2, 0))}, backend)
    for value, expected in zip(values, [0, 1, -INF, INF, NAN, -INF], strict=True):
        np.testing.assert_array_equal(value, np.full(2, expected, dtype))


@pytest.mark.parametrize("backend", BACKENDS)
def test_logsumexp_and_softmax_of_what_is_not_finite_or_large(backend: str) -> None:
    x = np.array(
        [[1e30, 1e30], [-1e30, 0], [-INF, 0], [-INF, -INF], [INF, 0], [NAN, 0]], np.float32
    )
    with tf.Graph().as_default():
        fed = tf.placeholder(tf.float32, [None, 2])
        total = tf.reduce_logsumexp(fed, 1)
        fetches = [total, tf.gradients(total, fed)[0], tf.nn.softmax(fed), tf.nn.log_softmax(fed)]
        value, slope, shares, logs = run(fetches, {fed: x}, backend)
    half, nan = [0.5, 0.5], [NAN, NAN]
    np.testing.assert_array_equal(value, np.array([1e30, 0, 0, -INF, INF, NAN], np.float32))
    np.testing.assert_array_equal(slope[:3], [half, [0, 1], [0, 1]])
    np.testing.assert_array_equal(shares[:4], [half, [0, 1], [0, 1], nan])
    np.testing.assert_allclose(
        logs[:4], np.array([[-math.log(2)] * 2, [-1e30, 0], [-INF, 0], nan], np.float32), rtol=1e-6
    )
    assert np.isnan(slope[5]).any()
    assert np.isnan(shares[5]).all()
