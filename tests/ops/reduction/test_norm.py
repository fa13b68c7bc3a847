"""Norms, and gradients clipped by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
X = np.array([[3, -4, 2], [0, 2, 6]])
NORMS: list[tuple[Any, Any]] = [
    ("euclidean", None),
    (2, 1),
    (1, None),
    (np.inf, 0),
    (3, 0),
    (2.5, None),
    ("fro", (0, 1)),
    (1, (0, 1)),
    (np.inf, (-2, -1)),
]


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default():
        yield


def run(fetches: Any, feeds: Any = None, backend: str = "llvm") -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


def wanted(order: Any, axis: Any) -> Array:
    known = {"euclidean": None}.get(order, order)
    values = X.ravel() if axis is None else X
    return np.asarray(np.linalg.norm(values, known, axis))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("order", "axis"), NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-19, 1e-35, 1e30, 0.0])
def test_norms_of_all_sizes(scale: float, order: Any, axis: Any, backend: str) -> None:
    """Squares of the smallest and largest are out of float32's range; the norms are not."""
    x = tf.placeholder(tf.float32, [2, 3])
    y = tf.norm(x, order, axis)
    (slope,) = tf.gradients(y, x)
    found, by_x = run([y, slope], {x: X * scale}, backend)
    np.testing.assert_allclose(found, wanted(order, axis) * np.float32(scale), rtol=2e-6)
    assert np.isfinite(by_x).all()
    if scale:
        np.testing.assert_allclose(by_x, run(slope, {x: X}, backend), rtol=1e-5)
    elif order not in (1, np.inf):
        np.testing.assert_array_equal(by_x, np.zeros_like(X))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_neither_overflows_nor_vanishes(dtype: tf.DType) -> None:
    for scale in (1e-3, 1.0, 1e3):
        found = run(tf.norm(tf.constant((X * scale).astype(dtype.numpy))))
        assert float(found) == pytest.approx(np.linalg.norm(X) * scale, rel=2.0**-7)


def test_infinities_and_nans_stay() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = tf.norm(x)
    assert run(y, {x: [np.inf, 1]}) == np.inf
    assert np.isnan(run(y, {x: [np.nan, 1]}))


def test_axes_may_stay() -> None:
    assert tf.norm(tf.ones([2, 3]), axis=1, keepdims=True).shape == [2, 1]
    assert tf.norm(tf.ones([2, 3]), keep_dims=True).shape == [1, 1]
    assert tf.norm(tf.ones([2, 3]), axis=-1).shape == [2]


def test_mistakes_are_explained() -> None:
    x = tf.ones([2, 2])
    with pytest.raises(ValueError, match="'ord' must be a supported vector norm, not 'fro'"):
        tf.norm(x, "fro")
    with pytest.raises(ValueError, match="supported vector norm, not -1"):
        tf.norm(x, -1)
    with pytest.raises(ValueError, match="supported matrix norm, not 3"):
        tf.norm(x, 3, axis=(0, 1))
    with pytest.raises(ValueError, match="2 unique integers"):
        tf.norm(x, axis=(0, 0))
    with pytest.raises(tf.errors.UnimplementedError, match="singular values"):
        tf.norm(x, 2, axis=(0, 1))


# -- clipping


def slices(values: Any) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.convert_to_tensor(values), tf.constant([1, 1]), tf.constant([4, 3]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_clipping_by_norm(backend: str) -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    whole, by_row, average = (
        tf.clip_by_norm(x, 2.0),
        tf.clip_by_norm(x, 5.5, axes=[1]),
        tf.clip_by_average_norm(x, 0.5),
    )
    size = np.linalg.norm(X)
    found = run([whole, by_row, average], {x: X}, backend)
    np.testing.assert_allclose(found[0], X * 2 / size, rtol=1e-6)
    sizes = np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(found[1], X * np.minimum(1, 5.5 / sizes), rtol=1e-6)
    np.testing.assert_allclose(found[2], X * 0.5 / (size / 6), rtol=1e-6)
    np.testing.assert_array_equal(run(tf.clip_by_norm(x, 20.0), {x: X}, backend), X)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_of_zeros_stays_so(backend: str) -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    clipped = [
        tf.clip_by_norm(x, 1.0),
        tf.clip_by_average_norm(x, 1.0),
        tf.clip_by_global_norm([x], 1.0)[0][0],
        tf.clip_by_value(x, -1.0, 1.0),
    ]
    slopes = [tf.gradients(c, x)[0] for c in clipped]
    found = run([*clipped, *slopes, tf.global_norm([x])], {x: np.zeros((2, 3))}, backend)
    assert all((value == 0).all() for value in (*found[:4], found[8]))
    assert all((value == 1).all() for value in found[4:8])


@pytest.mark.parametrize("backend", BACKENDS)
def test_clipping_by_the_norm_of_all(backend: str) -> None:
    """`IndexedSlices` count slice by slice, as in TensorFlow, whatever rows they are for."""
    x = tf.placeholder(tf.float32, [2, 3])
    clipped, norm = tf.clip_by_global_norm([x, None, slices(x * 2.0)], 3.0)
    assert clipped[1] is None
    found = run([clipped[0], clipped[2], norm], {x: X}, backend)
    size = np.sqrt(5) * np.linalg.norm(X)
    assert found[2] == pytest.approx(size)
    np.testing.assert_allclose(found[0], X * 3 / size, rtol=1e-6)
    np.testing.assert_allclose(found[1].values, X * 6 / size, rtol=1e-6)
    assert found[1].indices.tolist() == [1, 1]
    within, _ = tf.clip_by_global_norm([x], 100.0)
    np.testing.assert_array_equal(run(within[0], {x: X}, backend), X)
    given, same = tf.clip_by_global_norm([x], 1.0, use_norm=tf.constant(10.0))
    np.testing.assert_allclose(run(given[0], {x: X}, backend), X / 10, rtol=1e-6)
    assert run(same) == 10
    for bad in (np.inf, np.nan):
        values = X.astype(np.float32)
        values[0, 0] = bad
        assert np.isnan(run(clipped[0], {x: values}, backend)).all()
    assert tf.clip_by_global_norm([None], 1.0) == ([None], None)
    assert tf.global_norm([None]) is None
    with pytest.raises(TypeError, match="should be a sequence"):
        tf.global_norm(x)  # type: ignore[arg-type]


def test_slices_are_clipped_as_they_are() -> None:
    clips: list[Callable[[Any], Any]] = [
        lambda t: tf.clip_by_norm(t, 2.0),
        lambda t: tf.clip_by_average_norm(t, 0.5),
        lambda t: tf.clip_by_value(t, -1.0, 2.0),
    ]
    for clip in clips:
        values = tf.constant(X, tf.float32)
        clipped = clip(slices(values))
        assert isinstance(clipped, tf.IndexedSlices)
        found, wanted_values = run([clipped, clip(values)])
        np.testing.assert_array_equal(found.values, wanted_values)
        assert found.dense_shape.tolist() == [4, 3]
