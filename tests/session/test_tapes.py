"""Loops that collect until a condition fails: in native code, on tapes that grow."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native import tapes
from thalweg.backends.native.backend import TapedProgram

Array = np.ndarray[Any, Any]
ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]


def decaying() -> tuple[Any, Any, list[Any]]:
    """A loop that ends when what it carries is small, with its gradient; the feed comes first."""
    w = tf.Variable(ROTATION * 0.95)
    x = tf.placeholder(tf.float64, [None, 4])

    def goes_on(i: Any, y: Any) -> Any:
        return tf.reduce_sum(tf.abs(y)) > tf.constant(1e-6, tf.float64)

    i, y = tf.while_loop(goes_on, lambda i, y: (i + 1, tf.sin(tf.matmul(y, w))), [0, x])
    return x, w, [i, y, *tf.gradients(tf.reduce_sum(tf.square(y) * 1e6 + y), [w, x])]


def native_programs(session: Any) -> list[TapedProgram]:
    every = [entry.program for entry in session._planner._entries.values()]
    return [program for program in every if isinstance(program, TapedProgram)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_tape_is_as_long_as_the_loop(threads: int) -> None:
    x, w, fetches = decaying()
    native = tf.ConfigProto(intra_op_parallelism_threads=threads)
    reference = tf.ConfigProto(backend="reference")
    with tf.Session(config=native) as one, tf.Session(config=reference) as other:
        for session in (one, other):
            session.run(w.initializer)
        counts = set()
        for size in (1e-8, 0.01, 10.0, 1e-5, 1.0):
            fed = {x: np.full((3, 4), size)}
            found, right = one.run(fetches, fed), other.run(fetches, fed)
            counts.add(int(found[0]))
            for a, b in zip(found, right, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        assert min(counts) == 0
        assert max(counts) > 4 * tapes.FIRST_ROWS
        assert native_programs(one)


def test_what_a_loop_with_a_loop_inside_collects() -> None:
    """The inner one makes the program pause in the middle of an iteration of the outer one."""
    x = tf.placeholder(tf.float64, [3])
    shrunk = tf.constant(0.999, tf.float64)

    def step(y: Any) -> Any:
        inner = tf.while_loop(lambda j, z: j < 7, lambda j, z: (j + 1, tf.sin(z) * shrunk), [0, y])
        return inner[1]

    y = tf.while_loop(lambda y: tf.reduce_max(y) > tf.constant(0.1, tf.float64), step, [x])
    results = []
    for backend in ("native", "reference"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            results.append(session.run([y, *tf.gradients(y, [x])], {x: [1.0, 0.5, 0.25]}))
            assert backend == "reference" or native_programs(session)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_a_tape_that_is_interrupted() -> None:
    x = tf.placeholder(tf.float64, [])
    asked = tf.placeholder(tf.bool, [])
    y = tf.while_loop(
        lambda y: tf.logical_or(asked, y > tf.constant(1.0, tf.float64)),
        lambda y: tf.sin(y) * tf.constant(0.9, tf.float64),
        [x],
    )
    gradient = tf.gradients(y, [x])
    with tf.Session() as session:
        before = session.run(gradient, {x: 3.0, asked: False})
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            with pytest.raises(KeyboardInterrupt):
                session.run(gradient, {x: 3.0, asked: True})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        assert session.run(gradient, {x: 3.0, asked: False}) == before


def test_steps_of_such_a_run_are_made_one_by_one() -> None:
    x, w, fetches = decaying()
    with tf.Session() as session:
        session.run(w.initializer)
        fed = {x: np.full((2, 4), 0.5)}
        made = session.run_steps(fetches, 3, fed)
        for several, one in zip(made, session.run(fetches, fed), strict=True):
            for value in several:
                np.testing.assert_array_equal(value, one)
