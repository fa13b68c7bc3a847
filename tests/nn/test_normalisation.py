"""Moments and batch normalisation against NumPy's, and gradients against central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array, differences

BACKENDS = ("numpy", "llvm")


def run(fetches: Any, feeds: Any, backend: str) -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


def images(dtype: str, mean: float = 0.0) -> Array:
    rng = np.random.default_rng(1)
    return np.asarray(rng.normal(mean, 2.0, (4, 5, 3, 6)), dtype)


def normalised(x: Array, scale: Array, offset: Array, axes: tuple[int, ...]) -> Array:
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    shape = mean.shape
    centred = (x - mean) / np.sqrt(variance + 1e-3)
    return np.asarray(centred * scale.reshape(shape) + offset.reshape(shape))


@pytest.mark.parametrize("keep_dims", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_moments(backend: str, keep_dims: bool) -> None:
    with tf.Graph().as_default():
        array = images("float32", mean=1000.0)
        x = tf.placeholder(tf.float32, [None, 5, 3, 6])
        mean, variance = tf.nn.moments(x, [0, 1, 2], keep_dims=keep_dims)
        actual = run([mean, variance], {x: array}, backend)
    wide = array.astype(np.float64)
    # The elements are 500 deviations from 0: squares less the square of the mean would leave the
    # variance 250,000 epsilons of error. Sums of 60 terms are off by 60 epsilons at most.
    np.testing.assert_allclose(actual[0], wide.mean((0, 1, 2), keepdims=keep_dims), rtol=8e-6)
    np.testing.assert_allclose(actual[1], wide.var((0, 1, 2), keepdims=keep_dims), rtol=1e-4)


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_fused_batch_norm(backend: str, dynamic: bool, data_format: str) -> None:
    channel, axes = (3, (0, 1, 2)) if data_format == "NHWC" else (1, (0, 2, 3))
    array = images("float64", mean=3.0)
    channels = array.shape[channel]
    scale, offset = np.linspace(0.5, 2, channels), np.linspace(-1, 1, channels)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float64, [None, *array.shape[1:]] if dynamic else array.shape)
        y, mean, variance = tf.nn.fused_batch_norm(x, scale, offset, data_format=data_format)
        again = tf.nn.fused_batch_norm(
            x, scale, offset, mean, variance, data_format=data_format, is_training=False
        )
        values = run([y, mean, variance, *again], {x: array}, backend)
    # Sums of at most 100 terms of the size of 10, in float64.
    close: Any = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(values[0], normalised(array, scale, offset, axes), **close)
    np.testing.assert_allclose(values[1], array.mean(axes), **close)
    np.testing.assert_allclose(values[2], array.var(axes, ddof=1), **close)
    np.testing.assert_array_equal(values[4], values[1])
    np.testing.assert_array_equal(values[5], values[2])
    shape = [-1 if n == channel else 1 for n in range(4)]
    mean_, variance_ = values[1].reshape(shape), values[2].reshape(shape)
    by_given = (array - mean_) / np.sqrt(variance_ + 1e-3) * scale.reshape(shape)
    np.testing.assert_allclose(values[3], by_given + offset.reshape(shape), **close)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients(backend: str, fused: bool) -> None:
    rng = np.random.default_rng(2)
    arrays = [rng.normal(1, 2, (3, 2, 2, 4)), rng.normal(size=4), rng.normal(size=4)]
    weights = rng.normal(size=arrays[0].shape)

    def loss(x: Array, scale: Array, offset: Array) -> float:
        return float((normalised(x, scale, offset, (0, 1, 2)) * weights).sum())

    with tf.Graph().as_default():
        x, scale, offset = inputs = [tf.placeholder(tf.float64, a.shape) for a in arrays]
        if fused:
            y, _, _ = tf.nn.fused_batch_norm(x, scale, offset)
        else:
            mean, variance = tf.nn.moments(x, [0, 1, 2])
            y = tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)
        gradients = tf.gradients(tf.reduce_sum(y * weights), inputs)
        actual = run(gradients, dict(zip(inputs, arrays, strict=True)), backend)
    for n, gradient in enumerate(actual):
        np.testing.assert_allclose(gradient, differences(loss, arrays, n), rtol=1e-6, atol=1e-6)


def test_one_element_has_variance_zero() -> None:
    with tf.Graph().as_default():
        made = tf.nn.fused_batch_norm(tf.ones([1, 1, 1, 2]) * 3, [1.0, 1.0], [0.0, 0.5])
        y, mean, variance = run(list(made), {}, "llvm")
    np.testing.assert_array_equal(y.reshape(-1), [0, 0.5])
    np.testing.assert_array_equal(mean, [3, 3])
    np.testing.assert_array_equal(variance, [0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0.0], "variance": [1.0]}, "mean and variance must be None"),
        ({"is_training": False}, "give mean and variance"),
        ({"data_format": "NWHC"}, "'NHWC' or 'NCHW', not 'NWHC'"),
    ],
)
def test_mistakes_are_explained(arguments: dict[str, Any], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.nn.fused_batch_norm(tf.ones([1, 2, 2, 1]), [1.0], [0.0], **arguments)
