"""Cumulative sums and products of any length, and derivatives of products that hold zeros."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.graph import Tensor

BACKENDS = ("llvm", "numpy")
LENGTHS = (0, 1, 2, 3, 7, 8, 9, 100, 1000)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_may_be_open(backend: str, exclusive: bool, reverse: bool) -> None:
    x = tf.placeholder(tf.float64, [2, None, 3])
    made = [f(x, 1, exclusive, reverse) for f in (tf.cumsum, tf.cumprod)]
    references: list[Callable[..., Any]] = [np.cumsum, np.cumprod]
    rng = np.random.default_rng(0)
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for length in LENGTHS:
            values = rng.uniform(0.5, 1.5, [2, length, 3])
            turned = values[:, ::-1] if reverse else values
            for got, f, neutral in zip(
                session.run(made, {x: values}), references, (0, 1), strict=True
            ):
                shifted = np.concatenate([np.full([2, 1, 3], neutral), turned], 1)[:, :length]
                wanted = f(shifted if exclusive else turned, 1)
                np.testing.assert_allclose(got, wanted[:, ::-1] if reverse else wanted, rtol=1e-12)


def _products(x: Tensor) -> Tensor:
    """The same as `cumprod`, one multiplication after the other."""
    factors = tf.unstack(x)
    return tf.stack([reduce(tf.multiply, factors[: n + 1]) for n in range(len(factors))])


def _second(y: Tensor, x: Tensor, weights: Any) -> list[Tensor]:
    (first,) = tf.gradients(y * weights, x)
    assert first is not None
    (second,) = tf.gradients(first * weights[::-1], x)
    assert second is not None
    return [first, second]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("zeros", [(), (0,), (2,), (1, 3), (4, 5), (0, 2, 5)])
def test_derivatives_of_products_are_right_at_zeros(backend: str, zeros: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    values, weights = rng.uniform(0.5, 2, 6), rng.uniform(0.5, 2, 6)
    values[list(zeros)] = 0
    x = tf.placeholder(tf.float64, [6])
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        got, wanted = session.run(
            [_second(f(x), x, weights) for f in (tf.cumprod, _products)], {x: values}
        )
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


def test_infinities_stay_where_they_come() -> None:
    x = tf.constant([1.0, np.inf, 2.0, 0.0])
    with tf.Session() as session:
        total, product = session.run([tf.cumsum(x), tf.cumprod(x)])
    np.testing.assert_array_equal(total, [1, np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(product, [1, np.inf, np.inf, np.nan])
