"""A multilayer perceptron on MNIST: matrix products, and an optimiser that moves much memory.

Two narrower ones make steps of about 0.1 and 1 ms.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

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

WIDTHS = (784, 1024, 1024, 10)
NARROW_WIDTHS, NARROWEST_WIDTHS = (784, 320, 320, 10), (784, 64, 64, 10)
NAMES = ("hidden1", "hidden2", "out")


def data(batches: int = 20, batch: int = 128, widths: Sequence[int] = WIDTHS) -> Data:
    """Random weights, and batches."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {}
    for name, (inputs, outputs) in zip(NAMES, itertools.pairwise(widths), strict=True):
        weights |= {f"{name}_w": normal(rng, inputs, outputs), f"{name}_b": zeros(outputs)}
    return Data(weights, *mnist_batches(batches, batch))


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    v = variables(data)
    h = x
    for name in NAMES[:-1]:
        h = tf.nn.relu(tf.matmul(h, v[f"{name}_w"]) + v[f"{name}_b"])
    logits = tf.matmul(h, v["out_w"]) + v["out_b"]
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
    train = optimiser(RECIPES["mlp"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def cost(data: Data) -> Cost:
    """Three dense layers."""
    products = [data.inputs.shape[1] * data.weights[f"{name}_w"].size for name in NAMES]
    return training_cost(data, sum(products), products[0], "adam")


WORKLOAD = Workload(
    name="mlp",
    title="MLP 784-1024-1024-10, batch 128, Adam",
    data=data,
    build=build,
    warm_up=5,
    steps=40,
    tolerance=1e-3,
    cost=cost,
)
NARROW = Workload(
    name="mlp_320",
    title="MLP 784-320-320-10, batch 64, Adam",
    data=lambda: data(20, 64, NARROW_WIDTHS),
    build=build,
    warm_up=50,
    steps=300,
    tolerance=1e-3,
    cost=cost,
)
NARROWEST = Workload(
    name="mlp_64",
    title="MLP 784-64-64-10, batch 32, Adam",
    data=lambda: data(20, 32, NARROWEST_WIDTHS),
    build=build,
    warm_up=200,
    steps=3000,
    tolerance=1e-3,
    cost=cost,
)
