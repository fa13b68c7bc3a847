"""The texts of errors: the op, all shapes, and the user's own lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf


def message(build: Callable[[], Any], kind: type[Exception]) -> list[str]:
    with pytest.raises(kind) as caught:
        build()
    return str(caught.value).splitlines()


def test_inner_dimensions_of_matmul() -> None:
    x = tf.placeholder(tf.float32, [100, 784])
    W = tf.Variable(tf.zeros([785, 10]))
    first, at, a, b = message(lambda: tf.matmul(x, W), ValueError)
    assert first == "matmul: inner dimensions differ: a is [100, 784], b is [785, 10]"
    assert at.startswith("  at test_errors.py:")
    assert "tf.matmul(x, W)" in at
    assert a.startswith("  a was made at test_errors.py:")
    assert a.endswith("x = tf.placeholder(tf.float32, [100, 784])")
    assert b.endswith("W = tf.Variable(tf.zeros([785, 10]))")


def test_dtypes_that_differ() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    n = tf.constant([1, 2, 3], name="n")
    first, at, *made = message(lambda: x * n, TypeError)
    assert first == "mul: 'x:0' is float32[?, 3] but 'n:0' is int32[3]: use tf.cast on one of them"
    assert at.endswith("message(lambda: x * n, TypeError)")
    assert [line.split(" was made")[0] for line in made] == ["  'x:0'", "  'n:0'"]


def test_shapes_that_do_not_broadcast() -> None:
    x = tf.placeholder(tf.float32, [None, 784])
    first, *_ = message(lambda: x + tf.zeros([5]), ValueError)
    assert first == "add: shapes [?, 784] and [5] are not compatible"


def test_a_convolution_shows_the_image_as_it_was_given() -> None:
    image, filters = tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 4, 8])
    first, at, *_ = message(lambda: tf.nn.conv2d(image, filters, [1, 1, 1, 1], "SAME"), ValueError)
    assert first == (
        "conv2d: input has 3 channels but the filter takes 4: "
        "input is [1, 5, 5, 3], filter is [3, 3, 4, 8]"
    )
    assert at.startswith("  at test_errors.py:")


def test_a_bias_that_does_not_fit() -> None:
    x = tf.placeholder(tf.float32, [None, 784])
    first, at, *_ = message(lambda: tf.nn.bias_add(x, tf.zeros([5])), ValueError)
    assert first == (
        "bias_add: the value has 784 channels but the bias 5 elements: "
        "value is [?, 784], bias is [5]"
    )
    assert at.startswith("  at test_errors.py:")


@pytest.mark.parametrize("count", [1, 3])
def test_a_slice_with_too_few_or_too_many_numbers(count: int) -> None:
    numbers = [1] * count
    first, at, *_ = message(lambda: tf.slice(tf.zeros([2, 3]), numbers, numbers), ValueError)
    assert (
        first == f"slice: begin {numbers} and size {numbers} must have 2 elements each, for [2, 3]"
    )
    assert at.startswith("  at test_errors.py:")
    begin = tf.placeholder(tf.int32, [None])
    part = tf.slice(tf.zeros([2, 3]), begin, [1, 1])
    with tf.Session() as session:
        first, at, *_ = message(lambda: session.run(part, {begin: numbers}), ValueError)
    assert first.endswith("must have 2 elements each, for [2, 3]")
    assert at.startswith("  at test_errors.py:")


def test_feeds() -> None:
    x = tf.placeholder(tf.float32, [None, 784], name="x")
    total = tf.reduce_sum(x)
    with tf.Session() as session:
        missing, *_ = message(lambda: session.run(total), ValueError)
        assert missing == "the placeholder 'x' (float32 [?, 784]) was not fed"
        wrong, *_ = message(lambda: session.run(total, {x: np.zeros((3, 5))}), ValueError)
        assert wrong == ("the feed for the placeholder 'x' (float32 [?, 784]) has the shape [3, 5]")


def test_fetches() -> None:
    with tf.Graph().as_default():
        foreign = tf.constant(1.0)
    with tf.Session() as session:
        (text, _) = message(lambda: session.run(foreign), ValueError)
        assert "is not an element of this graph, but of another" in text
    with pytest.raises(RuntimeError, match="the session is closed"):
        session.run(tf.constant(1.0))


def test_unknown_devices() -> None:
    with tf.device("/gpu:7"):
        y = tf.Variable(1.0) + 2.0
    assert y.device == "/device:GPU:7"
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(y)
    message = str(caught.value)
    assert "'Variable' (VariableV2): there is no device '/device:GPU:7' here;" in message
    assert "at test_errors.py" in message
    assert "tf.Variable(1.0) + 2.0" in message
    with tf.device("/cpu:0"):
        assert tf.constant(1.0).device == "/device:CPU:0"
