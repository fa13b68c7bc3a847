"""The tutorial's convolutional network on MNIST: a step that computes 4 GFLOP, and its use."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import RECIPES
from benchmarks.workloads.graph_model import GraphModel, GraphPredictor, optimiser, tf, variables
from benchmarks.workloads.workload import (
    Cost,
    Workload,
    mnist_batches,
    prediction_cost,
    training_cost,
)

SHAPES = {
    "conv1": (5, 5, 1, 32),
    "conv2": (5, 5, 32, 64),
    "dense": (7 * 7 * 64, 1024),
    "out": (1024, 10),
}


def data(batches: int = 20, batch: int = 50) -> Data:
    """The tutorial's starting weights, with features in the order height, width, channel."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, shape in SHAPES.items():
        cut = np.clip(rng.standard_normal(shape, np.float32), -2, 2)
        weights[f"{name}_w"] = cut * np.float32(0.1)
        weights[f"{name}_b"] = np.full(shape[-1], 0.1, np.float32)
    return Data(weights, *mnist_batches(batches, batch))


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x, keep_prob, y, v = network(data)
    y_ = tf.placeholder(tf.float32, [None, 10])
    loss = -tf.reduce_sum(y_ * tf.log(y))
    recipe = RECIPES["cnn"]
    train = optimiser(recipe).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads, (keep_prob, recipe.keep))


def build_predictor(data: Data, threads: int) -> GraphPredictor:
    """Thalweg's side of the network's use."""
    tf.reset_default_graph()
    x, keep_prob, y, v = network(data)
    return GraphPredictor(x, y, v, data, threads, {keep_prob: 1.0})


def network(data: Data) -> tuple[Any, Any, Any, Any]:
    """The images, the share of units that are kept, the probabilities, and the variables."""
    x = tf.placeholder(tf.float32, [None, 784])
    keep_prob = tf.placeholder(tf.float32)
    v = variables(data)

    def convolution(image: Any, name: str) -> Any:
        sums = tf.nn.conv2d(image, v[f"{name}_w"], strides=[1, 1, 1, 1], padding="SAME")
        active = tf.nn.relu(sums + v[f"{name}_b"])
        return tf.nn.max_pool(active, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")

    image = tf.reshape(x, [-1, 28, 28, 1])
    features = tf.reshape(convolution(convolution(image, "conv1"), "conv2"), [-1, 7 * 7 * 64])
    hidden = tf.nn.relu(tf.matmul(features, v["dense_w"]) + v["dense_b"])
    kept = tf.nn.dropout(hidden, keep_prob)
    return x, keep_prob, tf.nn.softmax(tf.matmul(kept, v["out_w"]) + v["out_b"]), v


def multiplications(data: Data) -> dict[str, int]:
    """Of each layer, for a batch: a kernel's size times the places where it is applied."""
    places = {"conv1": 28 * 28, "conv2": 14 * 14}
    batch = data.inputs.shape[1]
    return {k: batch * places.get(k, 1) * int(np.prod(shape)) for k, shape in SHAPES.items()}


def cost(data: Data) -> Cost:
    """A step of training."""
    layers = multiplications(data)
    return training_cost(data, sum(layers.values()), layers["conv1"], "adam")


def cost_of_prediction(data: Data) -> Cost:
    """A prediction."""
    return prediction_cost(data, sum(multiplications(data).values()))


TRAINING = Workload(
    name="cnn",
    title="CNN of the tutorial (two 5x5 convolutions, dense 1024, dropout), batch 50, Adam",
    data=data,
    build=build,
    warm_up=3,
    steps=15,
    tolerance=1e-3,
    cost=cost,
)
LATENCY = Workload(
    name="cnn_predict_1",
    title="Its prediction of one image",
    data=lambda: data(20, 1),
    build=build_predictor,
    warm_up=50,
    steps=300,
    tolerance=1e-4,
    cost=cost_of_prediction,
)
THROUGHPUT = Workload(
    name="cnn_predict_256",
    title="Its prediction of 256 images",
    data=lambda: data(5, 256),
    build=build_predictor,
    warm_up=3,
    steps=10,
    tolerance=1e-4,
    cost=cost_of_prediction,
)
