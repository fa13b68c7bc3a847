"""Softmax regression on MNIST: what a step costs when it computes little.

`softmax` is fed step by step. `softmax_loop` is one call that makes all its steps, on batches that
it draws from the whole training set in memory, shuffled anew in each epoch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import LOOP_BATCH, RECIPES
from benchmarks.workloads.graph_model import GraphModel, one_hot, optimiser, tf, variables
from benchmarks.workloads.workload import Cost, Workload, mnist_batches, training_cost, zeros

EPOCH = 600  # batches of the whole training set


def data(batches: int = 50, batch: int = LOOP_BATCH) -> Data:
    """Zero weights, as the tutorial starts, and batches."""
    weights = {"out_w": zeros(784, 10), "out_b": zeros(10)}
    return Data(weights, *mnist_batches(batches, batch))


def whole_data() -> Data:
    """Zero weights and the whole training set."""
    return data(EPOCH)


def build(data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    return GraphModel(*_graph(data), data, threads)


def build_loop(data: Data, threads: int) -> GraphModel:
    """Thalweg's side of the loop in memory."""
    return LoopModel(*_graph(data), data, threads)


class LoopModel(GraphModel):
    """Makes all its steps in one call."""

    def __init__(
        self, x: Any, y_: Any, loss: Any, train: Any, v: Any, data: Data, threads: int
    ) -> None:
        super().__init__(x, y_, loss, train, v, data, threads)
        self._rows = {x: data.inputs.reshape(-1, 784), y_: one_hot(data.labels).reshape(-1, 10)}

    def check(self, steps: int) -> Array:
        """The losses of the first steps."""
        fetches = [self._loss, self._train]
        losses, _ = self.session.run_steps(
            fetches, steps, batches=self._rows, batch_size=LOOP_BATCH, shuffle=False
        )
        return np.asarray(losses)

    def run(self, steps: int) -> None:
        """Make steps."""
        self.session.run_steps(
            self._train, steps, batches=self._rows, batch_size=LOOP_BATCH, every=steps
        )


def _graph(data: Data) -> tuple[Any, Any, Any, Any, Any]:
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [None, 784])
    y_ = tf.placeholder(tf.float32, [None, 10])
    v = variables(data)
    y = tf.nn.softmax(tf.matmul(x, v["out_w"]) + v["out_b"])
    loss = -tf.reduce_sum(y_ * tf.log(y))
    return x, y_, loss, optimiser(RECIPES["softmax"]).minimize(loss), v


def cost(data: Data) -> Cost:
    """One dense layer; no gradient of its input."""
    multiplications = data.inputs.shape[1] * 784 * 10
    return training_cost(data, multiplications, multiplications, "sgd")


FED = Workload(
    name="softmax",
    title="Softmax regression, batch 100, SGD, fed step by step",
    data=data,
    build=build,
    warm_up=200,
    steps=3000,
    tolerance=1e-4,
    cost=cost,
)
LOOP = Workload(
    name="softmax_loop",
    title="The same over the training set in memory, shuffled, all steps in one call",
    data=whole_data,
    build=build_loop,
    warm_up=EPOCH,
    steps=10 * EPOCH,  # the first tenth of a second depends on how threads wake
    tolerance=1e-4,
    cost=cost,
)
