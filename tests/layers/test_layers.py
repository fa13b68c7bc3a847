"""Layers that make their own variables, against NumPy and the functions that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf

ATOL = 1e-5  # sums of some tens of float32 products of size 1


@pytest.fixture(autouse=True)
def session() -> Iterator[tf.Session]:
    """A session over an empty graph, for each test."""
    with tf.Graph().as_default(), tf.Session() as made:
        tf.set_random_seed(1)
        yield made


def values(session: tf.Session, *names: str) -> list[Any]:
    """The values of variables, after initialising all."""
    session.run(tf.global_variables_initializer())
    return list(session.run([f"{name}:0" for name in names]))


def test_dense(session: tf.Session) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    y = tf.layers.dense(tf.constant(x), 5, tf.nn.relu, bias_initializer=tf.ones_initializer())
    kernel, bias = values(session, "dense/kernel", "dense/bias")
    np.testing.assert_allclose(session.run(y), np.maximum(x @ kernel + bias, 0), atol=ATOL)


def test_dense_over_the_last_of_several_axes(session: tf.Session) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    given = tf.placeholder(tf.float32, [None, None, 3])
    y = tf.layers.dense(given, 5, use_bias=False)
    assert y.shape.as_list() == [None, None, 5]
    (kernel,) = values(session, "dense/kernel")
    np.testing.assert_allclose(session.run(y, {given: x}), x @ kernel, atol=ATOL)
    assert len(tf.global_variables()) == 1


def test_fully_connected(session: tf.Session) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    y = tf.contrib.layers.fully_connected(tf.constant(x), 5)
    double = tf.contrib.layers.fully_connected(y, 2, None, lambda made: made * 2, scope="out")
    names = ["fully_connected/weights", "fully_connected/biases", "out/weights"]
    assert [variable.op.name for variable in tf.global_variables()] == names
    weights, biases, last = values(session, *names)
    hidden = np.maximum(x @ weights + biases, 0)
    np.testing.assert_allclose(session.run(y), hidden, atol=ATOL)
    np.testing.assert_allclose(session.run(double), hidden @ last * 2, atol=ATOL)


def test_names_are_made_unique_and_a_given_one_is_used_again(session: tf.Session) -> None:
    x = tf.ones([2, 3])
    tf.layers.dense(x, 4)
    tf.layers.dense(x, 4)
    one = tf.layers.dense(x, 4, name="out")
    again = tf.layers.dense(x, 4, name="out", reuse=True)
    names = [variable.name for variable in tf.trainable_variables()]
    assert names == [
        f"{scope}/{name}:0" for scope in ("dense", "dense_1", "out") for name in ("kernel", "bias")
    ]
    session.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(*session.run([one, again]))
    with pytest.raises(ValueError, match="out/kernel"):
        tf.layers.dense(x, 4, name="out")


def test_regularisers_add_losses(session: tf.Session) -> None:
    square = tf.contrib.layers.l2_regularizer(0.5)
    tf.layers.dense(tf.ones([2, 3]), 4, kernel_regularizer=square, activity_regularizer=square)
    assert len(tf.losses.get_regularization_losses()) == 2


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv2d(session: tf.Session, padding: str, data_format: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 3)).astype(np.float32)
    is_last = data_format == "channels_last"
    given = x if is_last else x.transpose(0, 3, 1, 2)
    y = tf.layers.conv2d(given, 4, [3, 2], 2, padding, data_format, activation=tf.nn.relu)
    (kernel,) = values(session, "conv2d/kernel")
    assert kernel.shape == (3, 2, 3, 4)
    wanted = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], padding.upper()))
    found, expected = session.run([y, wanted])
    found = found if is_last else found.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=ATOL)


@pytest.mark.parametrize(("padding", "size"), [("same", (6, 8)), ("valid", (7, 9))])
def test_conv2d_transpose(session: tf.Session, padding: str, size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 3)).astype(np.float32)
    given = tf.placeholder(tf.float32, [None, 3, 4, 3])
    y = tf.layers.conv2d_transpose(given, 5, 3, 2, padding)
    assert y.shape.as_list() == [None, *size, 5]
    (kernel,) = values(session, "conv2d_transpose/kernel")
    wanted = tf.nn.conv2d_transpose(x, kernel, [2, *size, 5], [1, 2, 2, 1], padding.upper())
    np.testing.assert_allclose(session.run(y, {given: x}), session.run(wanted), atol=ATOL)


def test_pooling(session: tf.Session) -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    largest, mean = tf.layers.max_pooling2d(x, 2, 2), tf.layers.average_pooling2d(x, (2, 2), (2, 2))
    np.testing.assert_array_equal(session.run(largest)[0, ..., 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(session.run(mean)[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])


def test_dropout_is_for_training_only(session: tf.Session) -> None:
    x, training = np.ones([100, 100], np.float32), tf.placeholder(tf.bool, [])
    y = tf.layers.dropout(tf.constant(x), 0.25, training=training)
    np.testing.assert_array_equal(session.run(y, {training: False}), x)
    dropped = session.run(y, {training: True})
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.03  # seven standard deviations
    assert tf.layers.dropout(tf.constant(x)).op.type == "Identity"


def test_flatten(session: tf.Session) -> None:
    known = tf.placeholder(tf.float32, [None, 3, 4])
    assert tf.layers.flatten(known).shape.as_list() == [None, 12]
    open_ = tf.placeholder(tf.float32, [None, None, 4])
    assert session.run(tf.layers.flatten(open_), {open_: np.zeros([2, 5, 4])}).shape == (2, 20)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalisation(session: tf.Session, axis: int) -> None:
    x = np.random.default_rng(0).normal(3, 2, size=(8, 4, 5)).astype(np.float32)
    training = tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(tf.constant(x), axis, momentum=0.9, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(updates) == 2
    assert [v.name for v in tf.trainable_variables()] == [
        "batch_normalization/gamma:0",
        "batch_normalization/beta:0",
    ]
    session.run(tf.global_variables_initializer())
    axes = tuple(n for n in range(3) if n != axis % 3)
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    found = session.run([y, *updates], {training: True})[0]
    np.testing.assert_allclose(found, (x - mean) / np.sqrt(variance + 1e-3), atol=1e-4)
    names = ("moving_mean", "moving_variance")
    moved = session.run([f"batch_normalization/{name}:0" for name in names])
    np.testing.assert_allclose(moved[0], 0.1 * mean.ravel(), atol=ATOL)
    np.testing.assert_allclose(moved[1], 0.9 + 0.1 * variance.ravel(), atol=ATOL)
    shape = [1, 1, 1]
    shape[axis] = -1
    average, spread = (value.reshape(shape) for value in moved)
    found = session.run(y, {training: False})
    np.testing.assert_allclose(found, (x - average) / np.sqrt(spread + 1e-3), atol=1e-4)


def test_mistakes_name_the_layer() -> None:
    with pytest.raises(ValueError, match=r"dense: the extent of axis -1 must be known.*\[2, \?\]"):
        tf.layers.dense(tf.placeholder(tf.float32, [2, None]), 3)
    with pytest.raises(ValueError, match=r"conv2d: the inputs must have rank 4; they are \[2, 3\]"):
        tf.layers.conv2d(tf.ones([2, 3]), 3, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="kernel_size must be one number or"):
        tf.layers.conv2d(tf.ones([2, 3, 3, 1]), 3, [1, 2, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="renorm is not supported"):
        tf.layers.batch_normalization(tf.ones([2, 3]), renorm=True)
