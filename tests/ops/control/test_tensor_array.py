"""TensorArrays, in loops and outside, and gradients through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.autodiff.interpreter import differences, interpret
from thalweg.base.errors import DTypeError, ShapeError, UnimplementedError

X = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
CONFIG: dict[str, Any] = {"backend": "llvm"}


@pytest.fixture(params=["llvm", "numpy"], autouse=True)
def _on_each_backend(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(CONFIG, "backend", request.param)


def session() -> tf.Session:
    return tf.Session(config=tf.ConfigProto(**CONFIG))


def run(fetches: Any, feeds: Any = None) -> Any:
    with session() as one:
        return one.run(fetches, feeds)


def collected(x: Any, count: Any) -> Any:
    """Each iteration writes at the counter: the rows are collected."""
    array = tf.TensorArray(x.dtype, count)

    def body(i: Any, h: Any, array: Any) -> Any:
        h = tf.sin(h + x[i])
        return i + 1, h, array.write(i, h * 2)

    return tf.while_loop(lambda i, *_: i < count, body, [0, x[0], array])[2]


def carried(x: Any, count: Any) -> Any:
    """Each iteration reads what earlier ones have written: the whole array is carried."""
    array = tf.TensorArray(x.dtype, count).write(0, x[0])

    def body(i: Any, array: Any) -> Any:
        return i + 1, array.write(i, tf.sin(array.read(i - 1) + x[i]))

    return tf.while_loop(lambda i, _: i < count, body, [1, array])[1]


def backwards(x: Any, count: Any) -> Any:
    array = tf.TensorArray(x.dtype, count)

    def body(i: Any, array: Any) -> Any:
        return i - 1, array.write(i, x[i] * tf.cast(i, x.dtype))

    return tf.while_loop(lambda i, _: i >= 0, body, [count - 1, array])[1]


def nested(x: Any, count: Any) -> Any:
    """An array of the rows of arrays."""
    outer = tf.TensorArray(x.dtype, count)

    def row(i: Any) -> Any:
        def body(j: Any, inner: Any) -> Any:
            return j + 1, inner.write(j, x[i, j] * x[j, 0])

        array = tf.TensorArray(x.dtype, 3)
        return tf.while_loop(lambda j, _: j < 3, body, [0, array])[1].stack()

    def body(i: Any, outer: Any) -> Any:
        return i + 1, outer.write(i, row(i))

    return tf.while_loop(lambda i, _: i < count, body, [0, outer])[1]


def expected(function: Any, x: Any) -> Any:
    made = np.zeros_like(x)
    h = x[0]
    for i in range(len(x)):
        if function is collected:
            h = np.sin(h + x[i])
            made[i] = h * 2
        elif function is carried:
            made[i] = np.sin(made[i - 1] + x[i]) if i else x[0]
        elif function is backwards:
            made[i] = x[i] * i
        else:
            made[i] = [x[i, j] * x[j, 0] for j in range(3)]
    return made


FUNCTIONS = [collected, carried, backwards, nested]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("known", [True, False])
def test_a_loop_writes_an_array(function: Any, known: bool) -> None:
    x, n = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.int32, [])
    array = function(x, 4 if known else n)
    found = run([array.stack(), array.read(2), array.size()], {x: X, n: 4})
    np.testing.assert_allclose(found[0], expected(function, X), rtol=1e-6)
    np.testing.assert_allclose(found[1], expected(function, X)[2], rtol=1e-6)
    assert found[2] == 4


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_flow_through_arrays(function: Any) -> None:
    x = tf.placeholder(tf.float64, [4, 3])
    y = tf.reduce_sum(function(x, 4).stack() ** 2)
    (gradient,) = tf.gradients(y, x)
    gradient = tf.convert_to_tensor(gradient)
    (second,) = tf.gradients(tf.reduce_sum(tf.sin(gradient)), x)
    second = tf.convert_to_tensor(second)
    feeds = {x: np.float64(X)}
    found = interpret([gradient, second], feeds)
    # Central differences of step 1e-6 are right to some 1e-9; those of a gradient of 1e-5 less so.
    np.testing.assert_allclose(found[0], differences(y, x, feeds), rtol=1e-6, atol=1e-8)
    other = differences(tf.reduce_sum(tf.sin(gradient)), x, feeds, 1e-5)
    np.testing.assert_allclose(found[1], other, rtol=1e-5, atol=1e-7)


def test_what_is_written_at_the_counter_is_collected() -> None:
    array = collected(tf.constant(X), 4)
    (loop,) = [op for op in tf.get_default_graph().operations if op.type == "Loop"]
    assert "WriteRow" not in str(loop.record.bodies[0].graph)
    assert array.flow.shape == [4, 3]


@pytest.mark.parametrize("known", [True, False])
def test_what_is_read_at_the_counter_is_taken_element_by_element(known: bool) -> None:
    """So its gradient is collected: it is not added up in an array for each iteration."""
    x = tf.placeholder(tf.float32, [None, 3])
    made = collected(x, 4 if known else tf.placeholder(tf.int32, []))
    assert tf.gradients(made.stack(), x) != [None]
    loops = [op for op in tf.get_default_graph().operations if op.type == "Loop"]
    texts = [str(body.graph) for op in loops for body in op.record.bodies]
    assert len(texts) == 2
    assert not any("Gather" in text for text in texts)


def test_elements_are_written_and_read_outside_of_loops() -> None:
    x = tf.constant(X)
    array = tf.TensorArray(tf.float32, 3).write(1, x[0]).write(0, x[1])
    grown = tf.TensorArray(tf.float32, 0, dynamic_size=True).write(0, 1.0).write(2, 3.0)
    rows = tf.TensorArray(tf.float32, 4).unstack(x)
    found = run([array.stack(), array.concat(), rows.gather([3, 1]), grown.stack(), grown.size()])
    wanted = np.stack([X[1], X[0], np.zeros(3, np.float32)])
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[2], X[[3, 1]])
    assert found[3].tolist() == [1, 0, 3]
    assert found[4] == 3


def test_scatter_split_and_concat() -> None:
    x = tf.constant(X)
    scattered = tf.TensorArray(tf.float32, 5).write(2, x[3]).scatter([4, 0], x[:2])
    pieces = tf.TensorArray(tf.float32, 2).split(x, [2, 2])
    found = run([scattered.stack(), pieces.stack(), pieces.concat(), pieces.read(1)])
    wanted = np.zeros([5, 3], np.float32)
    wanted[[4, 0, 2]] = X[[0, 1, 3]]
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], X.reshape(2, 2, 3))
    np.testing.assert_array_equal(found[2], X)
    np.testing.assert_array_equal(found[3], X[2:])


def test_mistakes_are_reported() -> None:
    array = tf.TensorArray(tf.float32, 3)
    with pytest.raises(ShapeError, match="element_shape"):
        array.stack()
    with pytest.raises(DTypeError, match="the elements are float32"):
        array.write(0, tf.constant(1))
    with pytest.raises(ShapeError, match="does not fit"):
        array.write(0, [1.0, 2.0]).write(1, [1.0])
    with pytest.raises(UnimplementedError, match="all equal"):
        array.split(tf.constant(X), [1, 3])
    with pytest.raises(ShapeError, match="not compatible"):
        tf.TensorArray(tf.float32, 3, element_shape=[2]).write(0, [1.0])
