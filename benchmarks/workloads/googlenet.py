"""GoogLeNet (Szegedy et al. 2015, table 1) on random images of ImageNet's size: training, and use.

It is trained without the two auxiliary classifiers, which their authors found to help little
(Szegedy et al. 2016, section 4). The first convolution is padded by 3 pixels on every side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import (
    RECIPES,
    RESPONSE_ALPHA,
    RESPONSE_BETA,
    RESPONSE_CHANNELS,
    blocks,
)
from benchmarks.workloads.graph_model import (
    GraphModel,
    GraphPredictor,
    Variables,
    optimiser,
    tf,
    variables,
)
from benchmarks.workloads.workload import (
    Cost,
    Workload,
    normal,
    prediction_cost,
    training_cost,
    zeros,
)

SIZE, CLASSES = 224, 1000
# Channels of 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, pool; and the size of the images.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32, 28),
    "3b": (128, 128, 192, 32, 96, 64, 28),
    "4a": (192, 96, 208, 16, 48, 64, 14),
    "4b": (160, 112, 224, 24, 64, 64, 14),
    "4c": (128, 128, 256, 24, 64, 64, 14),
    "4d": (112, 144, 288, 32, 64, 64, 14),
    "4e": (256, 160, 320, 32, 128, 128, 14),
    "5a": (256, 160, 320, 32, 128, 128, 7),
    "5b": (384, 192, 384, 48, 128, 128, 7),
}


def data(batches: int = 4, batch: int = 8, size: int = SIZE) -> Data:
    """Random weights; random images and labels."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, kernel, inputs, outputs, _ in convolutions():
        weights[f"{name}_w"] = normal(rng, kernel, kernel, inputs, outputs)
        weights[f"{name}_b"] = zeros(outputs)
    weights |= {"out_w": normal(rng, 1024, CLASSES), "out_b": zeros(CLASSES)}
    images = rng.standard_normal((batches, batch, size, size, 3), np.float32)
    return Data(weights, images, rng.integers(CLASSES, size=(batches, batch)))


def convolutions() -> Iterator[tuple[str, int, int, int, int]]:
    """Name, size of the kernel, input and output channels, and size of the output of each."""
    yield "conv1", 7, 3, 64, 112
    yield "conv2", 1, 64, 64, 56
    yield "conv3", 3, 64, 192, 56
    inputs = 192
    for name, (one, small3, three, small5, five, pool, size) in MODULES.items():
        yield f"{name}_1x1", 1, inputs, one, size
        yield f"{name}_3x3_reduce", 1, inputs, small3, size
        yield f"{name}_3x3", 3, small3, three, size
        yield f"{name}_5x5_reduce", 1, inputs, small5, size
        yield f"{name}_5x5", 5, small5, five, size
        yield f"{name}_pool", 1, inputs, pool, size
        inputs = one + three + five + pool


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    x, keep_prob, v, logits = _network(data)
    y_ = tf.placeholder(tf.int64, [None])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    loss, recipe = tf.reduce_mean(losses), RECIPES["googlenet"]
    train = optimiser(recipe).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads, (keep_prob, recipe.keep))


def build_predictor(data: Data, threads: int) -> GraphPredictor:
    """Thalweg's side of the network's use."""
    x, keep_prob, v, logits = _network(data)
    return GraphPredictor(x, tf.nn.softmax(logits), v, data, threads, {keep_prob: 1.0})


def _network(data: Data) -> tuple[Any, Any, Variables, Any]:
    """Images, the share of units to keep, weights and logits, in a graph of their own."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, *data.inputs.shape[2:]])
    keep_prob = tf.placeholder(tf.float32)
    v = variables(data)
    padded = tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]])
    h = _response_norm(_pool(_convolution(v, padded, "conv1", 2, "VALID"), 2))
    h = _pool(_response_norm(_convolution(v, _convolution(v, h, "conv2"), "conv3")), 2)
    for name in blocks(v, "_pool_w"):
        h = _inception(v, _pool(h, 2) if name in ("4a", "5a") else h, name)
    kept = tf.nn.dropout(tf.reduce_mean(h, [1, 2]), keep_prob)
    return x, keep_prob, v, tf.matmul(kept, v["out_w"]) + v["out_b"]


def _inception(v: Variables, h: Any, name: str) -> Any:
    one = _convolution(v, h, f"{name}_1x1")
    three = _convolution(v, _convolution(v, h, f"{name}_3x3_reduce"), f"{name}_3x3")
    five = _convolution(v, _convolution(v, h, f"{name}_5x5_reduce"), f"{name}_5x5")
    pool = _convolution(v, _pool(h, 1), f"{name}_pool")
    return tf.concat([one, three, five, pool], axis=3)


def _convolution(v: Variables, h: Any, name: str, stride: int = 1, padding: str = "SAME") -> Any:
    sums = tf.nn.conv2d(h, v[f"{name}_w"], strides=[1, stride, stride, 1], padding=padding)
    return tf.nn.relu(sums + v[f"{name}_b"])


def _pool(h: Any, stride: int) -> Any:
    return tf.nn.max_pool(h, ksize=[1, 3, 3, 1], strides=[1, stride, stride, 1], padding="SAME")


def _response_norm(h: Any) -> Any:
    channels, margin = int(h.shape[3]), RESPONSE_CHANNELS // 2
    squares = tf.pad(tf.square(h), [[0, 0], [0, 0], [0, 0], [margin, margin]])
    sums = tf.add_n([squares[..., n : n + channels] for n in range(RESPONSE_CHANNELS)])
    return h * tf.pow(1.0 + RESPONSE_ALPHA / RESPONSE_CHANNELS * sums, -RESPONSE_BETA)


def multiplications(data: Data) -> list[int]:
    """Of each convolution and the dense layer, for a batch of images of the full size."""
    layers = [k * k * i * o * s * s for _, k, i, o, s in convolutions()]
    return [data.inputs.shape[1] * each for each in (*layers, data.weights["out_w"].size)]


def cost(data: Data) -> Cost:
    """A step of training."""
    layers = multiplications(data)
    return training_cost(data, sum(layers), layers[0], "momentum")


def cost_of_prediction(data: Data) -> Cost:
    """A prediction."""
    return prediction_cost(data, sum(multiplications(data)))


TRAINING = Workload(
    name="googlenet",
    title="GoogLeNet on 224x224x3, batch 8, momentum",
    data=data,
    build=build,
    warm_up=1,
    steps=4,
    tolerance=1e-3,
    cost=cost,
)
LATENCY = Workload(
    name="googlenet_predict_1",
    title="GoogLeNet's prediction of one image",
    data=lambda: data(10, 1),
    build=build_predictor,
    warm_up=5,
    steps=40,
    tolerance=1e-3,
    cost=cost_of_prediction,
)
THROUGHPUT = Workload(
    name="googlenet_predict_16",
    title="GoogLeNet's prediction of 16 images",
    data=lambda: data(3, 16),
    build=build_predictor,
    warm_up=1,
    steps=5,
    tolerance=1e-3,
    cost=cost_of_prediction,
)
