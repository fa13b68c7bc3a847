"""Depth-first tiling: kernels that run one after the other for each image of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import random
from tests.kernels.rewrites.lowered import Program, check, fed, stored
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.printer import show_groups
from thalweg.kernels.rewrites.inline import inline
from thalweg.kernels.rewrites.slice_groups import slice_groups
from thalweg.kernels.rewrites.tile_depth_first import TiledGroups, tile_depth_first


def images(*shape: int) -> Program:
    """Two values of some images, and what is added up over them."""
    a = tf.sin(fed("x", *shape), name="a")
    b = tf.exp(a * fed("y", *shape), name="b")
    program = Program(b, tf.reduce_sum(a, [0, 1], name="s"))
    program.run(inline, program.kept)
    return program


def test_images_pass_from_kernel_to_kernel_one_by_one() -> None:
    program = images(16, 256, 64)
    check(
        program.text,
        """
        a[i, j, k] = sin(x[i, j, k])  for i<16, j<256, k<64
        b[i, j, k] = exp(a[i, j, k] * y[i, j, k])  for i<16, j<256, k<64  in fetch 0
        s[k] = sum[r<16, r'<256](a[r, r', k])  for k<64  in fetch 1
        """,
    )
    found, added_up = tile_depth_first([[d] for d in program.definitions])
    assert isinstance(found, TiledGroups)
    assert isinstance(added_up, list)
    check(
        show_groups([*found.members, added_up]),
        """
        kernel 0:
            a[i, j, k] = sin(x[i, j, k])  for i<16, j<256, k<64
        kernel 1:
            b[i, j, k] = exp(a[i, j, k] * y[i, j, k])  for i<16, j<256, k<64  in fetch 0
        kernel 2:
            s partial[part, k] = sum[r<16, r'<256](a[r, r', k])  for part<8, k<64
        kernel 3:
            s[k] = sum[part<8](s partial[part, k])  for k<64  in fetch 1
        """,
    )
    stored([d for group in found.members for d in group])
    sliced = slice_groups(found, shared=set())
    assert (sliced.extent, sliced.parts) == (16, 8)
    assert [value.name for value in sliced.private] == ["a"]
    check(
        show_groups([*sliced.before, *sliced.groups]),
        """
        kernel 0:
            s partial[0, k] = 0  for k<64  in a part of s partial
        kernel 1:
            a[0, j, k] = sin(x[0, j, k])  for j<256, k<64  in a slice of a
        kernel 2:
            b[0, j, k] = exp(a[0, j, k] * y[0, j, k])  for j<256, k<64  in a slice of b
        kernel 3:
            s partial[0, k] = s partial[0, k] + sum[r<256](a[0, r, k])  for k<64
                    in a part of s partial
        """,
    )


@pytest.mark.parametrize("shape", [(1 << 16, 8, 8), (16, 32, 64), (7, 256, 256)])
def test_what_is_not_worth_it_stays_apart(shape: tuple[int, ...]) -> None:
    """Images so small that a call takes longer, little that passes in all, and few images."""
    program = images(*shape)
    before = program.text
    groups = [[d] for d in program.definitions]
    assert tile_depth_first(groups) == groups
    check(program.text, before)


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


@pytest.mark.parametrize("batch", [8, 40])
def test_sums_are_cut_into_as_many_parts_for_every_batch(batch: int) -> None:
    found, _ = tile_depth_first([[d] for d in images(batch, 256, 256).definitions])
    assert isinstance(found, TiledGroups)
    stored([d for group in found.members for d in group])
    sliced = slice_groups(found, shared=set())
    assert (sliced.parts, sliced.extent) == (8, batch)


def test_a_native_loop_moves_what_a_chain_reads() -> None:
    """The images are gathered by each step, and the outputs of every one are kept."""
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
