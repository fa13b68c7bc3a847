"""A small adversarial network on MNIST (Goodfellow et al. 2014): many kernels, none of them large.

Both networks make a step at the same time: the gradient is turned round where it comes from the
discriminator to the generator (as in Ganin and Lempitsky 2015), so that one loss serves both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import RECIPES
from benchmarks.workloads.graph_model import GraphModel, optimiser, tf, variables
from benchmarks.workloads.workload import (
    Cost,
    Workload,
    mnist_batches,
    normal,
    training_cost,
    zeros,
)

PIXELS, NOISE, UNITS = 784, 64, 128
LAYERS = {
    "draw1": (NOISE, UNITS),
    "draw2": (UNITS, PIXELS),
    "judge1": (PIXELS, UNITS),
    "judge2": (UNITS, 2),
}


def data(batches: int = 20, batch: int = 64) -> Data:
    """Random weights; images with noise behind each, and that an image is real and a drawn not."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, shape in LAYERS.items():
        weights |= {f"{name}_w": normal(rng, *shape) / np.float32(2), f"{name}_b": zeros(shape[1])}
    images, _ = mnist_batches(batches, batch)
    noise = rng.standard_normal((batches, batch, NOISE), np.float32)
    labels = np.broadcast_to(np.array([1, 0]), (batches, batch, 2)).copy()
    return Data(weights, np.concatenate([images, noise], 2), labels)


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, PIXELS + NOISE])
    y_ = tf.placeholder(tf.int64, [None, 2])
    v = variables(data)

    def dense(h: Any, name: str) -> Any:
        return tf.matmul(h, v[f"{name}_w"]) + v[f"{name}_b"]

    def judged(images: Any) -> Any:
        return dense(tf.nn.relu(dense(images, "judge1")), "judge2")

    drawn = tf.sigmoid(dense(tf.nn.relu(dense(x[:, PIXELS:], "draw1")), "draw2"))
    turned = 2.0 * tf.stop_gradient(drawn) - drawn
    logits = tf.stack([judged(x[:, :PIXELS]), judged(turned)], axis=1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    loss = tf.reduce_mean(losses)
    train = optimiser(RECIPES["gan"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def cost(data: Data) -> Cost:
    """The generator once and the discriminator twice; nobody needs the noise's gradient."""
    batch = data.inputs.shape[1]
    layers = {name: batch * inputs * outputs for name, (inputs, outputs) in LAYERS.items()}
    twice = layers["judge1"] + layers["judge2"]
    return training_cost(
        data, sum(layers.values()) + twice, layers["draw1"] + layers["judge1"], "adam"
    )


WORKLOAD = Workload(
    name="gan",
    title="GAN of dense layers (64-128-784 and 784-128-2), batch 64, Adam",
    data=data,
    build=build,
    warm_up=50,
    steps=400,
    tolerance=1e-3,
    cost=cost,
)
