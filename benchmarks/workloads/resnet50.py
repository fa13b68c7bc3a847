"""ResNet-50 (He et al. 2016, table 1) on random images of ImageNet's size: training, and its use.

As is usual now, a bottleneck that halves the size does so in its 3x3 convolution. Convolutions of
stride 2 are padded by half their kernel on every side. Training normalises by the batch's own
moments, and keeps no moving averages; a prediction normalises by moments that are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import RECIPES, blocks
from benchmarks.workloads.graph_model import (
    GraphModel,
    GraphPredictor,
    Variables,
    optimiser,
    tf,
    variables,
)
from benchmarks.workloads.resnet import convolution
from benchmarks.workloads.workload import (
    Cost,
    Workload,
    normal,
    ones,
    prediction_cost,
    training_cost,
    zeros,
)

SIZE, CLASSES, STAGES, WIDTH = 224, 1000, (3, 4, 6, 3), 64
LAST_SCALE = 0.25  # of a block's last normalisation: without it each block would add its variance


def data(batches: int = 4, batch: int = 8, size: int = SIZE, width: int = WIDTH) -> Data:
    """Random weights; random images and labels."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, kernel, inputs, outputs, _ in convolutions(size, width):
        scale = np.float32(LAST_SCALE if name.endswith("_conv3") else 1.0)
        weights[f"{name}_w"] = normal(rng, kernel, kernel, inputs, outputs)
        weights |= {f"{name}_scale": ones(outputs) * scale, f"{name}_offset": zeros(outputs)}
    weights |= {"out_w": normal(rng, width * 32, CLASSES), "out_b": zeros(CLASSES)}
    images = rng.standard_normal((batches, batch, size, size, 3), np.float32)
    return Data(weights, images, rng.integers(CLASSES, size=(batches, batch)))


def data_of_use(batches: int, batch: int, size: int = SIZE, width: int = WIDTH) -> Data:
    """The same with the moments that a prediction normalises by."""
    rng, made = np.random.default_rng(2), data(batches, batch, size, width)
    moments: dict[str, Array] = {}
    for name in blocks(made.weights, "_scale"):
        channels = len(made.weights[f"{name}_scale"])
        moments[f"{name}_mean"] = rng.normal(0, 0.2, channels).astype(np.float32)
        moments[f"{name}_variance"] = rng.uniform(0.75, 1.25, channels).astype(np.float32)
    return Data({**made.weights, **moments}, made.inputs, made.labels)


def convolutions(size: int = SIZE, width: int = WIDTH) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, size of the kernel, input and output channels, and size of the output of each."""
    yield "stem", 7, 3, width, size // 2
    inputs = width
    for stage, count in enumerate(STAGES):
        inner, outputs = width << stage, 4 * width << stage
        side = size >> 2 + stage
        for block in range(count):
            name, before = f"stage{stage}_block{block}", side << bool(stage and not block)
            if inputs != outputs:
                yield f"{name}_skip", 1, inputs, outputs, side
            yield f"{name}_conv1", 1, inputs, inner, before
            yield f"{name}_conv2", 3, inner, inner, side
            yield f"{name}_conv3", 1, inner, outputs, side
            inputs = outputs


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    x, v, logits = _network(data)
    y_ = tf.placeholder(tf.int64, [None])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    loss = tf.reduce_mean(losses)
    train = optimiser(RECIPES["resnet50"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def build_predictor(data: Data, threads: int) -> GraphPredictor:
    """Thalweg's side of the network's use."""
    x, v, logits = _network(data)
    return GraphPredictor(x, tf.nn.softmax(logits), v, data, threads)


def _network(data: Data) -> tuple[Any, Variables, Any]:
    """Images, weights and logits, in a graph of their own."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, *data.inputs.shape[2:]])
    v = variables(data)
    h = tf.nn.relu(convolution(v, x, "stem", 2))
    h = tf.nn.max_pool(h, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="SAME")
    for name in blocks(v, "_conv1_w"):
        h = _bottleneck(v, h, name)
    return x, v, tf.matmul(tf.reduce_mean(h, [1, 2]), v["out_w"]) + v["out_b"]


def _bottleneck(v: Variables, image: Any, name: str) -> Any:
    projected = f"{name}_skip_w" in v
    stride = 2 if projected and not name.startswith("stage0") else 1
    skip = convolution(v, image, f"{name}_skip", stride) if projected else image
    h = tf.nn.relu(convolution(v, image, f"{name}_conv1"))
    h = tf.nn.relu(convolution(v, h, f"{name}_conv2", stride))
    return tf.nn.relu(convolution(v, h, f"{name}_conv3") + skip)


def multiplications(data: Data) -> list[int]:
    """Of each convolution and the dense layer, for a batch."""
    _, batch, size, *_ = data.inputs.shape
    layers = [k * k * i * o * s * s for _, k, i, o, s in convolutions(size)]
    return [batch * each for each in (*layers, data.weights["out_w"].size)]


def cost(data: Data) -> Cost:
    """A step of training."""
    layers = multiplications(data)
    return training_cost(data, sum(layers), layers[0], "momentum")


def cost_of_prediction(data: Data) -> Cost:
    """A prediction."""
    return prediction_cost(data, sum(multiplications(data)))


TRAINING = Workload(
    name="resnet50",
    title="ResNet-50 on 224x224x3, batch 8, momentum",
    data=data,
    build=build,
    warm_up=1,
    steps=2,
    tolerance=1e-3,
    cost=cost,
)
LATENCY = Workload(
    name="resnet50_predict_1",
    title="ResNet-50's prediction of one image",
    data=lambda: data_of_use(10, 1),
    build=build_predictor,
    warm_up=3,
    steps=20,
    tolerance=1e-3,
    cost=cost_of_prediction,
)
THROUGHPUT = Workload(
    name="resnet50_predict_16",
    title="ResNet-50's prediction of 16 images",
    data=lambda: data_of_use(3, 16),
    build=build_predictor,
    warm_up=1,
    steps=3,
    tolerance=1e-3,
    cost=cost_of_prediction,
)
