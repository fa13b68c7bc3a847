"""Softmax regression on MNIST, fed step by step: what a step costs when it computes little."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.workloads.graph_model import GraphModel, tf
from benchmarks.workloads.workload import Arrays, Workload, mnist_batches


def data() -> dict[str, npt.NDArray[Any]]:
    """Zero weights, as the tutorial starts, and 50 batches of 100."""
    weights = {"W": np.zeros((784, 10), np.float32), "b": np.zeros(10, np.float32)}
    return weights | mnist_batches(50, 100)


def build(arrays: Arrays, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    W = tf.Variable(tf.zeros([784, 10]))
    b = tf.Variable(tf.zeros([10]))
    y = tf.nn.softmax(tf.matmul(x, W) + b)
    loss = -tf.reduce_sum(y_ * tf.log(y))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    feeds = [{x: i, y_: t} for i, t in zip(arrays["images"], arrays["one_hot"], strict=True)]
    return GraphModel(loss, train, {"W": W, "b": b}, arrays, feeds, feeds, threads)


WORKLOAD = Workload(
    name="softmax",
    title="Softmax regression, batch 100, SGD, fed step by step",
    data=data,
    build=build,
    warm_up=200,
    steps=1000,
    tolerance=1e-4,
)
