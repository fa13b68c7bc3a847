"""An LSTM (Hochreiter and Schmidhuber 1997) that reads MNIST's images row by row.

`lstm` writes its steps out, `lstm_dynamic` is the same network as a loop of the graph, and
`lstm_500` reads long random sequences that end after different numbers of steps.
"""

from __future__ import annotations

import numpy as np

from benchmarks import graphs
from benchmarks.models import Data
from benchmarks.recipes import RECIPES
from benchmarks.workloads.graph_model import GraphModel, optimiser, tf, trained, variables
from benchmarks.workloads.workload import (
    Cost,
    Workload,
    mnist_batches,
    normal,
    training_cost,
    zeros,
)

ROWS, UNITS, LONG = 28, 128, 500


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


def build_dynamic(data: Data, threads: int) -> GraphModel:
    """Thalweg's side with `dynamic_rnn`."""
    tf.reset_default_graph()
    return trained(graphs.lstm(tf, data, RECIPES["lstm_dynamic"]), data, threads)


def build_padded(data: Data, threads: int) -> GraphModel:
    """Thalweg's side on sequences that end before their zeros."""
    tf.reset_default_graph()
    return trained(graphs.lstm(tf, data, RECIPES["lstm_500"], padded=True), data, threads)


def long_data(batches: int = 4, batch: int = 128, steps: int = LONG) -> Data:
    """The same weights; random sequences, of which a fifth at least is used, and random labels."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(steps // 5, steps, size=(batches, batch, 1, 1), endpoint=True)
    rows = rng.standard_normal((batches, batch, steps, ROWS), np.float32)
    rows *= np.arange(steps)[:, None] < lengths
    return Data(data(1, 1).weights, rows, rng.integers(10, size=(batches, batch)))


def cost(data: Data) -> Cost:
    """The gates' two products at each row, of which the first state is zero; the classifier."""
    batch = data.inputs.shape[1]
    inputs = batch * ROWS * ROWS * 4 * UNITS
    states = batch * (ROWS - 1) * UNITS * 4 * UNITS
    return training_cost(data, inputs + states + batch * UNITS * 10, inputs, "adam")


def long_cost(data: Data) -> Cost:
    """The same at the rows that are used, on average over the batches."""
    used = int((data.inputs != 0).any(-1).sum()) / len(data.inputs)
    batch = data.inputs.shape[1]
    inputs, states = used * ROWS * 4 * UNITS, (used - batch) * UNITS * 4 * UNITS
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
DYNAMIC = Workload(
    name="lstm_dynamic",
    title="The same with dynamic_rnn",
    data=data,
    build=build_dynamic,
    warm_up=3,
    steps=20,
    tolerance=1e-3,
    cost=cost,
)
PADDED = Workload(
    name="lstm_500",
    title="The same over 500 rows, of which sequences use 100 to 500",
    data=long_data,
    build=build_padded,
    warm_up=1,
    steps=2,
    tolerance=1e-3,
    cost=long_cost,
)
