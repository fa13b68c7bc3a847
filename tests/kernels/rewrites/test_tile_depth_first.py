"""Depth-first tiling: kernels that run one after the other for each image of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import random
from thalweg.backends.native.backend import NativeProgram


class Network:
    """Two convolutions with pooling, and a layer that weighs each image's values as one."""

    def __init__(self, backend: str = "llvm", threads: int = 0) -> None:
        with tf.Graph().as_default() as graph:
            self.x = tf.placeholder(tf.float32, [None, 16, 16, 3])
            v = [
                tf.Variable(random(5, 5, 3, 16, seed=1) / 9),
                tf.Variable(random(5, 5, 16, 32, seed=2) / 20),
                tf.Variable(random(512, 10, seed=3) / 20),
                tf.Variable(np.full(32, 0.1, np.float32)),
            ]
            y = self._features(self._features(self.x, v[0]), v[1], v[3])
            self.y = tf.matmul(tf.reshape(y, [-1, 512]), v[2])
            self.loss = tf.reduce_mean(tf.square(self.y))
            self.gradients = tf.gradients(self.loss, v)
            self.train = tf.train.AdamOptimizer(1e-3).minimize(self.loss)
            self.variables = v
        config = tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads)
        self.session = tf.Session(graph=graph, config=config)

    @staticmethod
    def _features(x: Any, w: Any, bias: Any = 0.0) -> Any:
        y = tf.nn.relu(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME") + bias)
        return tf.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

    def program(self, fetches: Any, batch: int) -> NativeProgram:
        _, program = self.session.program(fetches, {self.x: random(batch, 16, 16, 3)})
        assert isinstance(program, NativeProgram)
        return program

    def run(self, fetches: Any, batch: int) -> Any:
        return self.session.run(fetches, {self.x: random(batch, 16, 16, 3)})


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 7, 8, 9, 50])
def test_values_and_gradients_for_all_batches(batch: int) -> None:
    """Parts of a batch of three are empty, and one image is shared by its kernels' own tasks.

    Sums of up to some thousand products, in another order and by Winograd: 1e-5 of the largest.
    """
    network, slow = Network(), Network("numpy")
    network.program([network.y, *network.gradients], 50)  # plans for others share its code
    got = network.run([network.y, *network.gradients], batch)
    wanted = slow.run([slow.y, *slow.gradients], batch)
    for one, other in zip(got, wanted, strict=True):
        if batch or one.shape[:1] == (0,):
            scale = np.abs(other).max(initial=0)
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * scale)


def test_what_passes_between_the_kernels_takes_memory_for_one_image_only() -> None:
    network = Network(threads=2)
    small, large = network.program(network.y, 64), network.program(network.y, 256)
    (part,) = (part for part in large._parts if part.parts)
    assert len(part.steps) >= 6
    assert part.parts == part.extent == 256
    whole = sum(int(v.bytes) for v in part.private.offsets) * 256
    assert whole > 8 << 20
    assert large.arena_bytes < small.arena_bytes + (1 << 20)


def test_threads_share_parts_and_bits_do_not_depend_on_them() -> None:
    results = []
    for threads in (1, 2, 3):
        network = Network(threads=threads)
        for _ in range(3):
            network.run(network.train, 21)
        results.append(network.session.run(network.variables))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_sums_are_cut_into_as_many_parts_for_every_batch() -> None:
    network = Network()
    for batch in (5, 40):
        program = network.program(network.gradients, batch)
        chains = [part for part in program._parts if part.parts]
        summed = [part for part in chains if part.before]
        assert summed
        assert all(part.parts == 8 and part.extent == batch for part in summed)


def test_a_native_loop_moves_what_a_chain_reads() -> None:
    """The images are picked by each step, and the outputs of every one are kept."""
    images = random(24, 16, 16, 3)
    looped, stepped = Network(), Network()
    kept = looped.session.run_steps(
        [looped.y, looped.train], 6, batches={looped.x: images}, batch_size=8, shuffle=False
    )[0]
    for step in range(6):
        part = images[step % 3 * 8 :][:8]
        y, _ = stepped.session.run([stepped.y, stepped.train], {stepped.x: part})
        np.testing.assert_array_equal(kept[step], y)


def test_explain_counts_every_image() -> None:
    network = Network()
    with network.session.as_default():
        shapes = {network.x: [20, 16, 16, 3]}
        twice = tf.explain(network.y, feed_shapes={network.x: [40, 16, 16, 3]})
        once = tf.explain(network.y, feed_shapes=shapes)
    chained = [k for k in once.kernels if k.loops and k.loops[0] == ("n", 20)]
    assert len(chained) >= 6
    # All but the transform of the filter is done for each image.
    assert 1.9 * once.flops < twice.flops < 2 * once.flops


def test_tuning_a_chain_changes_no_bits() -> None:
    network = Network()
    feeds = {network.x: random(64, 16, 16, 3)}
    before = network.session.run(network.y, feeds)
    network.session.tune(network.y, feeds)
    np.testing.assert_array_equal(network.session.run(network.y, feeds), before)


def test_small_slices_are_not_worth_a_call() -> None:
    """Rows of 64 values, of which a million pass: their kernels run once for the whole batch."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 64])
        y = tf.nn.softmax(tf.exp(x) - tf.reduce_max(tf.sin(x), axis=1, keepdims=True))
        _, program = session.program(y, {x: random(16384, 64)})
        assert isinstance(program, NativeProgram)
        assert not any(part.parts for part in program._parts)


@pytest.mark.parametrize("rows", [0, 3])
def test_flattened_images_are_no_slices_even_if_there_are_none(rows: int) -> None:
    """No images are as many as no rows of pixels."""
    x = tf.placeholder(tf.float32, [None, 7, 7, 16])
    filters = tf.constant(random(4, 4, 16, 15) * np.float32(0.1))
    flat = tf.reshape(x, [-1, 16])
    y = tf.nn.swish(tf.nn.conv2d(x, filters, [1, 1, 1, 1], "SAME"))
    (gradient,) = tf.gradients(tf.reduce_sum(flat * flat) + tf.reduce_sum(y * y), x)
    fed = random(rows, 7, 7, 16)
    made = []
    for backend in ("numpy", "llvm"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            made.append(session.run(gradient, {x: fed}))
    # Sums of up to 256 products of numbers near 1: 1e-5 of the largest.
    largest = np.abs(made[0]).max(initial=0.0)
    np.testing.assert_allclose(made[1], made[0], rtol=0, atol=1e-5 * largest)
