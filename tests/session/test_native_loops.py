"""Loops and branches in sessions: variables, steps, batches, failures and interruptions."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native.backend import NativeProgram

Array = np.ndarray[Any, Any]
rng = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def on_each(fetches: Any, feeds: Any = None, runs: int = 1) -> list[Any]:
    """What some runs compute on each backend, from the initial values of the variables."""
    results = []
    for backend in ("native", "reference"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            session.run(tf.global_variables_initializer())
            results.append([session.run(fetches, feeds) for _ in range(runs)])
    return results


def assert_same(fetches: Any, feeds: Any = None, runs: int = 1) -> None:
    native, reference = on_each(fetches, feeds, runs)
    for one, other in zip(native, reference, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_variables_are_read_where_they_lie() -> None:
    """No kernel copies the weights; an update comes after the loops that read them."""
    w = tf.Variable(floats(8, 8) * 0.1)
    x = tf.constant(floats(5, 8, 8))
    h = tf.scan(lambda h, x: tf.tanh(tf.matmul(h, w) + x), x, tf.zeros([8, 8]))
    update = w.assign_sub(0.1 * tf.reduce_mean(h, axis=0))
    assert_same([h, update], runs=3)


def test_assignments_in_loops_and_branches() -> None:
    v = tf.Variable(1.0)
    n = tf.placeholder(tf.int32, [])

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign(v * 2 + tf.cast(i, tf.float32))]):
            return i + 1

    made = tf.while_loop(lambda i: i < n, body, [0])
    for count in (0, 1, 5):
        assert_same([made, v], {n: count}, runs=2)


def test_random_numbers_differ_in_each_iteration() -> None:
    made = tf.map_fn(lambda x: x + tf.random_uniform([3], seed=4), tf.zeros([6, 3]))
    with tf.Session() as session:
        first, second = session.run(made), session.run(made)
    assert len({row.tobytes() for row in (*first, *second)}) == 12
    assert_same([made], runs=2)


def test_steps_and_batches_go_through_loops() -> None:
    def trained(backend: str) -> list[Array]:
        tf.reset_default_graph()
        w = tf.Variable(tf.ones([3, 4]) * 0.1)
        x = tf.placeholder(tf.float32, [None, 5, 3])
        rows = tf.transpose(x, [1, 0, 2])
        h = tf.foldl(lambda h, x: tf.tanh(tf.matmul(x, w) + h), rows, tf.zeros([4, 4]))
        loss = tf.reduce_mean(tf.square(h - 0.5))
        sums = tf.map_fn(tf.reduce_sum, x)  # of the rows as they are fed
        update = w.assign_sub(tf.ones([3, 4]) * loss * 0.01)
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            session.run(tf.global_variables_initializer())
            losses = session.run_steps(
                [loss, update, sums], 20, batches={x: DATA}, batch_size=4, seed=1
            )
            return [*losses]

    for one, other in zip(trained("native"), trained("reference"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


DATA = floats(32, 5, 3)


@contextmanager
def interrupted(seconds: float) -> Iterator[None]:
    """Raise `KeyboardInterrupt` after a while, as Ctrl-C does."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def endless(v: tf.Variable) -> Any:
    """A write of a variable that comes after a loop without end if it is asked for."""
    asked = tf.placeholder(tf.bool, [])
    made = tf.while_loop(lambda x: asked, lambda x: x * 0.5 + 1.0, [v + 1.0])
    with tf.control_dependencies([made.op]):
        return asked, v.assign_add(1.0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_body_that_never_ends_can_be_interrupted(threads: int) -> None:
    """And has written nothing."""
    v = tf.Variable(3.0)
    asked, update = endless(v)
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads)) as session:
        session.run(v.initializer)
        for _ in range(2):
            start = time.perf_counter()
            with pytest.raises(KeyboardInterrupt), interrupted(0.1):
                session.run(update, {asked: True})
            assert time.perf_counter() - start < 10  # of which 0.15 are needed
            assert session.run(v) == 3.0
        assert session.run(update, {asked: False}) == 4.0


def test_a_failing_check_in_a_loop_has_written_nothing() -> None:
    table, v = tf.constant(floats(4, 3)), tf.Variable(0.0)
    pick = tf.placeholder(tf.int32, [None])
    rows = tf.map_fn(lambda n: tf.gather(table, n), pick, tf.float32)
    update = v.assign_add(1.0)
    with tf.Session() as session:
        session.run(v.initializer)
        session.run([rows, update], {pick: [1, 2, 3]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="9"):
            session.run([rows, update], {pick: [1, 9, 3]})
        assert session.run(v) == 1.0


def test_a_new_length_needs_no_new_plan() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    made = tf.scan(lambda a, x: a * 0.5 + x, x, tf.zeros([3]))
    with tf.Session() as session:
        for length in (7, 4, 9, 12):
            array, right = floats(length, 3), np.zeros(3, np.float32)
            found = session.run(made, {x: array})
            for n in range(length):
                right = right * np.float32(0.5) + array[n]
                np.testing.assert_allclose(found[n], right, rtol=1e-5, atol=1e-6)
        plans = {id(e.program._compiled) for e in entries(session)}
    assert len(plans) == 1


def entries(session: Any) -> list[Any]:
    """The plans of a session that are native."""
    every = session._planner._entries.values()
    return [entry for entry in every if isinstance(entry.program, NativeProgram)]
