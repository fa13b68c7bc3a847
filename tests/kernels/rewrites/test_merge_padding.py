"""Values that are read through slices and paddings, several at once: every reader finds its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from thalweg.base.dtypes import float32
from thalweg.formula import Formula, Operand, Read, Rewrite, affine, axes
from thalweg.kernels.rewrites.merge_padding import merge_padding
from thalweg.kernels.values import Definition, Feed, Fetch, Value
from thalweg.ops.arrays.pad import Pad

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


def _program(paddings: tuple[tuple[int, int], ...], begins: tuple[int, ...]) -> list[Definition]:
    """A value, a padded copy of a part of it, and somebody else who reads it."""
    x = Value("x", (6, 6), float32, Feed(0))
    r, p = Value("r", (6, 6), float32), Value("p", (), float32)
    y = Value("y", (6, 6), float32, Fetch(0))
    i = axes(6, 6)
    place = tuple(map(affine, i))
    read = Read(x, place, float32)
    made = Definition(r, i, read * read + read * 2.0, place, 0, ("r",))
    part = tuple(6 - begin for begin in begins)
    p.shape = tuple(n + sum(pair) for n, pair in zip(part, paddings, strict=True))
    formula = Pad(paddings).lower(Operand(0, part, float32))
    assert isinstance(formula, Formula)
    padded = _bound(formula, r, p, begins)
    k = axes(6, 6)
    own = tuple(map(affine, k))
    user = Definition(y, k, Read(r, own, float32) + 1.0, own, 2, ("y",))
    other = Value("z", p.shape, float32, Fetch(1))
    j = axes(*p.shape)
    at = tuple(map(affine, j))
    last = Definition(other, j, Read(p, at, float32) * 2.0, at, 3, ("z",))
    return [made, padded, user, last]


def _bound(formula: Formula, source: Value, target: Value, begins: tuple[int, ...]) -> Definition:
    """The formula with the source's elements from `begins` on for its operand."""

    def moved(read: Read) -> Read:
        index = tuple(at + begin for at, begin in zip(read.index, begins, strict=True))
        return Read(source, index, float32)

    body = Rewrite(read=moved)(formula.body)
    return Definition(target, formula.axes, body, formula.store, 1, ("p",))


@pytest.mark.parametrize("paddings", [((1, 1), (1, 1)), ((0, 0), (2, 0)), ((0, 1), (0, 0))])
def test_a_whole_value_is_computed_in_its_copy(paddings: tuple[tuple[int, int], ...]) -> None:
    definitions = _program(paddings, (0, 0))
    y, r = definitions[2], definitions[0].value
    left = merge_padding(definitions, {y.value, definitions[3].value})
    assert [d.value.name for d in left] == ["p", "y", "z"]
    (read,) = y.reads()
    before = tuple(pair[0] for pair in paddings)
    assert read.source.name == "p"
    assert tuple(at.constant for at in read.index) == before
    assert all(r is not found.source for d in left for found in d.reads())


@pytest.mark.parametrize("begins", [(1, 0), (0, 2)])
def test_a_copy_of_a_part_is_left_alone(begins: tuple[int, ...]) -> None:
    definitions = _program(((1, 1), (1, 1)), begins)
    left = merge_padding(definitions, {d.value for d in definitions[2:]})
    assert [d.value.name for d in left] == ["r", "p", "y", "z"]
    (read,) = definitions[2].reads()
    assert read.source.name == "r"
