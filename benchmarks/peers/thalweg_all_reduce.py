"""Thalweg's side of `benchmarks.all_reduce`: prints the seconds of steps as JSON.

python -m benchmarks.peers.thalweg_all_reduce ROWS STEPS LOCAL_STEPS
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import thalweg as tf
import thalweg.cluster as cluster
from benchmarks.workloads import cnn

WARM_UP = 5


def main(rows: int, steps: int, local_steps: int) -> None:
    """Train the network on mini-batches of so many rows."""
    cluster.init()
    data = cnn.data(20, rows)
    x, keep, y, v = cnn.network(data)
    y_ = tf.placeholder(tf.float32, [None, 10])
    loss = -tf.reduce_sum(y_ * tf.log(y)) / rows
    rule = cluster.DistributedOptimizer(tf.train.AdamOptimizer(1e-4), local_steps=local_steps)
    train = rule.minimize(loss, var_list=list(v.values()))
    targets = np.eye(10, dtype=np.float32)[data.labels]
    seconds, begin = list[float](), 0.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for number in range(WARM_UP + steps):
            batch = number % len(data.inputs)
            fed = {x: data.inputs[batch], y_: targets[batch], keep: 0.5}
            if number == WARM_UP:
                begin = time.process_time()
            start = time.perf_counter()
            session.run(train, fed)
            seconds.append(time.perf_counter() - start)
    cpu = (time.process_time() - begin) / steps
    print(json.dumps({"seconds": seconds[WARM_UP:], "cpu": cpu}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
