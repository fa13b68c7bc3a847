"""A program that trains in many ways as one of several processes, and prints what it has learnt."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import thalweg as tf
import thalweg.cluster as cluster

ROWS, STEPS = 25, 6

Rule = Callable[[tf.train.Optimizer], tf.train.Optimizer]

WAYS: dict[str, Rule] = {
    "plain": cluster.DistributedOptimizer,
    "bf16": lambda o: cluster.DistributedOptimizer(o, compression=cluster.Compression.bf16),
    "fp16": lambda o: cluster.DistributedOptimizer(o, compression=cluster.Compression.fp16),
    "top_k": lambda o: cluster.DistributedOptimizer(o, compression=cluster.Compression.top_k(0.1)),
    "local": lambda o: cluster.DistributedOptimizer(o, local_steps=3),
}


def rows(step: int, rank: int) -> tuple[Any, Any, Any]:
    """A mini-batch of one process: images, numbers of rows of a table, and targets."""
    rng = np.random.default_rng([step, rank])
    images = rng.standard_normal((ROWS, 120), np.float32)
    return images, rng.integers(0, 8, ROWS), np.float32(images[:, :10] * 2 + 1)


class Network:
    """A small network with a table, whose gradient is slices."""

    def __init__(self) -> None:
        tf.set_random_seed(1)
        self.dense = tf.Variable(tf.truncated_normal([120, 10], stddev=0.1))
        self.bias = tf.Variable(tf.zeros([10]))
        self.table = tf.Variable(tf.zeros([8, 10]))
        self.variables = [self.dense, self.bias, self.table]

    def loss(self) -> tuple[Any, list[Any]]:
        """The loss of a mini-batch, and its placeholders."""
        x = tf.placeholder(tf.float32, [None, 120])
        ids = tf.placeholder(tf.int64, [None])
        y = tf.placeholder(tf.float32, [None, 10])
        made = tf.matmul(x, self.dense) + self.bias + tf.gather(self.table, ids)
        return tf.reduce_mean(tf.square(made - y)), [x, ids, y]


def train(rule: Rule) -> list[Any]:
    """The variables after some steps as one of several processes."""
    with tf.Graph().as_default(), tf.Session() as session:
        network = Network()
        loss, fed = network.loss()
        step = rule(tf.train.GradientDescentOptimizer(0.1)).minimize(loss)
        start = cluster.broadcast_global_variables(0)
        session.run(tf.global_variables_initializer())
        if cluster.rank() == 1:  # as if it had drawn other numbers
            session.run(network.dense.assign(tf.zeros([120, 10])))
        session.run(start)
        for number in range(STEPS):
            session.run(step, dict(zip(fed, rows(number, cluster.rank()), strict=True)))
        return [value.tolist() for value in session.run(network.variables)]


def main() -> None:
    """Train in all ways, and print the variables as JSON."""
    cluster.init()
    print(json.dumps({name: train(rule) for name, rule in WAYS.items()}))
    place = [cluster.rank(), cluster.size(), cluster.local_rank(), cluster.local_size()]
    print(json.dumps(place), file=sys.stderr)


if __name__ == "__main__":
    main()
