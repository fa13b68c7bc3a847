"""Gradients that are slices: where they arise, how they add up, when they become dense."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
TABLE = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(fetches: Any, feeds: Any = None, backend: str = "llvm") -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


def dense(slices: tf.IndexedSlicesValue) -> Array:
    made = np.zeros(slices.dense_shape, np.float64)
    np.add.at(made, slices.indices, slices.values)
    return made


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(), (4,), (2, 2), (0,)])
def test_the_gradient_of_a_gather(shape: tuple[int, ...], backend: str) -> None:
    indices = np.random.default_rng(1).integers(0, 6, shape)
    table = tf.Variable(TABLE)
    rows = tf.placeholder(tf.int64, shape)
    (slices,) = tf.gradients(tf.square(tf.gather(table, rows)), table)
    assert isinstance(slices, tf.IndexedSlices)
    assert slices.dtype == tf.float32
    assert slices.shape.as_list() == [None, 3]
    found, whole = run([slices, tf.convert_to_tensor(slices)], {rows: indices}, backend)
    assert isinstance(found, tf.IndexedSlicesValue)
    assert found.values.shape == (indices.size, 3)
    assert found.indices.tolist() == indices.ravel().tolist()
    assert found.dense_shape.tolist() == [6, 3]
    np.testing.assert_allclose(dense(found), whole, rtol=1e-6)
    wanted = np.zeros_like(TABLE)
    np.add.at(wanted, indices.ravel(), 2 * TABLE[indices].reshape(-1, 3))
    np.testing.assert_allclose(whole, wanted, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_slices_of_several_lookups_are_put_together(backend: str) -> None:
    table = tf.Variable(TABLE)
    first, second = tf.gather(table, [0, 0]), tf.gather(table, np.array([5, 0], np.int64))
    (slices,) = tf.gradients(tf.reduce_sum(first) + tf.reduce_sum(second * 2.0), table)
    found = run(slices, backend=backend)
    assert found.values.shape == (4, 3)
    assert dense(found)[:, 0].tolist() == [4, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_uses_make_a_gradient_dense(backend: str) -> None:
    table = tf.Variable(TABLE)
    total = tf.reduce_sum(tf.gather(table, [1, 1])) + tf.reduce_sum(table * 3.0)
    (gradient,) = tf.gradients(total, table)
    assert isinstance(gradient, tf.Tensor)
    assert run(gradient, backend=backend)[:, 0].tolist() == [3, 5, 3, 3, 3, 3]


@pytest.mark.parametrize("backend", BACKENDS)
def test_they_go_on_as_a_dense_tensor_through_other_operations(backend: str) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    scaled = x * 2.0
    (by_x,) = tf.gradients(tf.reduce_sum(tf.gather(scaled, [1, 1, 0])), x)
    assert isinstance(by_x, tf.Tensor)
    assert run(by_x, {x: TABLE}, backend)[:, 0].tolist() == [2, 4, 0, 0, 0, 0]
    with_identity = tf.gather(tf.identity(tf.Variable(TABLE, name="v")), [1])
    (by_v,) = tf.gradients(with_identity, tf.global_variables()[-1])
    assert isinstance(by_v, tf.IndexedSlices)


def test_along_other_axes_they_are_dense() -> None:
    table = tf.Variable(TABLE)
    (gradient,) = tf.gradients(tf.gather(table, [2, 2], axis=1), table)
    assert isinstance(gradient, tf.Tensor)
    assert run(gradient)[0].tolist() == [0, 0, 2]
    (same,) = tf.gradients(tf.gather(table, [2, 2], axis=-2), table)
    assert isinstance(same, tf.IndexedSlices)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_of_slices(backend: str) -> None:
    table = tf.Variable(TABLE)
    rows = tf.gather(table, [1, 4, 1])
    (first,) = tf.gradients(tf.reduce_sum(rows * rows * rows), table)
    (second,) = tf.gradients(tf.reduce_sum(first * 2.0), table)
    wanted = np.zeros_like(TABLE)
    np.add.at(wanted, [1, 4, 1], 2 * 6 * TABLE[[1, 4, 1]])
    found = run(tf.convert_to_tensor(second), backend=backend)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_slices_are_operands_and_have_a_negative() -> None:
    slices = tf.IndexedSlices(tf.ones([2, 1]), tf.constant([2, 2]), tf.constant([3, 1]))
    assert isinstance(-slices, tf.IndexedSlices)
    found = run([slices + tf.ones([3, 1]), tf.reduce_sum(slices), -slices])
    assert found[0].tolist() == [[1], [1], [3]]
    assert found[1] == 2
    assert found[2].values.tolist() == [[-1], [-1]]
    assert run(tf.IndexedSlices(slices.values, slices.indices)).dense_shape is None


def test_large_tensors_are_made_with_a_warning() -> None:
    values, indices = tf.ones([1, 2]), tf.constant([0])
    with pytest.warns(UserWarning, match="dense tensor of 100000000 elements") as caught:
        tf.convert_to_tensor(tf.IndexedSlices(values, indices, tf.constant([50_000_000, 2])))
    assert "test_indexed_slices.py" in str(caught[0].message)
    rows = tf.placeholder(tf.int32, [])
    with pytest.warns(UserWarning, match="dense tensor of unknown shape"):
        tf.convert_to_tensor(tf.IndexedSlices(values, indices, tf.stack([rows, 2])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf.convert_to_tensor(tf.IndexedSlices(values, indices, tf.constant([49_999_999, 2])))
    with pytest.raises(tf.errors.InvalidArgumentError, match="dense_shape is None"):
        tf.convert_to_tensor(tf.IndexedSlices(values, indices))
    with pytest.raises(TypeError, match="indices must be a tensor"):
        tf.IndexedSlices(values, [0])


def test_methods_of_aggregation() -> None:
    x = tf.constant(3.0)
    for method in ("ADD_N", "DEFAULT", "EXPERIMENTAL_TREE", "EXPERIMENTAL_ACCUMULATE_N"):
        number = getattr(tf.AggregationMethod, method)
        assert run(tf.gradients(x * x, x, aggregation_method=number)[0]) == 6
    with pytest.raises(ValueError, match="Invalid aggregation_method specified 7"):
        tf.gradients(x * x, x, aggregation_method=7)
