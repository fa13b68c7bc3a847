"""Loops of the graph whose iterations compute little: a number, or a 64x64 product."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import graphs
from benchmarks.models import Data
from benchmarks.recipes import PRODUCTS
from benchmarks.workloads.graph_model import GraphPredictor, tf, variables
from benchmarks.workloads.workload import Cost, Workload

SIZE = 64


def scalar_data(seeds: int = 3) -> Data:
    """Seeds of a random generator, int32 [seeds, 1]."""
    return Data({}, np.arange(1, seeds + 1, dtype=np.int32)[:, None], np.zeros((seeds, 1), int))


def product_data(starts: int = 3) -> Data:
    """A rotation, so that products neither grow nor vanish, and random matrices to turn."""
    rng = np.random.default_rng(1)
    turn, _ = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))
    matrices = rng.standard_normal((starts, SIZE, SIZE), np.float32)
    return Data({"turn": turn.astype(np.float32)}, matrices, np.zeros((starts, 1), int))


def build(name: str, data: Data, threads: int) -> GraphPredictor:
    """Thalweg's side of a loop."""
    tf.reset_default_graph()
    x = tf.placeholder(data.inputs.dtype, data.inputs.shape[1:])
    v = variables(data)
    return GraphPredictor(x, graphs.LOOPS[name](tf, v, x), v, data, threads)


def cost(products: int, data: Data) -> Cost:
    """So many products in each iteration; the matrices stay in a cache."""
    size = data.weights["turn"].nbytes
    return Cost(products * PRODUCTS * 2 * SIZE**3, 3 * size, 3 * size)


SCALAR = Workload(
    name="while_scalar",
    title="while_loop over a number, a million iterations",
    data=scalar_data,
    build=partial(build, "while_scalar"),
    warm_up=0,
    steps=1,
    tolerance=0.0,
)
PRODUCT = Workload(
    name="while_product",
    title="while_loop with a 64x64 product, 10,000 iterations",
    data=product_data,
    build=partial(build, "while_product"),
    warm_up=0,
    steps=1,
    tolerance=1e-3,
    cost=partial(cost, 1),
)
GRADIENT = Workload(
    name="while_product_gradient",
    title="Its gradient",
    data=product_data,
    build=partial(build, "while_product_gradient"),
    warm_up=0,
    steps=1,
    tolerance=1e-3,
    cost=partial(cost, 3),
)
