"""Indices that are tensors, against NumPy's indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError

X = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
BACKENDS = ("llvm", "numpy")
T = object()  # where the tensor goes
KEYS: list[tuple[Any, ...]] = [
    (T,), (T, T), (slice(1, None), T), (..., T), (T, ..., T), (None, T), (..., T, None),
    (1, T), (T, 1), (..., T, 2), (T, slice(None, None, -1), None, 0), (-1, ..., T, slice(1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("value", [1, 0, -1, -2])
def test_a_tensor_is_an_index_as_a_number_is(backend: str, known: bool, value: int) -> None:
    x, i = (
        tf.placeholder(tf.float32, X.shape if known else [None] * 3),
        tf.placeholder(tf.int32, []),
    )
    made = [x[tuple([i if item is T else item for item in key])] for key in KEYS]
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for found, key in zip(session.run(made, {x: X, i: value}), KEYS, strict=True):
            expected = X[tuple([value if item is T else item for item in key])]
            np.testing.assert_array_equal(found, expected)


def test_indices_out_of_range_are_reported() -> None:
    x, i = tf.constant(X), tf.placeholder(tf.int64, [])
    with tf.Session() as session:
        for value in (3, -4):
            with pytest.raises(InvalidArgumentError, match="test_indexing"):
                session.run(x[i], {i: value})


def test_several_indices_may_stand_behind_an_ellipsis() -> None:
    i, j = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
    made = [tf.constant(X)[..., i, j], tf.constant(X)[0, ..., i, None, j]]
    with tf.Session() as session:
        found = session.run(made, {i: 2, j: 3})
    np.testing.assert_array_equal(found[0], X[..., 2, 3])
    np.testing.assert_array_equal(found[1], X[0, ..., 2, None, 3])


KINDS = [(T, None, None), (None, T, None), (T, T, None), (None, T, T), (T, None, T)]
NUMBERS = [(1, 3, 1), (0, 4, 2), (-3, -1, 1), (-1, 0, -2), (2, 9, 3), (7, -9, -1)]


@pytest.mark.parametrize("known", [True, False])
def test_the_bounds_of_slices_may_be_tensors(known: bool) -> None:
    x = tf.placeholder(tf.float32, X.shape if known else [None] * 3)
    bounds = [tf.placeholder(kind, []) for kind in (tf.int32, tf.int64, tf.int32)]
    keys = [
        slice(*[b if k is T else k for k, b in zip(kind, bounds, strict=True)]) for kind in KINDS
    ]
    parts = [x[1:, key, ::2] for key in keys]
    slopes = tf.gradients([part * part for part in parts], x)[0]
    with tf.Session(config=tf.ConfigProto(backend="numpy")) as session:
        for numbers in NUMBERS:
            feeds = {x: X, **dict(zip(bounds, numbers, strict=True))}
            found, slope = session.run([parts, slopes], feeds)
            expected = np.zeros_like(X)
            for part, kind in zip(found, KINDS, strict=True):
                key = slice(*[n if k is T else k for k, n in zip(kind, numbers, strict=True)])
                np.testing.assert_array_equal(part, X[1:, key, ::2])
                expected[1:, key, ::2] += 2 * X[1:, key, ::2]
            np.testing.assert_array_equal(slope, expected)


def test_a_computed_bound_is_known_when_the_next_segment_begins() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    count = tf.reduce_sum(tf.cast(x[:, 0] > 0, tf.int32))
    with tf.Session() as session:
        for signs in ([1, 1, -1], [1, -1, -1], [-1, -1, -1]):
            values = np.array([[s, 7] for s in signs], np.float32)
            expected = values[: signs.count(1)]
            np.testing.assert_array_equal(session.run(x[:count], {x: values}), expected)
        with pytest.raises(ShapeError, match=r"step of a slice cannot be 0\n  at test_"):
            session.run(x[:: count * 0], {x: np.ones((3, 2))})


def test_strings_have_parts_too() -> None:
    x, n = tf.placeholder(tf.string, [None]), tf.placeholder(tf.int32, [])
    with tf.Session() as session:
        made = session.run([x[n], x[-n:], x[:n]], {x: ["a", "b", "c"], n: 2})
    assert [np.asarray(part).tolist() for part in made] == [b"c", [b"b", b"c"], [b"a", b"b"]]


def test_tensorflows_strided_slice_is_pythons_indexing() -> None:
    x, n = tf.constant(X), tf.placeholder(tf.int32, [])
    cases = [
        (tf.strided_slice(x, [0, 1, 4], [2, n, 0], [1, 1, -1]), X[0:2, 1:3, 4:0:-1]),
        (tf.strided_slice(x, [1, n - 2], [2, 0], end_mask=2, shrink_axis_mask=1), X[1, 1:]),
        (tf.strided_slice(x, [0, n - 1, 0], [0, 3, 9], new_axis_mask=1), X[None, 2:3, 0:9]),
        (tf.strided_slice(x, tf.stack([1, n]), [3, 4], begin_mask=1), X[:3, 3:4]),
    ]  # fmt: skip
    cases.append((tf.strided_slice(x, [0, 0, n], [0, 1, 0], None, 2, 0, 1, 0, 4), X[..., 0:1, 3]))
    with tf.Session() as session:
        for made, expected in cases:
            np.testing.assert_array_equal(session.run(made, {n: 3}), expected)
    with pytest.raises(ShapeError, match="there are 1, 2 and 1 begins, ends and strides"):
        tf.strided_slice(x, [0], [1, 2])


def test_a_loop_reads_windows_in_native_code() -> None:
    x, k = tf.placeholder(tf.float32, [None, 4]), 3
    w = tf.Variable(tf.ones([4]))

    def body(n: Any, total: Any) -> Any:
        parts = [x[n * k : (n + 1) * k], x[n : n + 3 : 1], tf.slice(x, [n, 1], [2, 2])]
        backwards = x[n + 2 : n : -1, 0]
        return n + 1, total + w * sum(map(tf.reduce_sum, [*parts, backwards]))

    _, total = tf.while_loop(lambda n, total: n < 3, body, [0, tf.zeros([4])])
    (slope,) = tf.gradients(total, x)
    array = np.random.RandomState(0).standard_normal((9, 4)).astype(np.float32)
    parts = [[array[3 * n : 3 * n + 3], array[n : n + 3], array[n : n + 2, 1:3]] for n in range(3)]
    sums = [sum(part.sum() for part in own) for own in parts]
    expected = sum(sums) + sum(array[n + 2 : n : -1, 0].sum() for n in range(3))
    with tf.Session() as session:
        np.testing.assert_allclose(session.run(total, {x: array})[0], expected, rtol=1e-5)
        weights = session.run(slope, {x: array})
        np.testing.assert_array_equal(weights[:, 3], [8, 12, 16, 12, 8, 4, 4, 4, 4])
        assert "stages" not in str(tf.explain([total, slope], {x: array}))
        with pytest.raises(InvalidArgumentError, match=r"indices\[2\] = 8 is not in \[0, 8\)"):
            session.run(total, {x: array[:8]})


def test_a_bound_that_depends_on_the_iteration_is_right_too() -> None:
    x = tf.placeholder(tf.float32, [None])
    sums = tf.map_fn(lambda n: tf.reduce_sum(x[:n]), tf.range(4), dtype=tf.float32)
    ends = tf.map_fn(
        lambda n: tf.reduce_sum(x[2 * n : tf.minimum(2 * n + 2, 5)]), tf.range(3), tf.float32
    )
    with tf.Session() as session:
        made = session.run([sums, ends], {x: [1, 2, 3, 4, 5]})
    np.testing.assert_array_equal(made[0], [0, 1, 3, 6])
    np.testing.assert_array_equal(made[1], [3, 7, 5])


@pytest.mark.parametrize("part", [lambda x, n: x[n], lambda x, n: tf.slice(x, [n, 0], [1, 4])])
def test_the_gradient_of_a_part_is_dense(part: Any) -> None:
    """As in TensorFlow, so that Momentum moves the other rows, too."""
    x, n = tf.Variable(np.ones((3, 4), np.float32)), tf.placeholder(tf.int32, [])
    loop = tf.map_fn(lambda n: tf.reduce_sum(part(x, n)), tf.stack([n, n]), tf.float32)
    slopes = tf.gradients(part(x, n), x) + tf.gradients(loop, x)
    assert all(isinstance(slope, tf.Tensor) for slope in slopes)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        once, twice = session.run(slopes, {n: 1})
    np.testing.assert_array_equal(once, np.eye(3)[:, [1]] * np.ones(4))
    np.testing.assert_array_equal(twice, 2 * once)


def test_other_tensors_are_no_indices() -> None:
    x = tf.constant(X)
    with pytest.raises(ShapeError, match="must be a scalar"):
        x[tf.constant([1, 2])]
    with pytest.raises(DTypeError, match="must be an integer"):
        x[tf.constant(1.5)]
