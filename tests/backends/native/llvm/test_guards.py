"""Choices: what is read only where a test of indices allows it, and what is computed anyway."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import random

Make = Callable[[tf.Tensor], tf.Tensor]

ONES = [1, 1, 1, 1]


def _convolved(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, tf.constant(random(3, 3, 3, 4) * np.float32(0.3)), ONES, "SAME")


def _depthwise(x: tf.Tensor) -> tf.Tensor:
    filters = tf.constant(random(3, 3, 3, 2) * np.float32(0.3))
    return tf.nn.depthwise_conv2d(x, filters, ONES, "SAME") + 0.1


def _dense(x: tf.Tensor) -> tf.Tensor:
    return tf.matmul(tf.reshape(x, [-1, 147]), tf.constant(random(147, 16) * np.float32(0.1)))


# Sums whose terms are tested, or whose results go through a test of indices afterwards.
REDUCTIONS: dict[str, Make] = {
    "depthwise SAME": _depthwise,
    "max_pool SAME": lambda x: tf.nn.max_pool(x, [1, 3, 3, 1], ONES, "SAME"),
    "max_pool with a rest": lambda x: tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
    "avg_pool SAME": lambda x: tf.nn.avg_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"),
    "sum of concat": lambda x: tf.reduce_sum(tf.concat([x, x * x], 3), 3),
    "sum of stack": lambda x: tf.reduce_sum(tf.stack([x, x * x]), 0),
    "sum of pad": lambda x: tf.reduce_sum(tf.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]]), 2),
    "mean of a slice": lambda x: tf.reduce_mean(x[:, 1:, :-2], 1),
    "convolution of a convolution": lambda x: tf.nn.conv2d(
        _convolved(x), tf.constant(random(3, 3, 4, 4) * np.float32(0.3)), ONES, "SAME"
    ),
    "slice of a convolution": lambda x: _convolved(x)[:, 1:-1, :, 1:],
    "convolution of a slice": lambda x: _convolved(x[:, :, 1:-1]),
    "slice of a product": lambda x: _dense(x)[:, 3:11],
    "rows of a product": lambda x: _dense(x)[:-1],
    "padded product": lambda x: tf.pad(_dense(x), [[1, 1], [0, 3]]),
    "pooled convolution": lambda x: _convolved(tf.nn.max_pool(x, [1, 3, 3, 1], ONES, "SAME")),
    "gathered border": lambda x: tf.gather(
        tf.pad(x, [[0, 0], [2, 2], [0, 0], [0, 0]]), [0, 1, 5, 10], axis=1
    ),
}
FUNCTIONS: dict[str, Make] = {
    "identity": lambda y: y,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": tf.nn.leaky_relu,
    "maximum": lambda y: tf.maximum(y, 0.1),
    "clip": lambda y: tf.clip_by_value(y, -0.5, 0.5),
    "where": lambda y: tf.where(y > 0.1, y * 2.0, y),
    "square": tf.square,
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_values_and_gradients(reduction: str, function: str) -> None:
    """Against the reference: sums of up to 300 products of numbers near 1, so 1e-5 of the largest.

    A gradient may differ where the two ways round to either side of a kink; here none does.
    """
    x = tf.placeholder(tf.float32, [None, 7, 7, 3])
    y = FUNCTIONS[function](REDUCTIONS[reduction](x))
    fetches = [y, *tf.gradients(tf.reduce_sum(y * y), x)]
    feeds = {x: random(3, 7, 7, 3, seed=1)}
    made = []
    for backend in ("numpy", "llvm"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            made.append(session.run(fetches, feeds))
    for expected, actual in zip(*made, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
