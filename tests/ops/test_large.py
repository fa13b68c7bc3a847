"""Tensors of more than 2^31 and 2^32 elements, of which little or nothing is kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import ResourceExhaustedError

MANY = 2**33
MOST = 2**58


def filled(*shape: int) -> Any:
    return tf.fill(list(shape), tf.placeholder_with_default(np.float32(1.5), []))


def run(fetch: Any, backend: str = "llvm") -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetch)


PARTS: dict[str, tuple[Callable[[], Any], list[float]]] = {
    "slice": (lambda: filled(MANY)[MANY - 2 :], [1.5, 1.5]),
    "strides": (lambda: filled(MANY)[:: MANY // 2], [1.5, 1.5]),
    "gather": (lambda: tf.gather(filled(MANY), tf.constant([MANY - 1], tf.int64)), [1.5]),
    "concat": (lambda: tf.concat([filled(MANY), [2.0]], 0)[MANY - 1 :], [1.5, 2.0]),
    "concat of many": (lambda: tf.concat([filled(MOST)] * 4, 0)[4 * MOST - 1 :], [1.5]),
    "pad": (lambda: tf.pad(filled(2), [[MANY, MANY]])[MANY : MANY + 3], [1.5, 1.5, 0.0]),
    "reshape": (lambda: tf.reshape(filled(2**17, 2**17), [-1])[2**34 - 1 :], [1.5]),
    "transpose": (lambda: tf.transpose(filled(2**17, 2**17))[-1, -1:], [1.5]),
    "tile": (lambda: tf.tile(filled(3), [MANY])[3 * MANY - 1 :], [1.5]),
    "one_hot": (lambda: tf.one_hot([MANY - 1], MANY, dtype=tf.float32)[0, MANY - 2 :], [0.0, 1.0]),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_what_is_large(name: str) -> None:
    build, expected = PARTS[name]
    np.testing.assert_array_equal(run(build() * tf.placeholder_with_default(1.0, [])), expected)


def test_random_numbers_differ_beyond_32_bits() -> None:
    numbers = tf.random_uniform([2**36], seed=1)
    starts = [0, 2**32, 2**34, 2**35]
    parts = [run(numbers[start : start + 8]) for start in starts]
    assert len({float(number) for part in parts for number in part}) == 8 * len(starts)


@pytest.mark.parametrize(
    "build",
    [
        lambda: tf.zeros([2**70]),
        lambda: tf.zeros([2**40, 2**40]),
        lambda: filled(2**32, 2**32),
        lambda: tf.concat([filled(2**61 - 1)] * 2, 0),
        lambda: tf.tile(filled(2**31), [2**31]),
        lambda: tf.matmul(filled(2**31, 1), filled(1, 2**31)),
        lambda: tf.reduce_sum(filled(2**33, 1) + filled(1, 2**33)),
        lambda: tf.one_hot([0] * 8, 2**62),
        lambda: tf.Variable(tf.zeros([2**62])),
        lambda: tf.size(filled(MANY)),  # an int32 cannot hold it
        lambda: tf.shape(filled(MANY)),
    ],
)
def test_what_no_number_can_address_is_refused(build: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"test_large\.py"):
        build()


def test_integers_are_never_cut_off() -> None:
    assert run(tf.constant([2**33, -1])).tolist() == [2**33, -1]
    assert tf.constant([2**31 - 1]).dtype == tf.int32
    for value in (2**31, [-(2**31) - 1], np.array([2**40])):
        with pytest.raises(TypeError, match="does not fit int32"):
            tf.constant(value, tf.int32)
    with pytest.raises(TypeError, match="does not fit int32"):
        tf.constant([1]) + 2**33


def test_open_extents_that_become_too_large_are_refused() -> None:
    x = tf.placeholder(tf.float32, [None])
    wide = tf.fill(tf.concat([tf.shape(x), [2**30, 2**30]], 0), 1.0)
    with tf.Session() as session:
        assert session.run(wide[:, 0, 0], {x: np.zeros(1)}).shape == (1,)
        with pytest.raises(ValueError, match="no memory holds"):
            session.run(wide[:, 0, 0], {x: np.zeros(4)})


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_what_does_not_fit_memory_says_so(backend: str) -> None:
    y = filled(2**50) * 2.0
    with pytest.raises(ResourceExhaustedError, match=r"no memory to run 'mul.*\n.*test_large"):
        run(y, backend)
    variable = tf.Variable(tf.zeros([2**50]), name="wide")
    with tf.Session() as session, pytest.raises(MemoryError, match="wide"):
        session.run(variable.initializer)
    with tf.Session() as session, pytest.raises(MemoryError, match="mul"):
        session.run_steps(y, 2)
