"""Whether the times of kernels add up to a run, and what tracing costs.

    python -m tests.inspect [rounds]

Runs some programs in turn without and with a trace, and prints for each the medians: of a plain
run, of a traced one through the plain one beside it, and the share of the traced run that the times
of kernels add up to.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import thalweg as tf
from examples.googlenet import googlenet
from thalweg.tutorial import NETWORKS

FULL = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
Case = tuple[Any, dict[Any, Any]]


def train_cnn(batch: int = 50) -> Case:
    """The tutorial's network."""
    network = NETWORKS["cnn"].build(1000, False)
    random = np.random.default_rng(0)
    labels = np.eye(10, dtype=np.float32)[random.integers(10, size=batch)]
    images = random.random((batch, 784), np.float32)
    return network.train, network.feeds(images, labels, 0.5)


def train_lstm(batch: int = 32, steps: int = 50, units: int = 64) -> Case:
    """A dynamic LSTM: kernels of a few microseconds, in a loop."""
    x = tf.placeholder(tf.float32, [batch, steps, units], name="x")
    cell = tf.nn.rnn_cell.BasicLSTMCell(units)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(tf.square(outputs)))
    return train, {x: np.ones((batch, steps, units), np.float32)}


def predict_googlenet() -> Case:
    """A label for an image."""
    images = tf.placeholder(tf.float32, [None, 224, 224, 3], name="images")
    return googlenet(images), {images: np.ones((1, 224, 224, 3), np.float32)}


def count() -> Case:
    """A loop of 1,000 iterations that adds one: the least that a kernel can be."""
    n = tf.placeholder(tf.int32, [], name="n")
    return tf.while_loop(lambda i: i < n, lambda i: i + 1, [tf.constant(0)]), {n: 1000}


CASES: dict[str, Callable[[], Case]] = {
    "CNN, training": train_cnn,
    "LSTM, training": train_lstm,
    "GoogLeNet, an image": predict_googlenet,
    "1,000 iterations": count,
}


def measured(fetches: Any, feeds: dict[Any, Any], rounds: int) -> Iterator[tuple[float, ...]]:
    """For each round the seconds of both runs, and the share of kernels."""
    with tf.Session() as session:
        metadata = tf.RunMetadata()
        for n in range(rounds + 3):
            start = time.perf_counter()
            session.run(fetches, feeds)
            plain = time.perf_counter() - start
            session.run(fetches, feeds, FULL, metadata)
            trace = metadata.trace
            assert trace is not None
            if n >= 3:
                busy = sum(unit.seconds for unit in trace.units)
                yield plain, trace.seconds / plain, busy / trace.seconds


def main(rounds: int = 60) -> None:
    """Print the table."""
    print(f"{'':20}  {'plain':>9}  {'traced':>8}  {'kernels':>8}")
    for name, build in CASES.items():
        with tf.Graph().as_default():
            rows = list(measured(*build(), rounds))
        plain, traced, kernels = map(statistics.median, zip(*rows, strict=True))
        print(f"{name:20}  {plain * 1e3:6.3f} ms  {traced:7.3f}x  {kernels:8.1%}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
