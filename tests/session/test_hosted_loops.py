"""Loops and branches that Python runs body by body, each body as a program of its own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Effects, Op, Spec, graph_of

X = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
BACKENDS = ("llvm", "numpy")


class Note(Op):
    """Pass a value on, and note it; 13 is an error."""

    type: ClassVar[str] = "Note"
    effects: ClassVar[Effects] = Effects(acts=True, host=True)
    seen: ClassVar[list[float]] = []

    def infer(self, value: Spec) -> Spec:
        return value

    def evaluate(self, xp: Any, value: Any) -> Any:
        self.seen.append(float(value))
        if value == 13:
            raise ValueError("13 brings bad luck")
        return value


def note(x: Any) -> Any:
    return graph_of([x]).add(Note(), [x]).outputs[0]


@pytest.fixture(params=BACKENDS)
def session(request: Any) -> Any:
    Note.seen.clear()
    with tf.Session(config=tf.ConfigProto(backend=request.param)) as made:
        yield made


def test_a_loop_variable_may_change_its_shape(session: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    doubled = tf.while_loop(
        lambda i, h: i < 3, lambda i, h: (i + 1, tf.concat([h, h + 1], 0)), [0, x], shapes
    )[1]
    for count in (1, 2, 1):
        expected = X[:count]
        for _ in range(3):
            expected = np.concatenate([expected, expected + 1])
        np.testing.assert_array_equal(session.run(doubled, {x: X[:count]}), expected)


def test_branches_may_have_different_shapes(session: Any) -> None:
    x, p = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [])
    made = tf.cond(p, lambda: x * 2, lambda: tf.concat([x, x], 0)) + 1
    assert session.run(made, {x: X, p: True}).shape == (2, 3)
    assert session.run(made, {x: X, p: False}).shape == (4, 3)


def test_shapes_may_depend_on_the_iteration(session: Any) -> None:
    n = tf.placeholder(tf.int32, [None])
    sums = tf.map_fn(lambda k: tf.reduce_sum(tf.range(k)), n)
    assert session.run(sums, {n: [3, 1, 7]}).tolist() == [3, 0, 21]


def test_a_loop_of_unknown_length_has_a_gradient(session: Any) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.Variable(np.float32(1.5))
    grown = tf.while_loop(lambda h: tf.reduce_sum(h) < 100, lambda h: h * w, [x])
    gradients = tf.gradients(tf.reduce_sum(grown), [x, w])
    times = 0
    while X.sum() * 1.5**times < 100:
        times += 1
    found = session.run(gradients, {x: X})
    np.testing.assert_allclose(found[0], np.full_like(X, 1.5**times), rtol=1e-6)
    np.testing.assert_allclose(found[1], X.sum() * times * 1.5 ** (times - 1), rtol=1e-6)


def test_python_acts_in_each_iteration(session: Any) -> None:
    n = tf.placeholder(tf.float32, [])
    v = tf.Variable(0.0)

    def body(i: Any) -> Any:
        with tf.control_dependencies([note(i * 2), v.assign_add(i)]):
            return i + 1

    last = tf.while_loop(lambda i: i < n, body, [0.0])
    assert session.run(last, {n: 4}) == 4
    assert Note.seen == [0, 2, 4, 6]
    assert session.run(v) == 6


def test_a_run_that_fails_in_a_body_has_written_nothing(session: Any) -> None:
    v = tf.Variable(1.0)

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign_add(1.0), note(i)]):
            return i + 1

    last = tf.while_loop(lambda i: i < 20, body, [10.0])
    with pytest.raises(InvalidArgumentError, match="bad luck"):
        session.run(last)
    assert Note.seen == [10, 11, 12, 13]
    assert session.run(v) == 1


def test_python_acts_in_one_branch_only(session: Any) -> None:
    x = tf.placeholder(tf.float32, [])
    made = tf.cond(x > 0, lambda: note(x) + 1, lambda: x - 1)
    assert session.run(made, {x: -1}) == -2
    assert Note.seen == []
    assert session.run(made, {x: 2}) == 3
    assert Note.seen == [2]
