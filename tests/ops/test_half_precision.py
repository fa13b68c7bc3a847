"""Half precision is rounded after every operation, whatever is fused or fetched with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.dtypes import as_dtype

KINDS = ["float16", "bfloat16"]
COUNT = 4099  # no multiple of a vector
Steps = list[Any]


def _arithmetic(x: Any, y: Any) -> Steps:
    """Each step keeps only half of the digits that the one before has."""
    a = x * y
    b = a + 3.3
    c = b * b
    d = (c - y) * 0.1
    e = d / (x + 5.0)
    return [a, b, c, d, e, tf.where(e > 0.2, e * 3.0, a - e)]


def _reductions(x: Any, y: Any) -> Steps:
    a = x * y
    b = tf.reduce_max(a * 1.7 - x)
    return [a, b, a - b, tf.reduce_sum((a - b) * y), tf.reduce_mean(a * 1.3)]


def _gradient(x: Any, y: Any) -> Steps:
    a = x * y + 0.7
    b = a * a * x
    return [a, b, *tf.gradients(b, [x, y])]


def _functions(x: Any, y: Any) -> Steps:
    a = tf.exp(x * 0.37)
    b = tf.tanh(a - 1.0) + tf.log(a + y * y)
    return [a, b, tf.sqrt(b * b + 1.0)]


def _stored(x: Any, y: Any) -> Steps:
    """The products need their operand in memory, and the others read it there if it is."""
    a = tf.exp(x * 0.37) * y + x * 0.3
    products = tf.matmul(tf.reshape(a, [-1, 1]), tf.ones([1, 33], a.dtype))
    return [products, a[1:] - x[:-1], tf.exp(a[3:]) * y[3:]]


def _arrays(dtype: str) -> list[Any]:
    rng = np.random.default_rng(4)
    return [rng.normal(size=COUNT).astype(as_dtype(dtype).numpy) for _ in range(2)]


def _run(build: Callable[[Any, Any], Steps], dtype: str, backend: str = "llvm") -> list[Any]:
    """All steps in one run, and then each in a run of its own."""
    with tf.Graph().as_default():
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        steps = build(x, y)
        feeds = dict(zip((x, y), _arrays(dtype), strict=True))
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            return [session.run(steps, feeds), [session.run(step, feeds) for step in steps]]


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("build", [_arithmetic, _reductions, _gradient, _functions, _stored])
def test_results_do_not_depend_on_what_else_is_fetched(
    build: Callable[[Any, Any], Steps], dtype: str
) -> None:
    together, alone = _run(build, dtype)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("build", [_arithmetic, _gradient])
def test_arithmetic_has_the_bits_of_the_reference(
    build: Callable[[Any, Any], Steps], dtype: str
) -> None:
    native, reference = _run(build, dtype)[1], _run(build, dtype, "numpy")[1]
    for a, b in zip(native, reference, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", KINDS)
def test_constants_are_rounded(dtype: str) -> None:
    with tf.Graph().as_default():
        hot = tf.one_hot(tf.placeholder(tf.int32, [2], name="i"), 2, on_value=0.1, dtype=dtype)
        wide = tf.cast(hot, tf.float32)
        with tf.Session() as session:
            value = session.run(wide, {"i:0": [0, 1]})
    exact = np.float32(np.array(0.1, as_dtype(dtype).numpy))
    np.testing.assert_array_equal(value, np.eye(2, dtype=np.float32) * exact)
