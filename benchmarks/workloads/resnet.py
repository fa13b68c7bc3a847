"""ResNet-20 (He et al. 2016, section 4.2) on random images of CIFAR's size: batch normalisation.

Three stages of three blocks; a block that halves the size has a 1x1 convolution on its shortcut.
Convolutions of stride 2 are padded by one pixel on every side. Batch normalisation uses the batch's
own statistics; moving averages, which only a prediction would need, are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import NORM_EPSILON, RECIPES, blocks
from benchmarks.workloads.graph_model import GraphModel, Variables, optimiser, tf, variables
from benchmarks.workloads.workload import Cost, Workload, normal, ones, training_cost, zeros

SIZE = 32  # pixels
STAGES, BLOCKS = 3, 3


def data(batches: int = 10, batch: int = 64, count: int = BLOCKS) -> Data:
    """Random weights; random images and labels."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, kernel, inputs, outputs, _ in convolutions(count):
        weights[f"{name}_w"] = normal(rng, kernel, kernel, inputs, outputs)
        weights |= {f"{name}_scale": ones(outputs), f"{name}_offset": zeros(outputs)}
    weights |= {"out_w": normal(rng, 64, 10), "out_b": zeros(10)}
    images = rng.standard_normal((batches, batch, SIZE, SIZE, 3), np.float32)
    return Data(weights, images, rng.integers(10, size=(batches, batch)))


def convolutions(count: int = BLOCKS) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, size of the kernel, input and output channels, and size of the output of each."""
    yield "stem", 3, 3, 16, SIZE
    for stage in range(STAGES):
        size, width = SIZE >> stage, 16 << stage
        for block in range(count):
            inputs = width // 2 if stage and not block else width
            name = f"stage{stage}_block{block}"
            if inputs != width:
                yield f"{name}_skip", 1, inputs, width, size
            yield f"{name}_conv1", 3, inputs, width, size
            yield f"{name}_conv2", 3, width, width, size


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, SIZE, SIZE, 3])
    y_ = tf.placeholder(tf.int64, [None])
    v = variables(data)

    def block(image: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in v
        stride = 2 if projected else 1
        skip = convolution(v, image, f"{name}_skip", stride) if projected else image
        inner = tf.nn.relu(convolution(v, image, f"{name}_conv1", stride))
        return tf.nn.relu(convolution(v, inner, f"{name}_conv2") + skip)

    h = tf.nn.relu(convolution(v, x, "stem"))
    for name in blocks(v, "_conv1_w"):
        h = block(h, name)
    logits = tf.matmul(tf.reduce_mean(h, [1, 2]), v["out_w"]) + v["out_b"]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    loss = tf.reduce_mean(losses)
    train = optimiser(RECIPES["resnet"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def convolution(v: Variables, image: Any, name: str, stride: int = 1) -> Any:
    """A convolution and batch normalisation: by moments that are given, or the batch's own."""
    kernel, padding = v[f"{name}_w"], "SAME"
    if stride > 1:
        margin = int(kernel.shape[0]) // 2
        image = tf.pad(image, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
        padding = "VALID"
    sums = tf.nn.conv2d(image, kernel, strides=[1, stride, stride, 1], padding=padding)
    mean, variance = v.get(f"{name}_mean"), v.get(f"{name}_variance")
    return tf.nn.fused_batch_norm(
        sums,
        v[f"{name}_scale"],
        v[f"{name}_offset"],
        mean,
        variance,
        epsilon=NORM_EPSILON,
        is_training=mean is None,
    )[0]


def cost(data: Data) -> Cost:
    """The convolutions and the dense layer."""
    batch = data.inputs.shape[1]
    products = [batch * k * k * i * o * size * size for _, k, i, o, size in convolutions()]
    return training_cost(data, sum(products) + batch * 64 * 10, products[0], "momentum")


WORKLOAD = Workload(
    name="resnet",
    title="ResNet-20 on 32x32x3, batch normalisation, batch 64, momentum",
    data=data,
    build=build,
    warm_up=2,
    steps=6,
    tolerance=1e-3,
    cost=cost,
)
