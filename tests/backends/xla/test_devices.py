"""Several devices of XLA in one process, beside the native CPU."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
import thalweg as tf

data = np.random.default_rng(0).normal(size=(32, 8)).astype(np.float32)


def trained(devices, variables):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 8])
        with tf.device(variables):
            w = tf.Variable(tf.random_normal([8, 1], seed=3))
            table = tf.Variable(tf.ones([4, 1]))
            optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
        found = []
        for device, rows in zip(devices, tf.split(x, len(devices))):
            with tf.device(device):
                y = tf.nn.dropout(tf.matmul(rows, w), 0.9, seed=1) + tf.gather(table, [1])
                loss = tf.reduce_mean(tf.square(y - rows[:, :1]))
                found.append((loss, tf.gradients(loss, w)[0]))
        with tf.device(variables):
            losses, gradients = zip(*found)
            step = optimizer.apply_gradients([(tf.add_n(gradients) / len(devices), w)])
            loss = tf.add_n(losses) / len(devices)
        with tf.Session() as session:
            ran = [session.run([loss, step], {x: data})[0] for _ in range(3)]
            session.load(table, np.full([4, 1], 2.0))
            return [*ran, session.run(loss, {x: data}), *session.run(w)[:, 0]]


xla = [f"/device:XLA_CPU:{n}" for n in range(4)]
for devices, variables in [(xla, xla[0]), ([xla[1], "/cpu:0"], xla[2]), (xla[:2], "/cpu:0")]:
    # Sums in another order.
    expected = trained(["/cpu:0"] * len(devices), "/cpu:0")
    np.testing.assert_allclose(trained(devices, variables), expected, rtol=1e-5, atol=1e-6)

with tf.Graph().as_default(), tf.device("/device:XLA_CPU:1"):
    y = tf.exp(tf.random_normal([2]))
    found = tf.unique(tf.cast(y, tf.int32))[0] + 1
    with tf.Session() as session:
        assert session.run(found).ndim == 1
with tf.Graph().as_default(), tf.device("/device:XLA_CPU:4"):
    y = tf.exp(tf.random_normal([2]))
    try:
        tf.Session().run(y)
    except tf.errors.InvalidArgumentError as error:
        message = str(error)
    assert "there is no device '/device:XLA_CPU:4' here; there are /device:CPU:0, " in message
    assert "/device:XLA_CPU:3\\n" in message
"""


def test_towers_train_on_four_devices() -> None:
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
