"""Learning rates against their formulas in Python, at steps and settings of all sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError

train = tf.train
BACKENDS = ("numpy", "llvm")
STEPS = [0, 1, 2, 9, 10, 11, 99_999, 100_000, 2**24 + 1, 2**31 - 1, 2**40 + 1]


def _polynomial(n: int, steps: int, power: float, cycle: bool) -> float:
    periods = n / steps
    if cycle:
        periods /= max(math.ceil(periods), 1)
    return 0.001 + (0.5 - 0.001) * float((1 - min(periods, 1)) ** power)


SCHEDULES: dict[str, tuple[Callable[[Any], Any], Callable[[int], float]]] = {
    "exponential": (
        lambda n: train.exponential_decay(0.5, n, 100_000, 0.96),
        lambda n: 0.5 * 0.96 ** (n / 100_000),
    ),
    "exponential, staircase": (
        lambda n: train.exponential_decay(0.5, n, 2**24 + 2, 0.5, staircase=True),
        lambda n: 0.5 * 0.5 ** (n // (2**24 + 2)),
    ),
    "exponential, of 0": (
        lambda n: train.exponential_decay(0.5, n, 10, 0.0),
        lambda n: 0.5 if n == 0 else 0.0,
    ),
    "natural exponential": (
        lambda n: train.natural_exp_decay(0.5, n, 10, 0.3, staircase=True),
        lambda n: 0.5 * math.exp(-0.3 * (n // 10)),
    ),
    "inverse time": (
        lambda n: train.inverse_time_decay(0.5, n, 7, 0.3),
        lambda n: 0.5 / (1 + 0.3 * (n / 7)),
    ),
    "polynomial": (
        lambda n: train.polynomial_decay(0.5, n, 100_000, 0.001, 2.0),
        lambda n: _polynomial(n, 100_000, 2.0, False),
    ),
    "polynomial, root": (
        lambda n: train.polynomial_decay(0.5, n, 10, 0.001, 0.5),
        lambda n: _polynomial(n, 10, 0.5, False),
    ),
    "polynomial, cycle": (
        lambda n: train.polynomial_decay(0.5, n, 10, 0.001, 1.0, cycle=True),
        lambda n: _polynomial(n, 10, 1.0, True),
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates(name: str, backend: str) -> None:
    schedule, exact = SCHEDULES[name]
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        step = tf.placeholder(tf.int64, [])
        rate = schedule(step)
        assert rate.dtype == tf.float32
        for n in STEPS:
            # The exponent is a float32, whose rounding the power multiplies by its size.
            allowed = 1e-6 * (1 + abs(math.log(max(exact(n), 1e-30))))
            np.testing.assert_allclose(session.run(rate, {step: n}), exact(n), allowed, 1e-37)


def test_the_rate_s_dtype_is_kept() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        start, step = tf.constant(0.1, tf.float64), tf.placeholder(tf.int32, [])
        rate = train.exponential_decay(start, step, 3, 0.9)
        value = session.run(rate, {step: 7})
    assert value.dtype == np.float64
    assert abs(value / (0.1 * 0.9 ** (7 / 3)) - 1) < 1e-14


INF = math.inf
PIECES: list[tuple[str, list[Any], list[Any], dict[Any, Any]]] = [
    ("int64", [5], [1.0, 1e-9], {5: 1.0, 6: 1e-9}),
    ("int64", [5], [INF, 64.0], {5: INF, 6: 64.0}),
    ("int32", [2**24, 2**24 + 1], [1.0, 2.0, 3.0], {2**24: 1.0, 2**24 + 1: 2.0, 2**24 + 2: 3.0}),
    ("int64", [2**62], [1.0, 2.0], {2**62: 1.0, 2**62 + 1: 2.0}),
    ("int32", [0.5, 3.0], [1.0, 2.0, 3.0], {0: 1.0, 1: 2.0, 3: 2.0, 4: 3.0}),
    ("int32", [-INF, INF], [1.0, 2.0, 3.0], {-(2**31): 2.0, 2**31 - 1: 2.0}),
    ("int32", [-(2**40), 2**40], [1.0, 2.0, 3.0], {-(2**31): 2.0, 2**31 - 1: 2.0}),
    ("uint8", [-1, 255], [1.0, 2.0, 3.0], {0: 2.0, 255: 2.0}),
    ("int64", [5], [32, 64], {5: 32, 6: 64}),
    ("float32", [0.1], [1.0, 2.0], {0.1: 1.0, 0.10001: 2.0}),
    ("int64", [], [7.0], {3: 7.0}),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "boundaries", "values", "expected"), PIECES)
def test_piecewise_constant(
    dtype: str, boundaries: list[Any], values: list[Any], expected: dict[Any, Any], backend: str
) -> None:
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        at = tf.placeholder(dtype, [])
        rate = train.piecewise_constant(at, boundaries, values)
        kind = np.int32 if isinstance(values[0], int) else np.float32
        for x, wanted in expected.items():
            assert session.run(rate, {at: x}) == kind(wanted)
        assert rate.dtype.numpy == kind


def test_pieces_may_be_tensors() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        at, rate = tf.placeholder(tf.int32, []), tf.constant(0.25, tf.float64)
        made = train.piecewise_constant(at, [1, 2], [rate, rate / 2, 0.0])
        assert [session.run(made, {at: n}) for n in (1, 2, 3)] == [0.25, 0.125, 0.0]
        assert made.dtype == tf.float64


@pytest.mark.parametrize("boundaries", [[3, 3], [3, 2], [1.0, math.nan]])
def test_boundaries_must_increase(boundaries: list[float]) -> None:
    with tf.Graph().as_default(), pytest.raises(InvalidArgumentError, match="must increase"):
        train.piecewise_constant(tf.constant(1), boundaries, [1.0, 2.0, 3.0])
