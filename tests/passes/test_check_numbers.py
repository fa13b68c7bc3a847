"""Sessions that find out which operation makes the first NaN or infinity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Tensor

BACKENDS = ("native", "reference")


def session(backend: str) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend, check_numerics=True))


def straight(x: Tensor) -> Tensor:
    return tf.reduce_sum(tf.log(x, name="suspect") * 0.0 + 1.0)


def in_a_loop(x: Tensor) -> Tensor:
    sums: Tensor = tf.scan(lambda total, part: total + tf.log(part, name="suspect"), x, 0.0)
    return sums[-1]


def in_a_branch(x: Tensor) -> Tensor:
    y: Tensor = tf.cond(x[0] > -5.0, lambda: tf.log(x, name="suspect")[1], lambda: x[0])
    return y


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", [straight, in_a_loop, in_a_branch])
def test_the_first_bad_number_is_found(function: Callable[[Tensor], Tensor], backend: str) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None])
        w = tf.Variable(1.0)
        y = function(x)
        step = w.assign_add(y)
        with session(backend) as s:
            s.run(step, {x: [1.0, 2.0]})
            before = s.run(w)
            message = r"(?s)suspect.*test_check_numbers\.py"
            with pytest.raises(InvalidArgumentError, match=message):
                s.run(step, {x: [1.0, -2.0]})
            assert s.run(w) == before


def test_results_are_the_same() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3])
        w = tf.Variable(np.ones((3, 2), np.float32))
        loss = tf.reduce_sum(tf.tanh(tf.matmul(x, w)))
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        rows = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
        with session("native") as s, tf.Session() as plain:
            for _ in range(3):
                s.run(step, {x: rows})
                plain.run(step, {x: rows})
            np.testing.assert_allclose(s.run(w), plain.run(w), rtol=1e-6)  # roundings of sums
