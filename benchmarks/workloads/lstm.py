"""An LSTM (Hochreiter and Schmidhuber 1997) that reads MNIST's images row by row."""

from __future__ import annotations

import numpy as np

from benchmarks.models import Data
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

ROWS, UNITS = 28, 128


def data(batches: int = 20, batch: int = 128) -> Data:
    """Random weights, gates in the order input, forget, candidate, output; and batches."""
    rng = np.random.default_rng(1)
    weights = {
        "input_w": normal(rng, ROWS, 4 * UNITS),
        "state_w": normal(rng, UNITS, 4 * UNITS),
        "gates_b": zeros(4 * UNITS),
        "out_w": normal(rng, UNITS, 10),
        "out_b": zeros(10),
    }
    return Data(weights, *mnist_batches(batches, batch))


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side, unrolled."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    v = variables(data)
    h = c = tf.zeros([tf.shape(x)[0], UNITS])
    for row in tf.unstack(tf.reshape(x, [-1, ROWS, ROWS]), axis=1):
        gates = tf.matmul(row, v["input_w"]) + tf.matmul(h, v["state_w"]) + v["gates_b"]
        i, f, g, o = tf.split(gates, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
    logits = tf.matmul(h, v["out_w"]) + v["out_b"]
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))
    train = optimiser(RECIPES["lstm"]).minimize(loss)
    return GraphModel(x, y_, loss, train, v, data, threads)


def cost(data: Data) -> Cost:
    """The gates' two products at each row, of which the first state is zero; the classifier."""
    batch = data.inputs.shape[1]
    inputs = batch * ROWS * ROWS * 4 * UNITS
    states = batch * (ROWS - 1) * UNITS * 4 * UNITS
    return training_cost(data, inputs + states + batch * UNITS * 10, inputs, "adam")


WORKLOAD = Workload(
    name="lstm",
    title="LSTM of 128 units over the 28 rows of an image, batch 128, Adam",
    data=data,
    build=build,
    warm_up=3,
    steps=20,
    tolerance=1e-3,
    cost=cost,
)
