"""What the gradient of a branch computes again, and what it takes from the forward branch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf

X = np.array([0.1, 0.2, 0.3], np.float32)
Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("shape", [[3], [None]])
def test_python_runs_once(shape: list[int | None], capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[int] = []

    def double(a: Array) -> Array:
        calls.append(1)
        return np.asarray(2 * a, np.float32)

    x, test = tf.placeholder(tf.float32, shape), tf.placeholder(tf.bool, [])

    def then() -> Any:
        z = tf.py_func(double, [x], tf.float32)
        z.set_shape(shape)
        return tf.reduce_sum(tf.sin(tf.Print(z * x, ["seen"])) * x)

    y = tf.cond(test, then, lambda: tf.reduce_sum(x * x))
    (slope,) = tf.gradients(y, x)
    (second,) = tf.gradients(slope, x)
    with tf.Session() as session:
        z = 2 * X * X  # of which the factor 2 * X is a constant, as py_func has no gradient
        made = session.run([y, slope, second], {x: X, test: True})
        np.testing.assert_allclose(made[0], np.sum(np.sin(z) * X), rtol=1e-5)
        np.testing.assert_allclose(made[1], np.sin(z) + z * np.cos(z), rtol=1e-5)
        assert len(calls) == 1
        assert capfd.readouterr().err.count("seen") == 1
        made = session.run([slope, second], {x: X, test: False})
        np.testing.assert_allclose(made, np.stack([2 * X, np.full(3, 2)]), rtol=1e-6)
        assert len(calls) == 1


def test_random_numbers_are_those_of_the_forward_branch() -> None:
    x, test = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.bool, [])

    def then() -> Any:
        drawn = tf.random_uniform([3])
        return tf.reduce_sum(x * x * drawn), drawn

    y, drawn = tf.cond(test, then, lambda: (tf.reduce_sum(x), tf.zeros([3])))
    parts = tf.map_fn(
        lambda n: tf.cond(test, lambda: x * tf.random_uniform([3]), lambda: x),
        tf.range(4),
        tf.float32,
    )
    slopes = tf.gradients(y, x) + tf.gradients(parts, x)
    with tf.Session() as session:
        for _ in range(3):
            made = session.run([drawn, parts, *slopes], {x: X, test: True})
            np.testing.assert_allclose(made[2], 2 * X * made[0], rtol=1e-6)
            np.testing.assert_allclose(made[3], np.sum(made[1] / X, 0), rtol=1e-6)


def test_a_loop_in_a_branch_has_one_tape() -> None:
    x, test = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.bool, [])

    def then() -> Any:
        y = tf.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, tf.sin(y) * x), [0, x])[1]
        return y * y

    def plain() -> Any:
        y = x
        for _ in range(3):
            y = tf.sin(y) * x
        return y * y

    slopes = [tf.gradients(y, x)[0] for y in (tf.cond(test, then, lambda: x), plain())]
    with tf.Session() as session:
        found, wanted = session.run(slopes, {x: X, test: True})
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        assert np.all(session.run(slopes[0], {x: X, test: False}) == 1)
