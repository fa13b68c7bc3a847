"""Networks become programs for devices that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.xla.running import session
from thalweg.backends.xla.program import XlaProgram


def _variable(*shape: int) -> Any:
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1, seed=1))


def _cnn(x: Any) -> Any:
    """The tutorial's."""
    image = tf.reshape(x, [-1, 28, 28, 1])
    for depth in ((1, 32), (32, 64)):
        sums = tf.nn.conv2d(image, _variable(5, 5, *depth), [1, 1, 1, 1], "SAME")
        image = tf.nn.max_pool(tf.nn.relu(sums), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    hidden = tf.nn.relu(tf.matmul(tf.reshape(image, [-1, 7 * 7 * 64]), _variable(3136, 32)))
    return tf.matmul(tf.nn.dropout(hidden, 0.5), _variable(32, 10))


def _lstm(x: Any) -> Any:
    rows = tf.reshape(x, [-1, 28, 28])
    states, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(8), rows, dtype=tf.float32)
    return tf.matmul(states[:, -1], _variable(8, 10))


def _residual(x: Any) -> Any:
    """Two blocks, the second with stride 2."""
    image = tf.reshape(x, [-1, 28, 28, 1]) * tf.ones([4])
    for stride in (1, 2):
        inner = tf.nn.conv2d(image, _variable(3, 3, 4, 4), [1, stride, stride, 1], "SAME")
        mean, variance = tf.nn.moments(inner, [0, 1, 2])
        inner = tf.nn.relu(tf.nn.batch_normalization(inner, mean, variance, None, None, 1e-3))
        short = tf.nn.avg_pool(image, [1, stride, stride, 1], [1, stride, stride, 1], "SAME")
        image = tf.nn.relu(tf.nn.conv2d(inner, _variable(3, 3, 4, 4), [1, 1, 1, 1], "SAME") + short)
    return tf.matmul(tf.reduce_mean(image, [1, 2]), _variable(4, 10))


def _transformer(x: Any) -> Any:
    words = tf.reshape(x, [-1, 28, 28])
    q, k, v = (tf.matmul(words, tf.ones([5, 1, 1]) * _variable(28, 8)) for _ in range(3))
    seen = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / np.sqrt(8))
    return tf.matmul(tf.reduce_mean(tf.matmul(seen, v), 1), _variable(8, 10))


@pytest.mark.parametrize("network", [_cnn, _lstm, _residual, _transformer])
def test_training_lowers_for_gpus_and_tpus(network: Callable[[Any], Any]) -> None:
    x, labels = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.int64, [None])
    logits = network(x)
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    step = tf.train.AdamOptimizer().minimize(loss)
    with session() as s:
        _, program = s.program([loss, step], {x: np.zeros([5, 784]), labels: np.zeros(5)})
        assert isinstance(program, XlaProgram)
        for platform in ("cuda", "tpu"):
            text = program.stablehlo(platform)
            assert "stablehlo.dot_general" in text
