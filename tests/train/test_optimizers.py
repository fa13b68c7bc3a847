"""The optimisers' rules against the same in Python, in float64, for gradients of all sizes.

A reference is a generator: it is sent gradients, and yields what each subtracts from the variable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

import thalweg as tf

train = tf.train
Rule = Generator[float, float, None]
BACKENDS = ("numpy", "llvm")


def _descent() -> Rule:
    g = yield 0.0
    while True:
        g = yield 0.1 * g


def _momentum(nesterov: bool) -> Callable[[], Rule]:
    def rule() -> Rule:
        a, g = 0.0, (yield 0.0)
        while True:
            a = 0.9 * a + g
            g = yield 0.1 * (g + 0.9 * a if nesterov else a)

    return rule


def _adagrad() -> Rule:
    a, g = 0.1, (yield 0.0)
    while True:
        a += g * g
        g = yield 0.1 * g / math.sqrt(a)


def _adadelta() -> Rule:
    a = b = 0.0
    g = yield 0.0
    while True:
        a = 0.95 * a + 0.05 * g * g
        step = math.sqrt(b + 1e-6) / math.sqrt(a + 1e-6) * g
        b = 0.95 * b + 0.05 * step * step
        g = yield 0.1 * step


def _rms(centered: bool) -> Callable[[], Rule]:
    def rule() -> Rule:
        square, mean, speed, g = 1.0, 0.0, 0.0, (yield 0.0)
        while True:
            square = 0.9 * square + 0.1 * g * g
            mean = 0.9 * mean + 0.1 * g
            spread = max(square - mean * mean, 0) if centered else square
            speed = 0.5 * speed + 0.1 * g / math.sqrt(spread + 1e-10)
            g = yield speed

    return rule


def _adam() -> Rule:
    m = v = 0.0
    g = yield 0.0
    for t in range(1, 100):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.1 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        g = yield rate * m / (math.sqrt(v) + 1e-8)


OPTIMISERS: dict[str, tuple[Callable[[], Any], Callable[[], Rule]]] = {
    "descent": (lambda: train.GradientDescentOptimizer(0.1), _descent),
    "momentum": (lambda: train.MomentumOptimizer(0.1, 0.9), _momentum(False)),
    "nesterov": (lambda: train.MomentumOptimizer(0.1, 0.9, use_nesterov=True), _momentum(True)),
    "adagrad": (lambda: train.AdagradOptimizer(0.1), _adagrad),
    "adadelta": (lambda: train.AdadeltaOptimizer(0.1, epsilon=1e-6), _adadelta),
    "rms": (lambda: train.RMSPropOptimizer(0.1, momentum=0.5), _rms(False)),
    "rms, centred": (
        lambda: train.RMSPropOptimizer(0.1, momentum=0.5, centered=True),
        _rms(True),
    ),
    "adam": (lambda: train.AdamOptimizer(0.1), _adam),
}
SIZES = [0.0, 1e-30, 1e-12, 1e-4, 1.0, 1e4, 1e12]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_rules(name: str, dtype: str, backend: str) -> None:
    make, reference = OPTIMISERS[name]
    sizes = np.array([s for size in SIZES for s in (size, -size)])
    signs = [1.0, 0.5, 0.0, -2.0, 1.0]
    rules = [reference() for _ in sizes]
    for rule in rules:
        next(rule)
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        w = tf.Variable(np.zeros(len(sizes), dtype))
        slope = tf.placeholder(dtype, [len(sizes)])
        step = make().apply_gradients([(slope, w)])
        before = np.zeros(len(sizes))
        for sign in signs:
            session.run(step, {slope: sizes * sign})
            after = session.run(w).astype(np.float64)
            expected = before - [rule.send(g * sign) for rule, g in zip(rules, sizes, strict=True)]
            # Adam's powers of beta are float32 as in TensorFlow: 1 - 0.999 keeps four digits. What
            # is left where steps cancel is judged by the steps, of which the first are as large.
            allowed = 5e-5 if name == "adam" else 2e-5 if dtype == "float32" else 1e-6
            np.testing.assert_allclose(after, expected, allowed, 1e-12 * np.abs(expected).max())
            before = expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_variance_of_0_is_never_negative(backend: str) -> None:
    """The mean square less the square of the mean of a constant, which rounding decides about."""
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        w = tf.Variable(np.zeros(50, np.float32))
        slope = tf.constant(np.linspace(1000, 1001, 50, dtype=np.float32))
        rate, decay = 1e-6, 0.5
        optimizer = train.RMSPropOptimizer(rate, decay, centered=True)
        step = optimizer.apply_gradients([(slope, w)])
        for _ in range(60):
            session.run(step)
        assert np.isfinite(session.run(w)).all()
