"""Arrays belong to whoever made them: a caller's later changes reach no graph and no result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf

BACKENDS = ("llvm", "numpy")
Array = np.ndarray[Any, Any]


def session(backend: str) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend))


TAKES: dict[str, Callable[[Any], Any]] = {
    "constant": tf.constant,
    "constant of a shape": lambda a: tf.constant(a, shape=[3]),
    "constant of a dtype": lambda a: tf.constant(a, dtype=tf.float32),
    "convert_to_tensor": tf.convert_to_tensor,
    "variable": tf.Variable,
    "variable from a function": lambda a: tf.Variable(lambda: a),
    "operand": lambda a: tf.zeros([3]) + a,
    "list": lambda a: tf.stack([a])[0],
    "grad_ys": lambda a: tf.gradients(y := tf.ones([3]), y, grad_ys=a)[0],
    "default": lambda a: tf.placeholder_with_default(a, [3]),
    "assigned": lambda a: tf.Variable(np.zeros(3, np.float32)).assign(a),
    "view": lambda a: tf.constant(a[::-1]),
    "buffer": lambda a: tf.constant(memoryview(a)),
}


@pytest.mark.parametrize("take", TAKES)
def test_what_is_given_to_a_graph_is_copied(take: str) -> None:
    array = np.array([1, 2, 1], np.float32)
    made = TAKES[take](array)
    array[:] = 7
    assert session("numpy").run(made).tolist() == [1, 2, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loaded_value_is_copied(backend: str) -> None:
    v, array = tf.Variable(np.zeros(3, np.float32)), np.ones(3, np.float32)
    s = session(backend)
    v.load(array, s)
    array[:] = 7
    assert s.run(v).tolist() == [1, 1, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_are_the_callers_own(backend: str) -> None:
    x, v, c = tf.placeholder(tf.float32, [3]), tf.Variable([1.0, 2, 3]), tf.constant([4.0, 5, 6])
    fetches = [x, tf.identity(x), v, v.value(), c, tf.reshape(c, [3]), tf.stop_gradient(v)]
    fed = np.array([7, 8, 9], np.float32)
    s = session(backend)
    before = s.run(fetches, {x: fed})
    kept = [a.copy() for a in before]
    for array in before:
        array[:] = 0
    assert fed.tolist() == [7, 8, 9]
    for array, want in zip(s.run(fetches, {x: fed}), kept, strict=True):
        assert array.tolist() == want.tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_feed_that_decides_about_a_shape_may_be_changed_in_place(backend: str) -> None:
    x, shape = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [2])
    y = tf.reshape(x, shape) + 1
    s, target = session(backend), np.array([2, 3], np.int32)
    for rows, columns in ((2, 3), (3, 2), (2, 3), (1, 4), (2, 2)):
        target[:] = rows, columns
        made = s.run(y, {x: np.zeros(rows * columns), shape: target})
        assert made.shape == (rows, columns)
