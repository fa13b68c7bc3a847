"""Mini-batches: every row once an epoch, in steps of one size, the same rows of all arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.batches import Batches, RowOrder, batch_random, is_whole

X = np.arange(10, dtype=np.float32).reshape(5, 2)


def test_rows_in_order_go_on_into_the_next_epoch() -> None:
    order = RowOrder(3, None)
    assert order.take(2).tolist() == [0, 1]
    assert order.take(5).tolist() == [2, 0, 1, 2, 0]
    assert order.take(0).tolist() == []


def test_each_epoch_has_every_row_once() -> None:
    order = RowOrder(7, np.random.default_rng(1))
    epochs = order.take(70).reshape(10, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 1


def test_how_many_rows_are_taken_at_a_time_makes_no_difference() -> None:
    whole = RowOrder(7, np.random.default_rng(1)).take(20)
    order = RowOrder(7, np.random.default_rng(1))
    parts = [order.take(count) for count in (1, 8, 0, 11)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_order_follows_from_the_seed_and_the_run() -> None:
    graph = tf.get_default_graph()
    drawn = [batch_random(graph, seed, run).random() for seed, run in ((1, 0), (1, 0), (1, 1))]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(tf.errors.FeedError, match="the seed must be an integer, not 'a'"):
        batch_random(graph, "a", 0)  # type: ignore[arg-type]


def test_arrays_are_batched_together() -> None:
    x, y = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None])
    batches = Batches({x: X, y: np.arange(5, dtype=np.uint8)}, 2, None)
    taken = batches.take(3)
    np.testing.assert_array_equal(taken[x].batch(2), X[[4, 0]])
    np.testing.assert_array_equal(taken[y].batch(slice(None)), [[0, 1], [2, 3], [4, 0]])
    assert taken[y].batch(0).dtype == np.float32
    assert (taken[x].shape, taken[y].shape) == ((2, 2), (2,))


def test_nothing_is_batched() -> None:
    assert Batches({}, None, None).take(3) == {}


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (None, "batch_size is missing"),
        (2.0, "must be an integer, not 2.0"),
        (True, "must be an integer, not True"),
        (0, "must be at least 1, not 0"),
        (1 << 31, "must be below 2\\^31"),
    ],
    ids=str,
)
def test_bad_sizes(size: Any, problem: str) -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    with pytest.raises(tf.errors.FeedError, match=problem):
        Batches({x: X}, size, None)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros(()), "has no rows: it is a scalar"),
        (np.zeros((0, 2)), "is empty: its shape is \\[0, 2\\]"),
        (np.zeros((4, 2)), "must have the same number of rows: 'x' has 5, 'y' has 4"),
        (np.zeros((5, 3)), "has the shape \\[2, 3\\]"),
    ],
    ids=str,
)
def test_bad_arrays(array: Any, problem: str) -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    with pytest.raises(tf.errors.FeedError, match=problem):
        Batches({x: X, y: array}, 2, None)


def test_whole_numbers() -> None:
    assert is_whole(3)
    assert is_whole(np.int64(3))
    assert not any(map(is_whole, (3.0, True, "3", None)))
