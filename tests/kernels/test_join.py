"""Values one after the other: computed in their place, or copied there piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from thalweg.kernels.values import Part
from thalweg.runtime.native import NativeProgram

Parts = list[tf.Tensor]


def states(x: tf.Tensor, count: int) -> Parts:
    """The states of an unrolled cell."""
    weights = tf.Variable(random(64, 64, seed=1) * np.float32(0.1))
    made, state = Parts(), x
    for _ in range(count):
        state = tf.tanh(tf.matmul(state, weights))
        made.append(state)
    return made


def dense(joined: tf.Tensor) -> tf.Tensor:
    width = joined.shape[-1].value
    return tf.matmul(tf.reshape(joined, [-1, width]), tf.Variable(random(width, 16, seed=2)))


JOINED: dict[str, Callable[[tf.Tensor, Parts], tf.Tensor]] = {
    "rows": lambda x, parts: tf.concat(parts, 0),
    "columns": lambda x, parts: tf.concat(parts, 1),
    "stacked": lambda x, parts: tf.stack(parts, 1),
    "with what is fed": lambda x, parts: tf.concat([x, *parts, x * 2], 0),
    "with zeros": lambda x, parts: tf.concat([tf.zeros_like(x), *parts], 0),
    "one twice": lambda x, parts: tf.concat([*parts, parts[0]], 0),
    "a part of one": lambda x, parts: tf.concat([parts[0][:3], *parts], 0),
    "reshaped": lambda x, parts: tf.concat([tf.reshape(p, [-1, 32]) for p in parts], 0),
    "two of them": lambda x, parts: tf.concat([tf.concat(parts[:2], 0), *parts[1:]], 0),
    "in two": lambda x, parts: tf.concat(parts, 0) + tf.concat(parts[::-1], 0),
}


@pytest.mark.parametrize("count", [2, 7])
@pytest.mark.parametrize("how", JOINED)
def test_values_and_gradients(how: str, count: int) -> None:
    """Against NumPy; sums of up to 448 products and the rounding of tanh: 1e-5 of the largest."""
    results: dict[str, list[list[Array]]] = {}
    for backend in ("numpy", "llvm"):
        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [None, 64])
            parts = states(x, count)
            joined = JOINED[how](x, parts)
            y = dense(joined)
            fetches = [y, parts[-1], *tf.gradients(tf.reduce_sum(y * y), [x, *parts[:1]])]
            with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
                results[backend] = [
                    session.run(fetches, {x: random(rows, 64)}) for rows in (40, 33, 40)
                ]
                results[backend].append([session.run(joined, {x: random(40, 64)})])
    for wanted, got in zip(results["numpy"], results["llvm"], strict=True):
        for expected, actual in zip(wanted, got, strict=True):
            bound = 1e-5 * np.abs(expected).max()
            np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def programs(build: Callable[[Parts], Any]) -> NativeProgram:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        _, program = session.program(build(states(x, 6)), {x: random(40, 64)})
        assert isinstance(program, NativeProgram)
        return program


def places(program: NativeProgram) -> set[int]:
    """The first rows of the values that lie in another one."""
    slots = [value.storage for step in program.steps for value in step.nest.slots]
    return {int(storage.first) for storage in slots if isinstance(storage, Part)}


def test_rows_are_computed_in_their_place() -> None:
    program = programs(lambda parts: dense(tf.concat(parts, 0)))
    assert places(program) == {0, 40, 80, 120, 160, 200}
    assert not any("concat" in step.nest.ops for step in program.steps)


def test_columns_are_copied_piece_by_piece() -> None:
    program = programs(lambda parts: dense(tf.concat(parts, 1)))
    assert not places(program)
    assert sum("concat" in step.nest.ops for step in program.steps) == 6


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows: int) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        y = dense(tf.concat(states(x, 6), 0))
        got = session.run(y, {x: random(rows, 64)})
        assert got.shape == (6 * rows, 16)
        more = session.run(y, {x: np.vstack([random(rows, 64), random(3, 64, seed=9)])})
        for n in range(6):  # each row by itself, in whatever order it is summed
            part = more[n * (rows + 3) : n * (rows + 3) + rows]
            np.testing.assert_allclose(part, got[n * rows : (n + 1) * rows], rtol=0, atol=1e-5)


def test_a_few_numbers_are_put_together_in_one_kernel() -> None:
    program = programs(lambda parts: tf.stack([tf.reduce_sum(part) * 2 for part in parts]) + 1)
    assert sum("stack" in str(step.nest.ops) for step in program.steps) == 1


def test_a_product_with_zeros_is_not_computed() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        state = tf.zeros([tf.shape(x)[0], 32])
        y = tf.matmul(x, tf.Variable(random(64, 32))) + tf.matmul(
            state, tf.Variable(random(32, 32))
        )
        _, program = session.program(y, {x: random(5, 64)})
        assert isinstance(program, NativeProgram)
        assert [len(step.nest.reductions) for step in program.steps] == [1]
