"""Values that are read through slices and paddings, several at once: every reader finds its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.rewrites.inline import inline
from thalweg.kernels.rewrites.merge_padding import merge_padding

SHAPE = (2, 8, 8, 8)

# Ways to read an activation; what is read is padded by the convolutions that follow.
PARTS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "whole": lambda z: z,
    "first channels": lambda z: z[..., :4],
    "last channels": lambda z: z[..., 4:],
    "rows": lambda z: z[:, 2:7],
    "columns": lambda z: z[:, :, :5],
    "first image": lambda z: z[:1],
    "last image": lambda z: z[1:],
}
KERNELS = (1, 3, 5)


def same(x: tf.Tensor, size: int) -> tf.Tensor:
    """A SAME convolution with a filter of its own."""
    channels = x.shape[-1].value
    filters = random(size, size, channels, 4, seed=size) * np.float32(0.2)
    return tf.nn.conv2d(x, tf.constant(filters), [1, 1, 1, 1], "SAME")


def agree(fetches: Any, feeds: Any) -> None:
    """Native results against the reference's: sums of up to 200 products, 1e-5 of the largest."""
    made: list[list[Array]] = []
    for backend in ("numpy", "llvm"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            made.append(session.run(fetches, feeds))
    for expected, actual in zip(*made, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("one", "other"), list(combinations_with_replacement(PARTS, 2)))
def test_two_readers(one: str, other: str) -> None:
    x = tf.placeholder(tf.float32, SHAPE)
    z = tf.tanh(x) * 2.0
    fetches = [
        branch
        for size in KERNELS
        for branch in (same(PARTS[one](z), 1), same(PARTS[other](z), size))
    ]
    total = tf.add_n([tf.reduce_sum(y * y) for y in fetches])
    agree([*fetches, *tf.gradients(total, x)], {x: random(*SHAPE)})


@pytest.mark.parametrize("sizes", [(3, 5), (5, 3), (1, 3, 5), (3, 3), (5, 5, 3, 1)], ids=str)
def test_several_paddings_of_one_activation(sizes: tuple[int, ...]) -> None:
    """As in an Inception module, and in the gradient of an activation after a concat."""
    x = tf.placeholder(tf.float32, [None, *SHAPE[1:]])
    z = tf.tanh(x)
    joined = tf.nn.relu(tf.concat([same(z, size) for size in sizes], 3))
    agree([joined, *tf.gradients(tf.reduce_sum(joined * joined), x)], {x: random(*SHAPE)})


def test_a_border_inside_of_a_border() -> None:
    x = tf.placeholder(tf.float32, [4, 5])
    z = tf.tanh(x) * x
    once = tf.pad(z, [[1, 1], [0, 2]], constant_values=3.0)
    twice = tf.pad(once, [[0, 1], [1, 0]], constant_values=-1.0)
    agree([once, twice, z + 1.0, twice[1:5, 1:6] * z], {x: random(4, 5)})


# -- the pass itself


def padded(begin: int) -> Program:
    """A value, a padded copy of its rows from one on, and somebody else who reads it."""
    s = tf.sin(fed("x", 6, 4), name="s")
    part = tf.slice(s, [begin, 0], [6 - begin, 4], name="part")
    p = tf.pad(part, [(1, 2), (0, 0)], name="p")
    program = Program(tf.matmul(p, fed("w", 4, 5), name="y"), tf.exp(s, name="z"))
    program.run(inline, program.kept)
    return program


def test_a_whole_value_is_computed_in_its_copy() -> None:
    program = padded(0)
    check(
        program.text,
        """
        s[i, j] = sin(x[i, j])  for i<6, j<4
        p[i, j] = 0 <= i - 1 < 6 ? s[i - 1, j] : 0  for i<9, j<4
        y[i, j] = sum[k<4](p[i, k] * w[k, j])  for i<9, j<5  in fetch 0
        z[i, j] = exp(s[i, j])  for i<6, j<4  in fetch 1
        """,
    )
    program.run(merge_padding, program.kept)
    check(
        program.text,
        """
        p[i, j] = 0 <= i - 1 < 6 ? sin(x[i - 1, j]) : 0  for i<9, j<4
        y[i, j] = sum[k<4](p[i, k] * w[k, j])  for i<9, j<5  in fetch 0
        z[i, j] = exp(p[i + 1, j])  for i<6, j<4  in fetch 1
        """,
    )


def test_a_copy_of_a_part_is_left_alone() -> None:
    program = padded(2)
    program.run(merge_padding, program.kept)
    check(
        program.text,
        """
        s[i, j] = sin(x[i, j])  for i<6, j<4
        p[i, j] = 0 <= i - 1 < 4 ? s[i + 1, j] : 0  for i<7, j<4
        y[i, j] = sum[k<4](p[i, k] * w[k, j])  for i<7, j<5  in fetch 0
        z[i, j] = exp(s[i, j])  for i<6, j<4  in fetch 1
        """,
    )


def test_a_value_that_is_fetched_is_left_alone() -> None:
    s = tf.sin(fed("x", 6), name="s")
    program = Program(tf.tanh(tf.pad(s, [(1, 1)])), tf.exp(s), s)
    before = program.text
    program.run(merge_padding, program.kept)
    check(program.text, before)
