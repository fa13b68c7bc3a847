"""Numbers at the limits of their types: conversions, integer arithmetic, division by 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.dtypes import as_dtype

Array = np.ndarray[Any, Any]
BACKENDS = ("numpy", "llvm")
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "int64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


def run(fetches: Any, feeds: Any, backend: str = "llvm") -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session, np.errstate(all="ignore"):
        return session.run(fetches, feeds)


def same(a: Array, b: Array) -> None:
    """Equal in their bits, but for those of NaN and for the sign of zero."""
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a.astype(np.float64), b.astype(np.float64))
    if a.dtype.kind in "iu":
        np.testing.assert_array_equal(a, b)


# What floats become: int64, int32, and the low bits of that for what is narrower.
LOW32, LOW64 = -(2**31), -(2**63)
CONVERTED: list[tuple[float, int, int]] = [
    (1.9, 1, 1),
    (-1.9, -1, -1),
    (-0.0, 0, 0),
    (300.0, 300, 300),
    (-129.0, -129, -129),
    (70000.0, 70000, 70000),
    (2.0**31 - 128, 2**31 - 128, 2**31 - 128),
    (2.0**31, 2**31, LOW32),
    (-(2.0**31), LOW32, LOW32),
    (1e10, 10**10, LOW32),
    (2.0**63, LOW64, LOW32),
    (1e30, LOW64, LOW32),
    (-1e30, LOW64, LOW32),
    (math.inf, LOW64, LOW32),
    (-math.inf, LOW64, LOW32),
    (math.nan, LOW64, LOW32),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_as_integers(source: str, target: str, backend: str) -> None:
    numbers = np.array([x for x, _, _ in CONVERTED], source)
    wide = np.array([row[1 if target == "int64" else 2] for row in CONVERTED])
    with tf.Graph().as_default():
        x = tf.placeholder(source, [None])
        y = tf.cast(x, target)
        same(run(y, {x: numbers}, backend), wide.astype(target))
        for n, number in enumerate(numbers):  # scalar code
            same(run(y, {x: [number]}, backend), wide[n : n + 1].astype(target))


@pytest.mark.parametrize("target", ["float16", "bfloat16"])
@pytest.mark.parametrize("source", ["float32", "float64", "int32", "int64"])
def test_numbers_as_half_precision(source: str, target: str) -> None:
    """Rounded once; ml_dtypes rounds a double to bfloat16 by way of a float, and so it is here."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=20_000) * np.exp2(rng.integers(-26, 18, 20_000))
    between = 1 + np.exp2([-11.0, -8.0])[:, None] + np.exp2([-40.0])[:, None] * [-1, 0, 1]
    x = np.concatenate([numbers, *between, [65519.99, 65520, 1e39, -1e300, 3e-8, 2.9e-8]])
    with np.errstate(all="ignore"):
        kept = np.clip(x, -(2.0**31), 2.0**31 - 1) if source[0] == "i" else x
        array = kept.astype(source)
        expected = array.astype(as_dtype(target).numpy)
    with tf.Graph().as_default():
        fed = tf.placeholder(source, [None])
        same(run(tf.cast(fed, target), {fed: array}), expected)


def _limits(dtype: str) -> Array:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.array([low, low + 1, *([-7, -1] if low else []), 0, 1, 2, 7, high - 1, high], dtype)


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "truediv": lambda x, y: x / y,
    "multiply": lambda x, y: x * y,
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "squared_difference": tf.squared_difference,
    "abs": lambda x, y: tf.abs(x),
    "sign": lambda x, y: tf.sign(x),
    "power of 17": lambda x, y: x**17,
    "power of 0": lambda x, y: x**0,
}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap_around_and_nothing_traps(dtype: str) -> None:
    limits = _limits(dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(limits, limits))
    with tf.Graph().as_default():
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        made = {name: f(x, y) for name, f in FUNCTIONS.items()}
        native, reference = (run(made, {x: a, y: b}, backend) for backend in BACKENDS[::-1])
        scalar = [run(made, {x: a[n : n + 1], y: b[n : n + 1]}) for n in range(0, len(a), 7)]
    for name, value in native.items():
        same(value, reference[name])
        same(np.concatenate([one[name] for one in scalar]), value[::7])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(native["floordiv"], a // b)  # 0 where b is
        np.testing.assert_array_equal(native["mod"], a % b)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_division_of_floats_at_the_limits(dtype: str) -> None:
    inf, nan = math.inf, math.nan
    sizes = np.array([0, -0.0, 1, -1, 3, -3, 0.1, 7.5, 6e4, -6e4, inf, -inf, nan]).astype(dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(sizes, sizes))
    with tf.Graph().as_default():
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        made = [x // y, x % y]
        native, reference = (run(made, {x: a, y: b}, backend) for backend in BACKENDS[::-1])
    for actual, expected in zip(native, reference, strict=True):
        same(actual, expected)
        real = expected == expected
        np.testing.assert_array_equal(np.signbit(actual)[real], np.signbit(expected)[real])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_means_of_integers_are_exact(dtype: str, backend: str) -> None:
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    rows = [[high] * 5, [low] * 5, [low, high, high, 0, 1], [1, 2, 2, 2, 3], [0, 0, 0, 0, 1]]
    if low:
        rows += [[-1, -1, 0, 0, 0], [-3, -4, 1, 0, 0], [low, low, low, high, -1]]
    exact = [abs(sum(row)) // 5 * (1 if sum(row) > 0 else -1) for row in rows]
    with tf.Graph().as_default():
        x = tf.placeholder(dtype, [None, 5])
        means, whole = run([tf.reduce_mean(x, 1), tf.reduce_mean(x)], {x: rows[:1]}, backend)
        assert means.tolist() == [high]
        assert int(whole) == high
        same(run(tf.reduce_mean(x, 1), {x: np.array(rows, dtype)}, backend), np.array(exact, dtype))
