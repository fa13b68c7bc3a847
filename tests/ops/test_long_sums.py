"""Sums of many terms are as good as their terms, whatever they are sums of.

Equal terms are the worst case: each addition rounds the same way. Sums in blocks of 512 meet at
most some 512 roundings at each of three levels, of half an epsilon each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import thalweg as tf
from thalweg.graph import Tensor

Array = np.ndarray[Any, Any]
BOUND = 3 * 512 * 2.0**-24  # relative
LENGTHS = (10, 1000, 10_000, 300_000)
TERM = np.float32(0.1)


def product(transpose_a: bool, transpose_b: bool) -> Callable[[int], tuple[Tensor, Any, float]]:
    def build(n: int) -> tuple[Tensor, Any, float]:
        a = tf.placeholder(tf.float32, [None, 3] if transpose_a else [3, None])
        b = tf.placeholder(tf.float32, [17, None] if transpose_b else [None, 17])
        y = tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        return y, {a: filled((n, 3) if transpose_a else (3, n)), b: ones(b, n)}, n * float(TERM)

    return build


def filled(shape: tuple[int, ...], value: Any = TERM) -> Array:
    return np.full(shape, value, np.asarray(value).dtype)


def ones(x: Tensor, n: int) -> Array:
    return np.ones([n if extent is None else extent for extent in x.static_shape or ()], np.float32)


def known_product(n: int) -> tuple[Tensor, Any, float]:
    a, b = tf.placeholder(tf.float32, [5, n]), tf.placeholder(tf.float32, [n, 7])
    return tf.matmul(a, b), {a: filled((5, n)), b: ones(b, n)}, n * float(TERM)


def filter_gradient(n: int) -> tuple[Tensor, Any, float]:
    """Of a convolution over images with so many pixels together."""
    side = max(round((n / 2) ** 0.5), 1)
    x, dy = (tf.placeholder(tf.float32, [None, side, side, c]) for c in (3, 4))
    w = tf.zeros([1, 1, 3, 4])
    (made,) = tf.gradients(tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID"), w, dy)
    assert made is not None
    return made, {x: filled((2, side, side, 3)), dy: ones(dy, 2)}, 2 * side * side * float(TERM)


def convolution(n: int) -> tuple[Tensor, Any, float]:
    channels = -(-n // 4)
    x = tf.placeholder(tf.float32, [None, 2, 2, channels])
    w = tf.placeholder(tf.float32, [2, 2, channels, 5])
    y = tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID")
    return y, {x: filled((2, 2, 2, channels)), w: ones(w, 0)}, 4 * channels * float(TERM)


def image_gradient(n: int) -> tuple[Tensor, Any, float]:
    dy, w = tf.placeholder(tf.float32, [1, 1, 1, n]), tf.placeholder(tf.float32, [1, 1, 3, n])
    x = tf.zeros([1, 1, 1, 3])
    (made,) = tf.gradients(tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID"), x, dy)
    assert made is not None
    return made, {dy: filled((1, 1, 1, n)), w: ones(w, 0)}, n * float(TERM)


def total(axis: int) -> Callable[[int], tuple[Tensor, Any, float]]:
    def build(n: int) -> tuple[Tensor, Any, float]:
        x = tf.placeholder(tf.float32, [None, 3] if axis == 0 else [3, None])
        return tf.reduce_sum(x, axis), {x: filled((n, 3) if axis == 0 else (3, n))}, n * float(TERM)

    return build


def mean(n: int) -> tuple[Tensor, Any, float]:
    x = tf.placeholder(tf.float32, [None, 3])
    return tf.reduce_mean(x, 0), {x: filled((n, 3))}, float(TERM)


def variance(n: int) -> tuple[Tensor, Any, float]:
    x = tf.placeholder(tf.float32, [None, 3])
    values = filled((n, 3))
    values[::2] *= -1
    return tf.nn.moments(x, [0])[1], {x: values}, float(TERM) ** 2 * (1 - (n % 2) / n**2)


def softmax_sum(n: int) -> tuple[Tensor, Any, float]:
    x = tf.placeholder(tf.float32, [2, None])
    return tf.nn.softmax(x), {x: filled((2, n))}, 1 / n


def one_row(n: int) -> tuple[Tensor, Any, float]:
    """The gradient of a gather that takes one row again and again."""
    table, dy = tf.placeholder(tf.float32, [3, 2]), tf.placeholder(tf.float32, [None, 2])
    rows = tf.placeholder(tf.int32, [None])
    made = tf.convert_to_tensor(tf.gradients(tf.gather(table, rows), table, dy)[0])
    feeds = {table: np.zeros((3, 2), np.float32), dy: filled((n, 2)), rows: np.ones(n, np.int32)}
    return tf.slice(made, [1, 0], [1, 2]), feeds, n * float(TERM)


def average(n: int) -> tuple[Tensor, Any, float]:
    side = max(round(n**0.5), 1)
    x = tf.placeholder(tf.float32, [1, side, side, 2])
    y = tf.nn.avg_pool(x, [1, side, side, 1], [1, 1, 1, 1], "VALID")
    return y, {x: filled((1, side, side, 2))}, float(TERM)


def half(kind: Any) -> Callable[[int], tuple[Tensor, Any, float]]:
    def build(n: int) -> tuple[Tensor, Any, float]:
        term = np.asarray(1 / n, kind)
        x = tf.placeholder(kind, [None, 3])
        return tf.reduce_sum(x, 0), {x: filled((n, 3), term)}, n * float(term)

    return build


BUILDS: dict[str, Callable[[int], tuple[Tensor, Any, float]]] = {
    "matmul": product(False, False),
    "matmul-transposed-a": product(True, False),
    "matmul-transposed-b": product(False, True),
    "matmul-both": product(True, True),
    "matmul-known": known_product,
    "convolution": convolution,
    "by-image": image_gradient,
    "by-filter": filter_gradient,
    "sum-0": total(0),
    "sum-1": total(1),
    "mean": mean,
    "variance": variance,
    "softmax": softmax_sum,
    "gather": one_row,
    "avg_pool": average,
}
HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", BUILDS)
def test_equal_terms(name: str, length: int) -> None:
    check_sum(BUILDS[name], length, BOUND)


@pytest.mark.parametrize("name", HALVES)
def test_halves_are_added_up_in_single_precision(name: str) -> None:
    kind = HALVES[name]
    check_sum(half(kind), 10_000, float(ml_dtypes.finfo(kind).eps))  # type: ignore[no-untyped-call]


def check_sum(build: Callable[[int], tuple[Tensor, Any, float]], n: int, bound: float) -> float:
    """The largest relative error, which must not be larger than a bound."""
    y, feeds, wanted = build(n)
    with tf.Session() as session:
        got = np.asarray(session.run(y, feeds), np.float64)
    error = float(np.abs(got / wanted - 1).max())
    assert error <= bound, error
    return error
