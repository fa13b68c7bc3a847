"""Graphs as data, changed at random: what is read is a graph, or one of our errors comes.

python -m tests.saving.changed_graphs --seed 0 --count 10000
python -m tests.saving.changed_graphs --samples --run 1 --count 2000

Bytes are flipped, cut off and put together, and values of the JSON are replaced by others of it
and by hostile ones. A graph that can still be read is run as well, in native code.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import thalweg as tf
from tests.ops.running import build
from thalweg.base.errors import ThalwegError
from thalweg.graph import Op
from thalweg.ops.catalogue import ALL

HOSTILE: list[Any] = [
    None, True, -1, 0, 1, 2, 3, 2**31, 2**63, 10**40, 0.5, -1e308, "", "x", "x:0", "^x", "y:9",
    "nan", "int32", "string", "bfloat16", "../../etc/passwd", "\0", "a" * 5000, [], [0], [None],
    [-1], [10**12, 10**12], [[]], {},
    {"array": {"dtype": "float32", "shape": [1 << 40], "data": ""}},
    {"array": {"dtype": "int32", "shape": [2], "data": [10**9, -5]}}, "Conv2D", "VariableV2",
    "Loop", "PyFunc", "GatherOwned", "Reshape", "Cond",
]  # fmt: skip
SECONDS = 20  # that reading and running one of them may take
MOST_ELEMENTS = 1 << 22  # of an output: a graph may well ask for more than a test should compute


def originals() -> list[bytes]:
    """Some graphs, each with most kinds of attributes, as meta graphs."""
    return [made() for made in (_dense, _images, _loops, _words)]


def samples() -> list[bytes]:
    """The samples of all operations, a graph for each."""
    return [
        _graph(partial(_build_samples, record)) for record in ALL if record.type not in _NOT_SAVED
    ]


_NOT_SAVED = {"PyFunc"}


def _build_samples(record: type[Op]) -> None:
    for sample in record.samples():
        for dynamic in (False, True):
            build(tf.get_default_graph(), sample, "float32", dynamic)


def _graph(fill: Callable[[], Any]) -> bytes:
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        fill()
        data: bytes = tf.train.export_meta_graph().SerializeToString()
        return data


def _dense() -> bytes:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.Variable(tf.truncated_normal([3, 2]), name="w")
        y = tf.nn.dropout(tf.nn.softmax(tf.matmul(x, w)), 0.5)
        tf.train.AdamOptimizer().minimize(tf.reduce_sum(y))

    return _graph(build)


def _images() -> bytes:
    def build() -> None:
        x = tf.constant(np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1))
        y = tf.nn.conv2d(x, tf.ones([3, 3, 1, 2]), [1, 2, 2, 1], "SAME")
        z = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
        tf.gather(tf.transpose(z[0, ::-1, 1:], [2, 0, 1]), tf.constant([1, 0]))
        tf.gradients(tf.reduce_sum(tf.concat([z, z], 3)), x)

    return _graph(build)


def _loops() -> bytes:
    def build() -> None:
        x = tf.placeholder(tf.float32, [3], name="x")
        kept = tf.map_fn(lambda v: tf.cond(v > 1, lambda: v * v, lambda: v), x)
        _, y = tf.while_loop(lambda n, v: n < 3, lambda n, v: (n + 1, v * kept), [0, x])
        tf.gradients(tf.reduce_sum(tf.cumsum(y)), x)

    return _graph(build)


def _words() -> bytes:
    def build() -> None:
        x = tf.constant([3, 1, 3, 2])
        tf.string_join([tf.as_string(x), tf.constant(["a", "b", "c", "d"])], "-")
        values, places = tf.unique(x)
        tf.one_hot(places, 4) + tf.cast(tf.reduce_max(values), tf.float32)
        tf.reshape(tf.pad(tf.expand_dims(x, 0), [[1, 0], [0, 1]]), [-1])

    return _graph(build)


def changed(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Bytes with a few changes."""
    ways = [_flipped, _cut, _spliced, *[_replaced] * 7]
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        data = chance.choice(ways)(data, chance.choice(others), chance)
    return data


def _flipped(data: bytes, other: bytes, chance: random.Random) -> bytes:
    made = bytearray(data or b"x")
    made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def _cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _spliced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def _replaced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A value of the JSON in the place of another one."""
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return _flipped(data, other, chance)
    places = list(_places(root))
    if places:
        holder, key = chance.choice(places)
        values = [*HOSTILE, *[one[at] for one, at in places]]
        if chance.random() < 0.8:  # most others are refused at once
            values = [value for value in values if type(value) is type(holder[key])]
        new = chance.choice(values)
        holder[key] = json.loads(json.dumps(new))
    return json.dumps(root).encode()[: 1 << 20]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one))
        for key in keys:
            yield one, key
            if isinstance(one[key], dict | list):
                waiting.append(one[key])


def try_one(data: bytes, run: bool) -> str:
    """Read a meta graph and, if it is one, run what it computes; what came of it."""
    with tf.Graph().as_default() as graph:
        try:
            tf.train.import_meta_graph(tf.MetaGraphDef.FromString(data))
        except ThalwegError:
            return "refused"
        if not run:
            return "read"
        with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1)) as session:
            return _run(graph, session)


def _run(graph: tf.Graph, session: tf.Session) -> str:
    tensors = [t for op in graph.operations for t in op.outputs if _is_small(t)]
    feeds = {
        op.outputs[0]: np.ones([2 if n is None else n for n in op.outputs[0].static_shape or ()])
        for op in graph.operations
        if op.type == "Placeholder"
        and _is_small(op.outputs[0])
        and not op.outputs[0].dtype.is_string
    }
    try:
        session.run(tensors, feeds)
    except (ThalwegError, MemoryError):
        return "failed"
    return "ran"


def _is_small(tensor: tf.Tensor) -> bool:
    size = 1
    for extent in tensor.static_shape or ():
        size *= 2 if extent is None else max(1, extent)
    return size < MOST_ELEMENTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--run", type=int, default=10, help="run each so-manieth")
    parser.add_argument("--samples", action="store_true", help="change samples of operations")
    given = parser.parse_args()
    made, outcomes, slowest = samples() if given.samples else originals(), dict[str, int](), 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(given.seed, given.seed + given.count):
        data = changed(made[seed % len(made)], made, random.Random(seed))
        begin = time.perf_counter()
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = try_one(data, seed % given.run == 0)
        except BaseException:
            print(f"seed {seed}")
            raise
        signal.alarm(0)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        slowest = max(slowest, time.perf_counter() - begin)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{outcomes}; the slowest took {slowest:.2f} s; memory grew by {grown / 1024:.0f} MB")


if __name__ == "__main__":
    main()
