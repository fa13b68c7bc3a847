"""The two networks of the MNIST tutorials, as `thalweg train mnist` trains them.

They are those of TensorFlow 1's "MNIST for ML Beginners" and "Deep MNIST for Experts".
`examples/softmax.py` and `examples/cnn.py` are the same networks as programs of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import thalweg as tf
from thalweg.base.record import Record

__all__ = ["NETWORKS", "Kind", "Network", "convolutional", "softmax_regression"]

Array = npt.NDArray[Any]


class Network(Record):
    """A network with what trains it, all in one graph.

    Attributes:
        graph: where it is.
        images: placeholder, [n, 784].
        labels: placeholder, [n, 10], one-hot.
        keep: placeholder of the probability with which dropout keeps a unit, if there is dropout.
        loss: the cross-entropy, summed over the batch.
        accuracy: the fraction of the batch that is classified correctly.
        train: the operation that makes one step.
    """

    graph: tf.Graph
    images: tf.Tensor
    labels: tf.Tensor
    keep: tf.Tensor | None
    loss: tf.Tensor
    accuracy: tf.Tensor
    train: Any

    def feeds(self, images: Array, labels: Array, keep: float) -> dict[tf.Tensor, Any]:
        """What to feed; `keep` is ignored by a network without dropout."""
        fed = {self.images: images, self.labels: labels}
        return fed if self.keep is None else {**fed, self.keep: np.float32(keep)}


class Kind(Record):
    """A network to train and how the tutorial trains it.

    Attributes:
        title: for people.
        build: makes it, for a number of steps; with `full` as the tutorial has it, to the letter.
        batch: examples in a step.
        steps: how many steps by default.
        full_steps: how many steps with `--full`.
        eval_batch: examples in an evaluation's batch, which bounds the memory needed.
    """

    title: str
    build: Callable[[int, bool], Network]
    batch: int
    steps: int
    full_steps: int
    eval_batch: int


def softmax_regression(steps: int, full: bool) -> Network:
    """`softmax(x W + b)`, trained by gradient descent with a rate of 0.01."""
    images, labels = _placeholders()
    W = tf.Variable(tf.zeros([784, 10]), name="W")
    b = tf.Variable(tf.zeros([10]), name="b")
    y = tf.nn.softmax(tf.matmul(images, W) + b)
    return _trained(images, labels, None, y, tf.train.GradientDescentOptimizer(0.01))


def convolutional(steps: int, full: bool) -> Network:
    """Two convolutions with pooling, a dense layer with dropout, and softmax; trained by Adam.

    With `full` the learning rate is the tutorial's 1e-4, which takes 20,000 steps. Without, it
    falls exponentially from 1e-3 to 1e-4, which gets to 99 % in far fewer.
    """
    images, labels = _placeholders()
    keep = tf.placeholder(tf.float32, [], name="keep")
    x = tf.reshape(images, [-1, 28, 28, 1])
    x = _convolution(x, 1, 32, "conv1")
    x = _convolution(x, 32, 64, "conv2")
    x = tf.nn.relu(_dense(tf.reshape(x, [-1, 7 * 7 * 64]), 7 * 7 * 64, 1024, "dense1"))
    y = tf.nn.softmax(_dense(tf.nn.dropout(x, keep), 1024, 10, "dense2"))
    step = tf.Variable(0, trainable=False, name="step")
    rate = 1e-4 if full else tf.train.exponential_decay(1e-3, step, steps, 0.1)
    return _trained(images, labels, keep, y, tf.train.AdamOptimizer(rate), step)


NETWORKS = {
    "softmax": Kind("softmax regression", softmax_regression, 100, 1000, 1000, 1000),
    "cnn": Kind("convolutional network", convolutional, 50, 4000, 20_000, 500),
}


def _placeholders() -> tuple[tf.Tensor, tf.Tensor]:
    images = tf.placeholder(tf.float32, [None, 784], name="images")
    return images, tf.placeholder(tf.float32, [None, 10], name="labels")


def _convolution(x: tf.Tensor, channels: int, features: int, name: str) -> tf.Tensor:
    """A 5 x 5 convolution, then the largest of each 2 x 2 neighbours."""
    with tf.name_scope(name):
        W = tf.Variable(tf.truncated_normal([5, 5, channels, features], stddev=0.1), name="W")
        b = tf.Variable(tf.constant(0.1, shape=[features]), name="b")
        x = tf.nn.relu(tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding="SAME") + b)
        return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def _dense(x: tf.Tensor, inputs: int, outputs: int, name: str) -> tf.Tensor:
    with tf.name_scope(name):
        W = tf.Variable(tf.truncated_normal([inputs, outputs], stddev=0.1), name="W")
        b = tf.Variable(tf.constant(0.1, shape=[outputs]), name="b")
        return tf.matmul(x, W) + b


def _trained(
    images: tf.Tensor,
    labels: tf.Tensor,
    keep: tf.Tensor | None,
    y: tf.Tensor,
    optimizer: tf.train.Optimizer,
    step: Any = None,
) -> Network:
    loss = -tf.reduce_sum(labels * tf.log(y), name="loss")
    correct = tf.equal(tf.argmax(y, 1), tf.argmax(labels, 1))
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
    train = optimizer.minimize(loss, global_step=step)
    return Network(images.graph, images, labels, keep, loss, accuracy, train)
