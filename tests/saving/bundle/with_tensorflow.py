"""Real TensorFlow's side of checkpoints: run by its own Python, never imported by ours.

python -m tests.saving.bundle.with_tensorflow write FOLDER     bundles of every kind
python -m tests.saving.bundle.with_tensorflow read PREFIX      what TensorFlow reads, as JSON
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

from tests.saving.bundle.samples import described, samples

tf: Any = importlib.import_module("tensorflow")
v1: Any = tf.compat.v1


def write_plain(folder: str) -> None:
    """Every dtype, by the operation that savers use."""
    made = samples()
    names = sorted(made)
    with tf.Graph().as_default(), v1.Session() as session:
        tensors = [tf.constant(made[name]) for name in names]
        prefix = os.path.join(folder, "plain")
        session.run(
            tf.raw_ops.SaveV2(
                prefix=prefix,
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=tensors,
            )
        )


def write_training(folder: str) -> None:
    """What a program of TensorFlow 1 leaves: slots, a step, a partitioned variable, a state."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        step = v1.train.get_or_create_global_step()
        with v1.variable_scope("net", partitioner=v1.fixed_size_partitioner(3)):
            table = v1.get_variable("table", [7, 2], initializer=v1.ones_initializer())
        with v1.variable_scope("wide", partitioner=v1.fixed_size_partitioner(2, axis=1)):
            wide = v1.get_variable("wide", [3, 130], initializer=v1.ones_initializer())
        weights = v1.get_variable("weights", [3, 2], use_resource=False)
        loss = tf.reduce_sum(tf.convert_to_tensor(table)) * tf.reduce_sum(
            weights**2
        ) + tf.reduce_sum(tf.convert_to_tensor(wide) * np.arange(130, dtype=np.float32))
        train = v1.train.AdamOptimizer(0.1).minimize(loss, step)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(max_to_keep=1)
        for _ in range(3):
            session.run(train)
            saver.save(session, os.path.join(folder, "training"), step, write_meta_graph=False)
        expected = {
            name: v1.train.load_variable(os.path.join(folder, "training-3"), name)
            for name, _ in v1.train.list_variables(os.path.join(folder, "training-3"))
        }
    np.savez_compressed(os.path.join(folder, "training.npz"), **expected)


def write_objects(folder: str) -> None:
    """A checkpoint of TensorFlow 2, whose names are those of attributes."""
    net = tf.Module()
    net.kernel = tf.Variable([[1.0, 2.0]], name="dense/kernel")
    net.bias = tf.Variable([3.0], name="dense/bias")
    tf.train.Checkpoint(model=net).write(os.path.join(folder, "objects"))


def read(prefix: str) -> None:
    """Print every tensor of a bundle."""
    reader = tf.train.load_checkpoint(prefix)  # of a folder, by its state file
    names = reader.get_variable_to_shape_map()
    print(json.dumps({name: described(reader.get_tensor(name)) for name in names}))


if __name__ == "__main__":
    command, path = sys.argv[1:]
    if command == "write":
        write_plain(path)
        write_training(path)
        write_objects(path)
    else:
        read(path)
