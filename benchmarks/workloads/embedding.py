"""A bag of words (Joulin et al. 2017): a large table, of which a step trains 1,024 rows.

Words have the frequencies of a natural language (Zipf 1949), so that some occur several times in a
batch, and in the next one again. The table starts as a pattern that is repeated. The peers take
part at a million rows; ten times as many do not fit into memory for all of them at once.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import graphs
from benchmarks.models import Array, Data
from benchmarks.recipes import RECIPES, TABLES
from benchmarks.workloads.graph_model import GraphModel, tf, trained
from benchmarks.workloads.workload import Cost, Workload, normal, zeros

WIDTH, WORDS, CLASSES, PATTERN = 64, 8, 10, 1000
RULES = {"sgd": ("SGD", 1), "adagrad": ("Adagrad", 2), "lazy_adam": ("lazy Adam", 3)}  # and arrays
SIZES = {1_000_000: "a million", 100_000: "100,000", 10_000_000: "10 million"}


def data(rows: int, batches: int = 20, batch: int = 128) -> Data:
    """Random weights, and the rows with which the table starts again and again; random words."""
    rng = np.random.default_rng(1)
    weights: dict[str, Array] = {
        "pattern": rng.standard_normal((PATTERN, WIDTH), np.float32),
        "out_w": normal(rng, WIDTH, CLASSES),
        "out_b": zeros(CLASSES),
    }
    ranks = np.exp(rng.uniform(0, np.log(rows), size=(batches, batch, WORDS)))
    return Data(weights, ranks.astype(np.int64) - 1, rng.integers(CLASSES, size=(batches, batch)))


def build(name: str, data: Data, threads: int) -> GraphModel:
    """Thalweg's side."""
    tf.reset_default_graph()
    return trained(graphs.embedding(tf, data, RECIPES[name]), data, threads)


def cost(arrays: int, data: Data) -> Cost:
    """The classifier; the rows that occur are read and written in each array."""
    batches, batch = data.labels.shape
    rows = [np.unique(words).size for words in data.inputs]
    row, products = 4 * WIDTH * arrays, batch * WIDTH * CLASSES
    return Cost(6 * products, 2 * row * sum(rows) / batches, row * np.unique(data.inputs).size)


def _workload(rule: str, end: str, rows: int) -> Workload:
    name, (title, arrays) = f"embedding_{rule}{end}", RULES[rule]
    return Workload(
        name=name,
        title=f"Embedding of {SIZES[rows]} rows of {WIDTH}, 1,024 a step, {title}",
        data=partial(data, rows),
        build=partial(build, name),
        warm_up=10,
        steps=100,
        tolerance=1e-3,
        cost=partial(cost, arrays),
    )


ALL = [_workload(rule, end, rows) for rule in RULES for end, rows in TABLES.items()]
