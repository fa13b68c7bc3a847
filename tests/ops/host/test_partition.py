"""Rows dealt out, put together again, and the different elements of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import differences


def test_rows_are_dealt_out_and_put_together(session: tf.Session) -> None:
    x, p = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [None])
    parts = tf.dynamic_partition(x * 2.0, p, 3)
    assert [part.shape.as_list() for part in parts] == [[None, 2]] * 3
    places = tf.dynamic_partition(tf.range(tf.size(p)), p, 3)
    whole = tf.dynamic_stitch(places, [part * 0.5 for part in parts])
    rng = np.random.default_rng(4)
    for rows in (6, 3, 0, 6):
        array = rng.normal(size=(rows, 2)).astype(np.float32)
        numbers = rng.integers(0, 3, rows)
        found, again = session.run([parts, whole], {x: array, p: numbers})
        for n, part in enumerate(found):
            np.testing.assert_array_equal(part, 2 * array[numbers == n])
        np.testing.assert_array_equal(again, array)


def test_a_number_outside_names_the_line(session: tf.Session) -> None:
    p = tf.placeholder(tf.int32, [None])
    parts = tf.dynamic_partition(p, p, 2)
    with pytest.raises(ValueError, match=r"partitions\[1\] = 2 is not in \[0, 2\)") as caught:
        session.run(parts, {p: [0, 2]})
    assert "test_partition.py" in str(caught.value)
    with pytest.raises(ValueError, match="an index is negative"):
        session.run(tf.dynamic_stitch([p], [p]), {p: [0, -2]})


def test_one_part_s_gradient_leaves_the_others_alone(session: tf.Session) -> None:
    x = tf.constant([1.0, 2.0, 3.0, 4.0])
    even, _ = tf.dynamic_partition(x, [0, 1, 0, 1], 2)
    assert session.run(tf.gradients(even * even, x)[0]).tolist() == [2, 0, 6, 0]


def test_second_derivatives_through_a_partition(session: tf.Session) -> None:
    x = tf.constant([1.0, 2.0, 3.0])
    part = tf.dynamic_partition(x, [0, 1, 0], 2)[0]
    slope = tf.gradients(part * part * part, x)[0]
    assert slope is not None
    assert session.run(tf.gradients(slope, x)[0]).tolist() == [6, 0, 18]


def test_what_a_later_slice_replaces_has_no_gradient(session: tf.Session) -> None:
    indices = [np.array([0, 2], np.int32), np.array([2, 1], np.int32)]
    arrays = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    tensors = [tf.constant(array) for array in arrays]
    y = tf.dynamic_stitch(indices, tensors)
    assert session.run(y).tolist() == [1, 4, 3]
    slopes = session.run(tf.gradients(y * y, tensors))

    def total(first: Any, second: Any) -> float:
        return float(np.square([first[0], second[1], second[0]]).sum())

    for n, slope in enumerate(slopes):
        np.testing.assert_allclose(slope, differences(total, arrays, n), atol=1e-8)


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="dynamic_partition: there must be 1 partition or more"):
        tf.dynamic_partition([1], [0], 0)
    with pytest.raises(ValueError, match="dynamic_stitch: there are 1 indices for 2 tensors"):
        tf.dynamic_stitch([[0]], [[1], [2]])
    with pytest.raises(ValueError, match=r"data is \[2\], which does not begin as partitions, \[3"):
        tf.dynamic_partition([1.0, 2.0], [0, 1, 0], 2)


def test_permutations(session: tf.Session) -> None:
    x = tf.placeholder(tf.int64, [None])
    inverse = tf.invert_permutation(x)
    for size in (5, 1, 8):
        order = np.random.default_rng(size).permutation(size)
        np.testing.assert_array_equal(session.run(inverse, {x: order}), np.argsort(order))
    for wrong in ([0, 0], [1, 2], [-1, 0]):
        with pytest.raises(ValueError, match="x is not a permutation of the numbers from 0 to 1"):
            session.run(inverse, {x: wrong})


def test_different_elements(session: tf.Session) -> None:
    x = tf.placeholder(tf.int32, [None])
    with_counts = tf.unique_with_counts(x)
    found = tf.unique(x)
    for array in ([3, 1, 3, 2, 1, 3], [5], [], [1, 2, 3]):
        y, idx, count = session.run(with_counts, {x: array})
        assert y.tolist() == list(dict.fromkeys(array))
        np.testing.assert_array_equal(y[idx], np.array(array, np.int32))
        assert count.tolist() == [array.count(n) for n in y]
        short = session.run(found, {x: array})
        assert (short.y.tolist(), short.idx.tolist()) == (y.tolist(), idx.tolist())


def test_what_is_different_goes_on_natively(session: tf.Session) -> None:
    """The rows of a table that a batch needs, each once."""
    ids, table = tf.placeholder(tf.int32, [None]), tf.Variable(np.eye(5, dtype=np.float32))
    once = tf.unique(ids)
    rows = tf.gather(tf.gather(table, once.y) * 2.0, once.idx)
    session.run(table.initializer)
    for batch in ([4, 1, 4], [0], [2, 2, 2, 2, 3]):
        np.testing.assert_array_equal(session.run(rows, {ids: batch}), 2 * np.eye(5)[batch])


def test_differences_of_sets(session: tf.Session) -> None:
    x, y = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.int64, [None])
    made = tf.setdiff1d(x, y, tf.int64)
    assert made.idx.dtype == tf.int64
    out, idx = session.run(made, {x: [1, 2, 3, 2, 6], y: [2, 9]})
    assert (out.tolist(), idx.tolist()) == ([1, 3, 6], [0, 2, 4])
    assert session.run(made, {x: [], y: [1]}).out.size == 0
