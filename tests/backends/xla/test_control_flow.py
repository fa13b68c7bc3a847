"""Loops and branches on XLA, against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.xla.running import session

ROWS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
WEIGHTS = np.sin(np.arange(16, dtype=np.float32)).reshape(4, 4) / 2


def compare(fetches: Any, feeds: Any, tolerance: float = 1e-5) -> list[Any]:
    """The values on XLA, which must be those of the reference; variables are initialised."""
    made = []
    for backend in ("reference", "xla"):
        with session(backend) as s:
            made.append(s.run(fetches, feeds))
    for expected, actual in zip(*made, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    values: list[Any] = made[1]
    return values


def test_a_loop_with_a_condition_and_its_gradient() -> None:
    """The gradient keeps every iteration; of more than there was room for at first, too."""
    count = tf.placeholder(tf.int32, [])
    w = tf.Variable(WEIGHTS)
    _, h = tf.while_loop(
        lambda n, h: n < count, lambda n, h: (n + 1, tf.tanh(tf.matmul(h, w))), [0, ROWS]
    )
    gradient = tf.gradients(tf.reduce_sum(h), w)[0]
    for steps in (0, 1, 100):
        compare([h, gradient], {count: steps})


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_and_its_gradient(reverse: bool) -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    w = tf.Variable(WEIGHTS)
    states = tf.scan(
        lambda h, row: tf.tanh(tf.squeeze(tf.matmul(h[None], w), 0) + row),
        x,
        tf.zeros([4]),
        reverse=reverse,
    )
    compare([states, tf.gradients(states, w)[0]], {x: ROWS})


@pytest.mark.parametrize("sign", [1, -1])
def test_a_branch_and_its_gradient(sign: int) -> None:
    x = tf.placeholder(tf.float32, [3, 4])
    y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.square(x), lambda: x * 3.0)
    compare([y, tf.gradients(y, x)[0]], {x: sign * (ROWS + 0.1)})


def test_what_loops_write_and_draw() -> None:
    total = tf.Variable(0.0)

    def step(n: Any) -> Any:
        with tf.control_dependencies([tf.assign_add(total, tf.random_uniform([], seed=7))]):
            return n + 1

    n = tf.while_loop(lambda n: n < 5, step, [0])
    with tf.control_dependencies([n]):
        after = tf.identity(total.read_value())
    compare([n, after], {})


def test_a_check_in_a_loop_names_its_operation() -> None:
    rows = tf.placeholder(tf.int32, [4])
    written = tf.Variable(1.0)
    found = tf.map_fn(lambda row: tf.gather(ROWS, row), rows, dtype=tf.float32)
    step = written.assign(tf.reduce_sum(found))
    with session() as s:
        s.run(written)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices = 3 is not in \[0, 3\)"):
            s.run(step, {rows: [0, 1, 3, 9]})
        assert s.run(written) == 1


def test_values_collected_until_a_condition_fails() -> None:
    limit = tf.placeholder(tf.float32, [])
    array = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    n, _, array = tf.while_loop(
        lambda n, x, ta: x < limit,
        lambda n, x, ta: (n + 1, x * 1.05, ta.write(n, x)),
        [0, 1.0, array],
    )
    with session() as s:
        for most in (0.5, 2.0, 100.0):
            count, values = s.run([n, array.stack()], {limit: most})
            np.testing.assert_allclose(values, 1.05 ** np.arange(count), rtol=1e-4)
