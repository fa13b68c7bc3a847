"""The layers in Thalweg's public API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import thalweg as tf
from tests.networks.layers import Array, Layers, weights

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": tf.nn.leaky_relu,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
}


class ThalwegLayers(Layers):
    """The layers as a graph.

    Args:
        dtype: of all weights.

    Attributes:
        variables: the weights, in order.
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self.variables: list[tf.Variable] = []

    def weight(self, shape: Sequence[int], fan_in: int) -> Any:
        return self._variable(weights(len(self.variables), shape, fan_in))

    def vector(self, size: int, value: float) -> Any:
        return self._variable(np.full(size, value, np.float32))

    def _variable(self, value: Array) -> Any:
        self.variables.append(tf.Variable(tf.constant(value.astype(self._dtype), self._dtype)))
        return self.variables[-1]

    def channels(self, x: Any) -> int:
        return int(x.get_shape()[-1])

    def convolved(self, x: Any, w: Any, stride: int, padding: str) -> Any:
        return tf.nn.conv2d(x, w, [1, stride, stride, 1], padding)

    def depthwise(self, x: Any, kernel: int, stride: int = 1) -> Any:
        w = self.weight((kernel, kernel, self.channels(x), 1), kernel * kernel)
        return tf.nn.depthwise_conv2d(x, w, [1, stride, stride, 1], "SAME")

    def enlarged(self, x: Any, outputs: int, kernel: int, stride: int) -> Any:
        w = self.weight((kernel, kernel, outputs, self.channels(x)), self.channels(x))
        shape, (_, height, width, _) = tf.shape(x), x.get_shape().as_list()
        wanted = tf.stack([shape[0], height * stride, width * stride, outputs])
        made = tf.nn.conv2d_transpose(x, w, wanted, [1, stride, stride, 1], "SAME")
        made.set_shape([x.get_shape()[0], height * stride, width * stride, outputs])
        return made

    def norm(self, x: Any) -> Any:
        size, axes = self.channels(x), list(range(len(x.get_shape()) - 1))
        scale, offset = self.vector(size, 1.0), self.vector(size, 0.05)
        mean, variance = tf.nn.moments(x, axes)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)

    def response_norm(self, x: Any) -> Any:
        size = self.channels(x)
        squares = tf.pad(tf.square(x), [[0, 0], [0, 0], [0, 0], [2, 2]])
        total = tf.add_n([squares[..., n : n + size] for n in range(5)])
        return x / tf.pow(total * (1e-4 / 5) + 1.0, 0.75)

    def function(self, name: str, x: Any) -> Any:
        return FUNCTIONS[name](x)

    def max_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        return tf.nn.max_pool(x, [1, size, size, 1], [1, stride, stride, 1], padding)

    def avg_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        return tf.nn.avg_pool(x, [1, size, size, 1], [1, stride, stride, 1], padding)

    def mean(self, x: Any) -> Any:
        return tf.reduce_mean(x, [1, 2])

    def concat(self, parts: Sequence[Any]) -> Any:
        return tf.concat(list(parts), -1)

    def split(self, x: Any, count: int) -> Sequence[Any]:
        return tf.split(x, count, len(x.get_shape()) - 1)

    def cropped(self, x: Any, like: Any) -> Any:
        _, rows, columns, _ = like.get_shape().as_list()
        _, height, width, _ = x.get_shape().as_list()
        top, left = (height - rows) // 2, (width - columns) // 2
        return x[:, top : top + rows, left : left + columns, :]

    def flat(self, x: Any) -> Any:
        _, *rest = x.get_shape().as_list()
        return tf.reshape(x, [-1, rest[0] * rest[1] * rest[2]])

    def shaped(self, x: Any, side: int, channels: int) -> Any:
        return tf.reshape(x, [-1, side, side, channels])

    def product(self, x: Any, w: Any) -> Any:
        return tf.matmul(x, w)

    def classified(self, logits: Any, wanted: Any) -> Any:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=wanted, logits=logits)
        return tf.reduce_mean(losses)

    def total(self, x: Any) -> Any:
        return tf.reduce_mean(x)

    def slope(self, y: Any, x: Any) -> Any:
        (gradient,) = tf.gradients(y, x)
        return tf.sqrt(tf.reduce_sum(tf.square(gradient), [1, 2, 3]) + 1e-6)
