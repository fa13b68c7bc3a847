"""Gradients through loops and branches, against unrolled graphs and central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.autodiff.interpreter import differences, interpret

RNG = np.random.default_rng(7)
X, W = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 3)) * 0.5
# The error of central differences with a step of 1e-6: 1e-12 of their own, and rounding of 1e-10.
RTOL, ATOL = 1e-7, 1e-8


def placeholders() -> tuple[tf.Tensor, tf.Tensor]:
    return tf.placeholder(tf.float64, [None, 3]), tf.placeholder(tf.float64, [3, 3])


def recurrent(x: Any, w: Any) -> Any:
    states = tf.scan(lambda h, e: tf.tanh(tf.matmul(h, w) + e), tf.expand_dims(x, 1), x[:1] * 2)
    return tf.reduce_sum(states * states)


def mapped(x: Any, w: Any) -> Any:
    return tf.reduce_sum(tf.map_fn(lambda e: tf.sin(tf.matmul(tf.expand_dims(e, 0), w)), x) ** 2)


def folded(x: Any, w: Any) -> Any:
    return tf.reduce_sum(tf.foldr(lambda a, e: tf.tanh(a * e) + w[0], x))


def counted(x: Any, w: Any) -> Any:
    def body(i: Any, h: Any) -> Any:
        return i + 1, tf.tanh(tf.matmul(h, w) + x)

    return tf.reduce_sum(tf.while_loop(lambda i, h: i < 4, body, [0, x])[1] ** 2)


def until(x: Any, w: Any) -> Any:
    """How often it runs depends on the values."""
    double = tf.while_loop(lambda h: tf.reduce_sum(h * h) < 200, lambda h: h * 1.5 + w[0], [x])
    return tf.reduce_sum(tf.sqrt(1 + double**2))


def linear(x: Any, w: Any) -> Any:
    """Nothing of an iteration is needed on the way back."""

    def body(i: Any, h: Any) -> Any:
        return i + 1, h * 2 + w[0]

    return tf.reduce_sum(tf.while_loop(lambda i, h: i < 3, body, [0, x])[1])


def nested(x: Any, w: Any) -> Any:
    def body(j: Any, h: Any) -> Any:
        return j + 1, tf.tanh(tf.matmul(h, w))

    def inner(h: Any) -> Any:
        return tf.while_loop(lambda j, h: j < 3, body, [0, h])[1]

    outer = tf.while_loop(lambda i, h: i < 2, lambda i, h: (i + 1, inner(h) + x * h), [0, x])
    return tf.reduce_sum(outer[1])


def branching(x: Any, w: Any) -> Any:
    total = tf.reduce_sum(x)
    made = tf.cond(total > 0, lambda: tf.matmul(tf.tanh(x), w), lambda: x * 2)
    other = tf.cond(total < 0, lambda: tf.matmul(tf.tanh(x), w), lambda: tf.sin(x))
    return tf.reduce_sum(made**2) + tf.reduce_sum(other)


def branch_in_loop(x: Any, w: Any) -> Any:
    def body(i: Any, h: Any) -> Any:
        step = tf.cond(tf.equal(i % 2, 0), lambda: tf.matmul(tf.tanh(h), w), lambda: h * x)
        return i + 1, step

    return tf.reduce_sum(tf.while_loop(lambda i, h: i < 4, body, [0, x])[1])


def loop_in_branch(x: Any, w: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > -1e9, lambda: nested(x, w), lambda: tf.reduce_sum(x))


CASES: list[Callable[[Any, Any], Any]] = [
    recurrent, mapped, folded, counted, until, linear, nested, branching, branch_in_loop,
    loop_in_branch,
]  # fmt: skip


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_gradients_are_those_of_central_differences(function: Any) -> None:
    x, w = placeholders()
    y = function(x, w)
    feeds = {x: X, w: W}
    for source, gradient in zip((x, w), tf.gradients(y, [x, w]), strict=True):
        assert gradient is not None
        expected = differences(y, source, feeds)
        np.testing.assert_allclose(interpret([gradient], feeds)[0], expected, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_second_derivatives_are_those_of_central_differences(function: Any) -> None:
    x, w = placeholders()
    feeds = {x: X, w: W}
    first = tf.gradients(function(x, w), [x, w])
    y = tf.add_n([tf.reduce_sum(tf.sin(g)) for g in first if g is not None])
    for source, gradient in zip((x, w), tf.gradients(y, [x, w]), strict=True):
        expected = differences(y, source, feeds, 1e-5)
        found = np.zeros_like(expected) if gradient is None else interpret([gradient], feeds)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_gradients_in_a_body_go_through_what_is_outside() -> None:
    """The loop by which a Hessian is computed, row by row."""
    x = tf.placeholder(tf.float64, [3])
    y = tf.reduce_sum(tf.scan(lambda a, e: tf.sin(a) * e + a, x) ** 3)
    (gradient,) = tf.gradients(y, x)
    assert gradient is not None
    mapped = tf.map_fn(lambda n: tf.gradients(gradient[n], x)[0], tf.range(3), tf.float64)
    feeds = {x: X[0]}
    rows = [differences(gradient[n], x, feeds, 1e-5) for n in range(3)]
    np.testing.assert_allclose(interpret([mapped], feeds)[0], rows, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_variables_get_gradients_in_a_session(function: Any, backend: str) -> None:
    x, w = tf.Variable(X), tf.Variable(W)
    a, b = placeholders()
    feeds = {a: X, b: W}
    expected = interpret([g for g in tf.gradients(function(a, b), [a, b]) if g is not None], feeds)
    made = tf.gradients(function(x, w), [x, w])
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for found, wanted in zip(session.run(made), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_the_body_of_a_loop_can_train(backend: str) -> None:
    v = tf.Variable(5.0)
    optimizer = tf.train.GradientDescentOptimizer(0.1)

    def body(i: Any) -> Any:
        with tf.control_dependencies([optimizer.minimize((v - 2) ** 2)]):
            return i + 1

    after = tf.while_loop(lambda i: i < 3, body, [0])
    expected = 5.0
    for _ in range(3):
        expected -= 0.1 * 2 * (expected - 2)
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        session.run(after)
        np.testing.assert_allclose(session.run(v), expected, rtol=1e-6)


def test_what_is_the_same_in_each_iteration_is_not_kept_for_each() -> None:
    x, w = placeholders()
    y = tf.scan(lambda h, e: h * tf.exp(w[0] * 2) + e, x)
    tf.gradients(y, [x, w])
    (loop,) = [op for op in tf.get_default_graph().operations if op.name == "scan"]
    assert len(loop.outputs) == 3  # the last state, all states, and all states before


def test_no_gradient_flows_where_it_is_not_wanted() -> None:
    x = tf.placeholder(tf.float32, [3])
    stopped = tf.while_loop(
        lambda i, h: i < 2, lambda i, h: (i + 1, h * x), [0, x], back_prop=False
    )
    assert tf.gradients(stopped[1], x) == [None]
    assert tf.gradients(tf.map_fn(lambda e: e, x, back_prop=False), x) == [None]


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_gradients_of_rows_looked_up_in_a_loop_are_slices(backend: str) -> None:
    table = RNG.normal(size=(6, 3)).astype(np.float32)
    e, rows = tf.Variable(table), tf.placeholder(tf.int32, [None, 2])
    looked_up = tf.map_fn(lambda r: tf.tanh(tf.gather(e, r)), rows, tf.float32)
    flat = tf.tanh(tf.gather(e, tf.reshape(rows, [-1])))
    made, wanted = (tf.gradients(tf.reduce_sum(y**2), e)[0] for y in (looked_up, flat))
    assert isinstance(made, tf.IndexedSlices)
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(looked_up))
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for picked in ([[1, 2], [1, 1], [5, 0]], [[3, 3]]):
            found = session.run([made, wanted], {rows: picked})
            np.testing.assert_array_equal(found[0].indices, found[1].indices)
            np.testing.assert_allclose(found[0].values, found[1].values, rtol=1e-6)
        session.run(step, {rows: [[1, 2], [1, 1], [5, 0]]})
        after: Any = session.run(e)
    assert (after[[3, 4]] == table[[3, 4]]).all()
    assert (after[[0, 1, 2, 5]] != table[[0, 1, 2, 5]]).all()


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_rows_are_updated_in_a_loop(backend: str) -> None:
    v = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2))

    def body(i: Any) -> Any:
        added = tf.scatter_add(v, [i, i, 3], [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        with tf.control_dependencies([added]):
            replaced = tf.scatter_update(v, [0], tf.expand_dims(v.read_value()[3], 0))
        with tf.control_dependencies([replaced]):
            return i + 1

    after = tf.while_loop(lambda i: i < 3, body, [0])
    expected = np.arange(8, dtype=np.float32).reshape(4, 2)
    for i in range(3):
        np.add.at(expected, [i, i, 3], np.array([[1], [2], [3]], np.float32))
        expected[0] = expected[3]
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        session.run(after)
        np.testing.assert_array_equal(session.run(v), expected)


def test_a_captured_constant_has_a_gradient() -> None:
    c, x = tf.constant(2.0), tf.placeholder(tf.float32, [])
    _, power = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * c), [0, x])
    chosen = tf.cond(x > 0.0, lambda: c * c, lambda: c * 3.0)
    made = [tf.gradients(y, [c])[0] for y in (power, chosen)]
    with tf.Session() as session:
        assert session.run(made, {x: 1.0}) == [12.0, 4.0]
        assert session.run(made, {x: -1.0}) == [-12.0, 3.0]
