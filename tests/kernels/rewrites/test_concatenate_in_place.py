"""Values one after the other: computed in their place, or copied there piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from tests.kernels.rewrites.lowered import check, concatenated
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.printer import show_definitions
from thalweg.kernels.rewrites.concatenate_in_place import concatenate_in_place
from thalweg.kernels.values import PartMemory

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


def test_values_are_computed_in_their_place() -> None:
    """`a` and `b` are rows of `c`, which is not computed any more; what is fed is copied."""
    program = concatenated(0, "a", "z", "b", "x")
    check(
        program.text,
        """
        a[i, j] = sin(x[i, j])  for i<2048, j<2  in temporary 0
        b[i, j] = sin(y[i, j])  for i<2048, j<2  in temporary 1
        c[i, j] = i < 2048 ? a[i, j] : i < 4096 ? z[i - 2048, j]
                : i < 6144 ? b[i - 4096, j] : x[i - 6144, j]  for i<8192, j<2  in temporary 2
        s[i, j] = sum[k<2](c[i, k] * w[k, j])  for i<8192, j<3  in fetch 0
        """,
    )
    a, b, c, s = program.definitions
    check(
        show_definitions([a, b, *concatenate_in_place(c), s]),
        """
        a[i, j] = sin(x[i, j])  for i<2048, j<2  in c from 0
        b[i, j] = sin(y[i, j])  for i<2048, j<2  in c from 4096
        c[i + 2048, j] = z[i, j]  for i<2048, j<2  in temporary 2
        c[i + 6144, j] = x[i, j]  for i<2048, j<2  in temporary 2
        s[i, j] = sum[k<2](c[i, k] * w[k, j])  for i<8192, j<3  in fetch 0
        """,
    )


def test_a_choice_between_few_that_lie_elsewhere_stays() -> None:
    program = concatenated(0, "x", "y", "a")
    _, c, _ = program.definitions
    before = program.text
    assert concatenate_in_place(c) == [c]
    check(program.text, before)


def programs(build: Callable[[Parts], Any]) -> NativeProgram:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        _, program = session.program(build(states(x, 6)), {x: random(40, 64)})
        assert isinstance(program, NativeProgram)
        return program


def places(program: NativeProgram) -> set[int]:
    """The first rows of the values that lie in another one."""
    slots = [value.storage for step in program.steps for value in step.nest.slots]
    return {int(storage.first) for storage in slots if isinstance(storage, PartMemory)}


def test_rows_are_computed_in_their_place() -> None:
    program = programs(lambda parts: dense(tf.concat(parts, 0)))
    assert places(program) == {0, 40, 80, 120, 160, 200}
    assert not any("concat" in step.nest.ops for step in program.steps)


def test_columns_are_copied_by_the_kernels_that_compute_them() -> None:
    program = programs(lambda parts: dense(tf.concat(parts, 1)))
    assert not places(program)
    assert len(program.steps) == 6 + 1
    assert [len(step.nest.stores) for step in program.steps[:6]] == [2, 2, 2, 2, 2, 1]  # the last
    assert all("concat" in step.nest.ops for step in program.steps[:6])


def test_the_gradient_of_a_split_is_computed_in_its_place() -> None:
    """As in a recurrent cell: each gate's gradient is a piece of that of the product before."""
    x, w = random(40, 64), random(64, 512, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        a, weights = tf.placeholder(tf.float32, [None, 64]), tf.Variable(w)
        i, f, g, o = tf.split(tf.matmul(a, weights), 4, axis=1)
        y = tf.sigmoid(i) * tf.tanh(g) + tf.sigmoid(f) * tf.sigmoid(o)
        gradient = tf.gradients(tf.reduce_sum(y), weights)[0]
        _, program = session.program(gradient, {a: x})
        assert isinstance(program, NativeProgram)
        joined = [step for step in program.steps if "ConcatV2" in step.nest.ops]
        assert [len(step.nest.stores) for step in joined] == [4]
        got = session.run(gradient, {a: x})
    zi, zf, zg, zo = np.split(x.astype(np.float64) @ w, 4, axis=1)

    def s(z: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-z)))

    t = np.tanh
    slope = {"i": s(zi) * s(-zi) * t(zg), "f": s(zf) * s(-zf) * s(zo)}
    slope |= {"g": s(zi) * (1 - t(zg) ** 2), "o": s(zf) * s(zo) * s(-zo)}
    wanted = x.T @ np.concatenate([slope[gate] for gate in "ifgo"], axis=1)
    # Each of 40 terms has an error of some roundings, of at most 1e-6 of the largest input.
    np.testing.assert_allclose(got, wanted, rtol=0, atol=40 * 1e-6 * np.abs(x).max())


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


def test_one_row_of_a_product_with_zeros_is_computed() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        state = tf.zeros([tf.shape(x)[0], 32])
        y = tf.matmul(x, tf.Variable(random(64, 32))) + tf.matmul(
            state, tf.Variable(random(32, 32))
        )
        _, program = session.program(y, {x: random(5, 64)})
        assert isinstance(program, NativeProgram)
        products = [step.nest for step in program.steps if step.nest.reductions]
        assert sum(5 in [axis.extent for axis in nest.axes] for nest in products) == 1
