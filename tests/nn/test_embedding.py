"""Lookups in one table or several, against NumPy's indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
TABLE = np.random.default_rng(0).normal(size=(11, 4, 3))
IDS = np.array([[0, 10, 3], [7, 7, 1]], np.int32)


def shards(strategy: str, count: int) -> list[Array]:
    """The table cut as TensorFlow documents it."""
    if strategy == "mod":
        return [TABLE[n::count] for n in range(count)]
    return np.array_split(TABLE, count)


def run(fetches: Any, feeds: Any, backend: str) -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("strategy", ["mod", "div"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_gradients(backend: str, strategy: str, count: int) -> None:
    parts = shards(strategy, count)
    with tf.Graph().as_default():
        tables = [tf.placeholder(tf.float64, part.shape) for part in parts]
        ids = tf.placeholder(tf.int32, [None, 3])
        found = tf.nn.embedding_lookup(tables, ids, strategy)
        slices = tf.gradients(tf.reduce_sum(found * found), tables)
        gradients = [tf.convert_to_tensor(s) for s in slices]
        feeds = {ids: IDS, **dict(zip(tables, parts, strict=True))}
        value, *by_tables = run([found, *gradients], feeds, backend)
        np.testing.assert_array_equal(value, TABLE[IDS])
        wanted = np.zeros_like(TABLE)
        np.add.at(wanted, IDS, 2 * TABLE[IDS])
        joined = np.zeros_like(TABLE)
        for n, gradient in enumerate(by_tables):
            rows = rows_of_shards(strategy, count)[n]
            joined[rows] = gradient
        np.testing.assert_allclose(joined, wanted, rtol=1e-14)
        for bad in (-1, 11, 100):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1,2\] = "):
                run(found, {**feeds, ids: [[0, 1, 2], [3, 4, bad]]}, backend)


def rows_of_shards(strategy: str, count: int) -> list[Any]:
    rows = np.arange(len(TABLE))
    return (
        [rows[n::count] for n in range(count)] if strategy == "mod" else np.array_split(rows, count)
    )


@pytest.mark.parametrize("strategy", ["mod", "div"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_tables_in_parts_train_as_one_does(backend: str, strategy: str) -> None:
    """Rows that no lookup names stand still, also the first of a part that is not asked at all."""
    lookups = [[[0, 10, 3]], [[10, 10, 7]], [[4, 8, 4]]]
    found = []
    for parts in ([TABLE], shards(strategy, 4)):
        with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            tables = [tf.Variable(part.astype(np.float32)) for part in parts]
            ids = tf.placeholder(tf.int32, [None, 3])
            rows = tf.nn.embedding_lookup(tables, ids, strategy)
            loss = tf.reduce_sum(rows * rows) + tf.reduce_sum(tf.gather(tables[0], [0]))
            step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
            for lookup in lookups:
                session.run(step, {ids: lookup})
            values = session.run(tables)
        whole = np.zeros_like(TABLE)
        for own, value in zip(rows_of_shards(strategy, len(parts)), values, strict=True):
            whole[own] = value
        found.append(whole)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    still = [1, 2, 5, 6, 9]
    np.testing.assert_array_equal(found[1][still], TABLE.astype(np.float32)[still])


@pytest.mark.parametrize("backend", BACKENDS)
def test_long_rows_are_scaled_down(backend: str) -> None:
    with tf.Graph().as_default():
        found = tf.nn.embedding_lookup(tf.constant(TABLE), IDS, max_norm=3.0)
        value = run(found, {}, backend)
    rows = TABLE[IDS]
    norms = np.sqrt((rows**2).sum((2, 3), keepdims=True))
    assert 0 < (norms > 3).sum() < norms.size
    np.testing.assert_allclose(value, rows * np.minimum(1, 3 / norms), rtol=1e-12)


def test_a_row_in_no_table_s_range_does_not_spoil_the_others() -> None:
    """Every table is read at its first row for the rows of others; what it holds must not show."""
    first, second = np.full((2, 2), np.nan), np.ones((2, 2))
    with tf.Graph().as_default():
        found = tf.nn.embedding_lookup([tf.constant(first), tf.constant(second)], [1, 3])
        np.testing.assert_array_equal(run(found, {}, "llvm"), np.ones((2, 2)))


def test_mistakes_are_explained() -> None:
    with tf.Graph().as_default():
        open_ = tf.placeholder(tf.float32, [None, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="'mod' or 'div', not 'rest'"):
            tf.nn.embedding_lookup([open_], [0], "rest")
        with pytest.raises(tf.errors.InvalidArgumentError, match="at least one table"):
            tf.nn.embedding_lookup([], [0])
        with pytest.raises(tf.errors.ShapeError, match=r"'div' needs to know .* \[\?, 2\]"):
            tf.nn.embedding_lookup([open_, open_], [0], "div")
        with pytest.raises(tf.errors.DTypeError, match="int32 or int64"):
            tf.nn.embedding_lookup([open_], np.array([0.5]))
