"""Many steps in one call on XLA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.xla.running import session
from thalweg.backends.xla import loop

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [3.0]], np.float32)


def regression() -> tuple[Any, ...]:
    x, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 1])
    w = tf.Variable(tf.zeros([3, 1]))
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
    return x, y, w, loss, tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss)


@pytest.mark.parametrize("every", [1, 10])
def test_steps_are_those_of_the_native_backend(every: int) -> None:
    tf.set_random_seed(1)
    x, y, w, loss, step = regression()
    made = []
    for backend in ("native", "xla"):
        with session(backend) as s:
            s.run(tf.global_variables_initializer())
            _, losses = s.run_steps(
                [step, loss], 60, batches={x: X, y: Y}, batch_size=8, every=every
            )
            made.append((losses, s.run(w)))
    for expected, actual in zip(*made, strict=True):
        # Sixty steps, each of which rounds in another order.
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5)
    assert len(made[1][0]) == 60 // every


def test_steps_are_made_in_parts_if_there_is_room_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MOST_STEPS", 4)
    count, drawn = tf.Variable(0), tf.random_uniform([2], seed=1)
    more = tf.assign_add(count, 1)
    with session() as s:
        counts, numbers = s.run_steps([more, drawn], 11)
        assert counts.tolist() == list(range(1, 12))
    with session() as s:
        np.testing.assert_array_equal([s.run([more, drawn])[1] for _ in range(11)], numbers)


def test_a_step_that_fails_leaves_those_before_it() -> None:
    rows = tf.placeholder(tf.int32, [None])
    total = tf.Variable(0.0)
    step = tf.assign_add(total, tf.reduce_sum(tf.gather(tf.ones([3]), rows)))
    with session() as s:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 3 is not in \[0, 3\)"):
            s.run_steps(step, 4, batches={rows: [0, 1, 3, 2]}, batch_size=1, shuffle=False)
        assert s.run(total) == 2
        assert s.run_steps(step, 2, {rows: [0, 0]}).tolist() == [4, 6]


def test_bytes_become_numbers_on_the_device() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    pixels = np.arange(8, dtype=np.uint8).reshape(4, 2)
    with session() as s:
        made = s.run_steps(x / 2.0, 2, batches={x: pixels}, batch_size=2, shuffle=False)
    np.testing.assert_array_equal(made, pixels.reshape(2, 2, 2) / 2)


def test_no_steps_tell_the_shapes() -> None:
    x, y, _, loss, step = regression()
    with session() as s:
        _, losses = s.run_steps([step, loss], 0, batches={x: X, y: Y}, batch_size=8)
    assert losses.shape == (0,)
