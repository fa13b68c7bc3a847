"""Loops and branches as native programs, against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.native.bodies import Compared, assert_close, cond, loop
from thalweg.backends.native.backend import NativeBackend
from thalweg.backends.native.cache.encoding import decode, encode
from thalweg.backends.native.plans import Planned
from thalweg.backends.protocol import BackendSettings
from thalweg.backends.state import VariableStore
from thalweg.graph import Tensor

Array = np.ndarray[Any, Any]
rng = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def test_a_counted_loop_carries_and_collects() -> None:
    def build(x: Tensor, w: Tensor, h: Tensor) -> Sequence[Tensor]:
        def step(h: Tensor, x: Tensor, w: Tensor) -> list[Tensor]:
            new = tf.tanh(tf.matmul(x, w) + h)
            return [new, new * 2.0]

        return loop(step, [h], [x], [w])

    for length in (0, 1, 2, 3, 8):
        compared = Compared(build, [floats(length, 4, 5), floats(5, 6), floats(4, 6)])
        compared.check()
        compared.check(floats(length, 4, 5), floats(5, 6), floats(4, 6))


@pytest.mark.parametrize("reverse", [False, True])
def test_sequences_are_walked_either_way(reverse: bool) -> None:
    def build(x: Tensor, total: Tensor) -> Sequence[Tensor]:
        def step(total: Tensor, x: Tensor) -> list[Tensor]:
            return [total * 0.5 + x, total]

        return loop(step, [total], [x], reverse=reverse)

    Compared(build, [floats(7, 3), floats(3)]).check()


def test_values_that_change_places() -> None:
    """What is carried is read before it is written, and may go anywhere."""

    def build(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Sequence[Tensor]:
        def step(a: Tensor, b: Tensor, c: Tensor, x: Tensor) -> list[Tensor]:
            return [b, c, a + x, a, b]

        return [*loop(step, [a, b, c], [x]), a]

    Compared(build, [floats(5, 3), floats(3), floats(3), floats(3)]).check()


def test_a_loop_with_a_condition() -> None:
    def build(limit: Tensor, x: Tensor) -> Sequence[Tensor]:
        def step(i: Tensor, x: Tensor, limit: Tensor) -> list[Tensor]:
            return [i + 1, x * 1.5]

        zero = tf.constant(0)
        made = loop(step, [zero, x], [], [limit], lambda i, x, limit: i < limit)
        return [made[0] * 2, made[1]]

    compared = Compared(build, [np.array(4, np.int32), floats(3)])
    for limit in (0, 1, 2, 5, 100):
        compared.check(np.array(limit, np.int32), floats(3))


def test_branches() -> None:
    def build(x: Tensor, y: Tensor) -> Sequence[Tensor]:
        def then(x: Tensor, y: Tensor) -> list[Tensor]:
            return [x + y, x]

        def otherwise(x: Tensor, y: Tensor) -> list[Tensor]:
            return [tf.exp(x), tf.tanh(tf.matmul(y, y))]

        made = cond(tf.reduce_sum(x) > 0, then, otherwise, [x, y])
        return [made[0] * 3.0, made[1], made[1]]

    compared = Compared(build, [floats(3, 3), floats(3, 3)])
    compared.check(np.ones((3, 3), np.float32), floats(3, 3))
    compared.check(-np.ones((3, 3), np.float32), floats(3, 3))


def nested(x: Tensor, w: Tensor) -> Sequence[Tensor]:
    """A loop over rows with one that doubles, and a branch, in it."""

    def outer(total: Tensor, row: Tensor, w: Tensor) -> list[Tensor]:
        def inner(y: Tensor, element: Tensor, w: Tensor) -> list[Tensor]:
            (y,) = cond(
                element > 0,
                lambda y, e, w: [tf.reduce_sum(w * y) + w * e],
                lambda y, e, w: [y - e],
                [y, element, w],
            )
            return [y, y * element]

        y, products = loop(inner, [total], [row], [w])
        size = tf.reduce_sum(tf.square(y))
        grown = loop(
            lambda y, s: [y * 1.5, s * 2.25],
            [y, size],
            [],
            [],
            lambda y, s: tf.logical_and(s < 10.0, s > 0.0),
        )
        return [tf.tanh(grown[0]), grown[1], products]

    return loop(outer, [w], [x], [w])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_nested_loops_and_branches(threads: int) -> None:
    compared = Compared(nested, [floats(4, 6), floats(5)], threads)
    for _ in range(3):
        compared.check(floats(4, 6), floats(5))


def test_lengths_that_vary_need_no_new_code() -> None:
    """Nor a new plan; the number of iterations and of rows follow from the feeds."""

    def build(x: Tensor, h: Tensor) -> Sequence[Tensor]:
        def step(h: Tensor, x: Tensor) -> list[Tensor]:
            return [tf.tanh(h + x), h * x, tf.reduce_sum(x, axis=0)]

        return [*loop(step, [h], [x], reverse=True), tf.reduce_sum(x)]

    compared = Compared(build, [floats(6, 4, 5), floats(4, 5)], varies=[(0, 0), (0, 1), (1, 0)])
    for length, rows in ((6, 4), (9, 4), (2, 4), (6, 8), (2, 3)):
        compared.check(floats(length, rows, 5), floats(rows, 5))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_steps_of_a_program_with_loops(threads: int) -> None:
    compared = Compared(nested, [floats(4, 6), floats(5)], threads)
    for steps in (0, 1, 2, 7):
        made = compared.native.run_steps(compared.feeds, 0, steps)
        assert_close(made, compared.reference.run_steps(compared.feeds, 0, steps))
        assert compared.native.finished == steps


def test_the_same_program_in_another_workspace() -> None:
    compared = Compared(nested, [floats(4, 6), floats(5)])
    right = compared.check()
    for workspace in (3, None):
        for one, other in zip(
            compared.native.clone(workspace).run(compared.feeds, 3), right, strict=True
        ):
            np.testing.assert_array_equal(one, other)


def long_steps(x: Tensor, w: Tensor, h: Tensor) -> Sequence[Tensor]:
    """Enough work in a step for threads to share."""

    def step(h: Tensor, x: Tensor, w: Tensor) -> list[Tensor]:
        new = tf.tanh(tf.matmul(h, w) * 0.05 + x)
        return [new, tf.reduce_sum(new, axis=0)]

    return loop(step, [h], [x], [w])


def test_any_number_of_threads_makes_the_same_bits() -> None:
    feeds = [floats(9, 64, 96), floats(96, 96), floats(64, 96)]
    results = []
    for threads in (1, 2, 3):
        compared = Compared(long_steps, feeds, threads)
        made = [np.zeros_like(array) for array in compared.check()]
        compared.native._bind([*feeds, *made], 0)
        compared.native._execute(compared.native._program, threads)
        results.append([a.tobytes() for a in made])
    assert results[0] == results[1] == results[2]


def test_a_linked_program_outlives_the_process() -> None:
    compared = Compared(nested, [floats(4, 6), floats(5)])
    planned = decode(encode(compared.native._compiled.planned), Planned)
    sizes = planned.trace.replay([])
    assert sizes is not None
    backend = NativeBackend(BackendSettings(1))
    code = backend._library.code(planned.kernels.nests)
    program = backend._program(planned, sizes, VariableStore(), code)
    for one, other in zip(program.run(compared.feeds, 3), compared.check(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_check_in_a_loop_ends_the_run() -> None:
    def build(params: Tensor, indices: Tensor) -> Sequence[Tensor]:
        def step(total: Tensor, index: Tensor, params: Tensor) -> list[Tensor]:
            return [total + tf.gather(params, index, name="look")]

        return loop(step, [tf.zeros([3])], [indices], [params])

    compared = Compared(build, [floats(4, 3), np.zeros(6, np.int32)])
    good, bad = np.array([0, 3, 2, 1, 1, 0], np.int32), np.array([0, 3, 4, 1, 1, 0], np.int32)
    for _ in range(2):
        compared.check(compared.feeds[0], good)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"look.*4") as failure:
            compared.native.run([compared.feeds[0], bad], 0)
        assert "test_loops.py" in str(failure.value)


def test_what_is_shown_of_a_program_with_loops() -> None:
    compared = Compared(long_steps, [floats(9, 64, 96), floats(96, 96), floats(64, 96)])
    kernels = compared.native.summary()
    assert sum(k.flops for k in kernels) >= 9 * 2 * 64 * 96 * 96  # of all iterations
    assert ("iteration", 9) in [loop for kernel in kernels for loop in kernel.loops]
    assert "MatMul" in compared.native.describe()
