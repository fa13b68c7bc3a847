"""Loops and branches as native programs, against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.native.bodies import Compared, cond, loop
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
