"""The tutorial's convolutional network on MNIST: a step that computes 4 GFLOP."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.workloads.graph_model import GraphModel, tf
from benchmarks.workloads.workload import Arrays, Workload, mnist_batches

SHAPES = {
    "conv1": (5, 5, 1, 32),
    "conv2": (5, 5, 32, 64),
    "dense": (7 * 7 * 64, 1024),
    "out": (1024, 10),
}


def data() -> dict[str, npt.NDArray[Any]]:
    """The tutorial's starting weights and 20 batches of 50.

    Kernels are [height, width, in, out]; dense weights [in, out], with features in the
    order height, width, channel.
    """
    rng = np.random.default_rng(1)
    weights: dict[str, npt.NDArray[Any]] = {}
    for name, shape in SHAPES.items():
        normal = rng.standard_normal(shape, np.float32)
        weights[f"{name}_w"] = np.clip(normal, -2, 2) * np.float32(0.1)
        weights[f"{name}_b"] = np.full(shape[-1], 0.1, np.float32)
    return weights | mnist_batches(20, 50)


def build(arrays: Arrays, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    keep_prob = tf.placeholder(tf.float32)
    v = {
        key: tf.Variable(tf.zeros(arrays[key].shape)) for key in arrays if key[-2:] in ("_w", "_b")
    }

    def convolution(image: Any, name: str) -> Any:
        sums = tf.nn.conv2d(image, v[f"{name}_w"], strides=[1, 1, 1, 1], padding="SAME")
        active = tf.nn.relu(sums + v[f"{name}_b"])
        return tf.nn.max_pool(active, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")

    image = tf.reshape(x, [-1, 28, 28, 1])
    features = tf.reshape(convolution(convolution(image, "conv1"), "conv2"), [-1, 7 * 7 * 64])
    hidden = tf.nn.relu(tf.matmul(features, v["dense_w"]) + v["dense_b"])
    kept = tf.nn.dropout(hidden, keep_prob)
    y = tf.nn.softmax(tf.matmul(kept, v["out_w"]) + v["out_b"])
    loss = -tf.reduce_sum(y_ * tf.log(y))
    train = tf.train.AdamOptimizer(1e-4).minimize(loss)
    pairs = list(zip(arrays["images"], arrays["one_hot"], strict=True))
    feeds = [{x: i, y_: t, keep_prob: 0.5} for i, t in pairs]
    checked = [{x: i, y_: t, keep_prob: 1.0} for i, t in pairs]
    return GraphModel(loss, train, v, arrays, feeds, checked, threads)


WORKLOAD = Workload(
    name="cnn",
    title="CNN of the tutorial (two 5x5 convolutions, dense 1024, dropout), batch 50, Adam",
    data=data,
    build=build,
    warm_up=3,
    steps=15,
    tolerance=1e-3,
)
