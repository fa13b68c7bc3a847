"""Calls that compute next to nothing: what is left is the system's own overhead."""

from __future__ import annotations

import numpy as np

from benchmarks.models import Data
from benchmarks.workloads.graph_model import GraphPredictor, tf
from benchmarks.workloads.workload import Workload

FLOATS = 8


def data() -> Data:
    """A short vector."""
    vector = np.arange(FLOATS, dtype=np.float32)
    return Data({}, vector[None], np.zeros((1, 1), np.int64))


def build_empty(data: Data, threads: int) -> GraphPredictor:
    """Fetch a constant."""
    tf.reset_default_graph()
    return GraphPredictor(None, tf.constant(1.0), {}, data, threads)


def build_add(data: Data, threads: int) -> GraphPredictor:
    """Feed a vector, add one, fetch the sum."""
    tf.reset_default_graph()
    x = tf.placeholder(tf.float32, [FLOATS])
    return GraphPredictor(x, x + 1.0, {}, data, threads)


EMPTY = Workload(
    name="empty",
    title="A call that returns a constant",
    data=data,
    build=build_empty,
    warm_up=1000,
    steps=30_000,
    tolerance=0.0,
)
ADD = Workload(
    name="add",
    title="A call that adds one to 8 floats",
    data=data,
    build=build_add,
    warm_up=1000,
    steps=30_000,
    tolerance=0.0,
)
