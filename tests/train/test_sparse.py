"""What optimisers make of `IndexedSlices`: TensorFlow 1's rules, written down again in NumPy.

A reference is given the rows that a step looks up, each once, with the sums of their slices. It
changes a table and its slots in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

train = tf.train
BACKENDS = ("numpy", "llvm")
RATE = 0.1
Slots = dict[str, Array]
Rule = Callable[[Array, Slots, Array, Array, int], None]


def _descent(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    w[rows] -= RATE * g


def _momentum(nesterov: bool) -> Rule:
    def rule(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
        a = slots["momentum"]
        a[rows] = a[rows] * 0.9 + g
        w[rows] -= RATE * (g + 0.9 * a[rows]) if nesterov else RATE * a[rows]

    return rule


def _adagrad(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    a = slots["accumulator"]
    a[rows] += g * g
    w[rows] -= RATE * g / np.sqrt(a[rows])


def _adadelta(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    a, b = slots["accum"], slots["accum_update"]
    a[rows] = 0.95 * a[rows] + 0.05 * g * g
    change = np.sqrt(b[rows] + 1e-6) / np.sqrt(a[rows] + 1e-6) * g
    b[rows] = 0.95 * b[rows] + 0.05 * change * change
    w[rows] -= RATE * change


def _rms(centered: bool) -> Rule:
    def rule(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
        square, speed = slots["rms"], slots["momentum"]
        square[rows] = 0.9 * square[rows] + 0.1 * g * g
        spread = square[rows]
        if centered:
            mean = slots["mg"]
            mean[rows] = 0.9 * mean[rows] + 0.1 * g
            spread = spread - mean[rows] ** 2
        speed[rows] = 0.5 * speed[rows] + RATE * g / np.sqrt(spread + 1e-10)
        w[rows] -= speed[rows]

    return rule


def _adam_rate(step: int) -> float:
    return float(RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))


def _adam(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    m, v = slots["m"], slots["v"]
    m *= 0.9
    v *= 0.999
    m[rows] += 0.1 * g
    v[rows] += 0.001 * g * g
    w -= _adam_rate(step) * m / (np.sqrt(v) + 1e-8)


def _lazy_adam(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    m, v = slots["m"], slots["v"]
    m[rows] = 0.9 * m[rows] + 0.1 * g
    v[rows] = 0.999 * v[rows] + 0.001 * g * g
    w[rows] -= _adam_rate(step) * m[rows] / (np.sqrt(v[rows]) + 1e-8)


def _ftrl(power: float, shrinkage: float) -> Rule:
    def rule(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
        a, z = slots["accum"], slots["linear"]
        slope = g + 2 * shrinkage * w[rows]
        squares = a[rows] + slope**2
        z[rows] += slope - (squares**power - a[rows] ** power) / RATE * w[rows]
        value = (np.sign(z[rows]) * 0.05 - z[rows]) / (squares**power / RATE + 2 * 0.01)
        w[rows] = np.where(np.abs(z[rows]) > 0.05, value, 0)
        a[rows] = squares

    return rule


def _drawn(moved: Array, rate: Any) -> Array:
    left = np.sign(moved) * np.maximum(np.abs(moved) - rate * 0.05, 0)
    return np.asarray(left / (1 + rate * 0.01))


def _proximal(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    w[rows] = _drawn(w[rows] - RATE * g, RATE)


def _proximal_adagrad(w: Array, slots: Slots, rows: Array, g: Array, step: int) -> None:
    a = slots["accumulator"]
    a[rows] += g * g
    rate = RATE / np.sqrt(a[rows])
    w[rows] = _drawn(w[rows] - rate * g, rate)


STRENGTHS: dict[str, Any] = {"l1_regularization_strength": 0.05, "l2_regularization_strength": 0.01}
OPTIMISERS: dict[str, tuple[Callable[[], Any], Rule, dict[str, float]]] = {
    "descent": (lambda: train.GradientDescentOptimizer(RATE), _descent, {}),
    "momentum": (
        lambda: train.MomentumOptimizer(RATE, 0.9),
        _momentum(False),
        {"momentum": 0},
    ),
    "nesterov": (
        lambda: train.MomentumOptimizer(RATE, 0.9, use_nesterov=True),
        _momentum(True),
        {"momentum": 0},
    ),
    "adagrad": (lambda: train.AdagradOptimizer(RATE), _adagrad, {"accumulator": 0.1}),
    "adadelta": (
        lambda: train.AdadeltaOptimizer(RATE, epsilon=1e-6),
        _adadelta,
        {"accum": 0, "accum_update": 0},
    ),
    "rms": (
        lambda: train.RMSPropOptimizer(RATE, momentum=0.5),
        _rms(False),
        {"rms": 1, "momentum": 0},
    ),
    "rms, centred": (
        lambda: train.RMSPropOptimizer(RATE, momentum=0.5, centered=True),
        _rms(True),
        {"rms": 1, "mg": 0, "momentum": 0},
    ),
    "adam": (lambda: train.AdamOptimizer(RATE), _adam, {"m": 0, "v": 0}),
    "lazy adam": (
        lambda: tf.contrib.opt.LazyAdamOptimizer(RATE),
        _lazy_adam,
        {"m": 0, "v": 0},
    ),
    "ftrl": (
        lambda: train.FtrlOptimizer(RATE, **STRENGTHS),
        _ftrl(0.5, 0),
        {"accum": 0.1, "linear": 0},
    ),
    "ftrl, shrinking": (
        lambda: train.FtrlOptimizer(
            RATE, -0.7, l2_shrinkage_regularization_strength=0.02, **STRENGTHS
        ),
        _ftrl(0.7, 0.02),
        {"accum": 0.1, "linear": 0},
    ),
    "proximal": (
        lambda: train.ProximalGradientDescentOptimizer(RATE, **STRENGTHS),
        _proximal,
        {},
    ),
    "proximal adagrad": (
        lambda: train.ProximalAdagradOptimizer(RATE, **STRENGTHS),
        _proximal_adagrad,
        {"accumulator": 0.1},
    ),
}
LOOKUPS = [[3, 1, 3, 3, 7], [1, 1, 1, 1, 1], [9, 0, 2, 9, 3], [3, 7, 1, 0, 2]]


def referred(rule: Rule, table: Array, slots: Slots, slopes: Array) -> None:
    """Apply a rule for each of the lookups, with the slices of one row summed."""
    for step, indices in enumerate(LOOKUPS):
        rows, place = np.unique(indices, return_inverse=True)
        summed = np.zeros((len(rows), *table.shape[1:]))
        np.add.at(summed, place, slopes[step])
        rule(table, slots, rows, summed, step + 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_rules(name: str, dtype: tf.DType, backend: str) -> None:
    make, rule, initial = OPTIMISERS[name]
    rng = np.random.default_rng(0)
    start, slopes = rng.normal(size=(12, 6)), rng.normal(size=(len(LOOKUPS), 5, 6))
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        table = tf.Variable(start.astype(dtype.numpy))
        values, indices = tf.placeholder(dtype, [None, 6]), tf.placeholder(tf.int32, [None])
        optimizer = make()
        step = optimizer.apply_gradients([(tf.IndexedSlices(values, indices), table)])
        for rows, slope in zip(LOOKUPS, slopes, strict=True):
            session.run(step, {values: slope, indices: rows})
        assert optimizer.get_slot_names() == sorted(initial)
        kept = {slot: session.run(optimizer.get_slot(table, slot)) for slot in initial}
        found = session.run(table)
    wanted = start.astype(dtype.numpy).astype(np.float64)
    slots = {slot: np.full_like(wanted, value) for slot, value in initial.items()}
    referred(rule, wanted, slots, slopes)
    # Adam's powers of beta are float32: 1 - 0.999 keeps four digits. Where steps cancel what was
    # there before, the error is relative to that, which is of the size of 1.
    allowed = 5e-5 if "adam" in name else 2e-5 if dtype == tf.float32 else 1e-6
    np.testing.assert_allclose(found, wanted, allowed, allowed)
    for slot, value in kept.items():
        np.testing.assert_allclose(value, slots[slot], allowed, allowed)
    if name != "adam":  # whose momentum moves all rows
        untouched = [4, 5, 6, 8, 10, 11]
        np.testing.assert_array_equal(found[untouched], start.astype(dtype.numpy)[untouched])
        for slot, value in kept.items():
            np.testing.assert_array_equal(value[untouched], np.asarray(initial[slot], dtype.numpy))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("half", [tf.float16, tf.bfloat16])
@pytest.mark.parametrize("name", ["descent", "momentum", "adagrad", "lazy adam"])
def test_half_precision(name: str, half: tf.DType, backend: str) -> None:
    make, rule, initial = OPTIMISERS[name]
    rng = np.random.default_rng(1)
    start, slopes = rng.normal(size=(12, 6)), rng.normal(size=(len(LOOKUPS), 5, 6))
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        table = tf.Variable(start.astype(half.numpy))
        values, indices = tf.placeholder(half, [None, 6]), tf.placeholder(tf.int32, [None])
        step = make().apply_gradients([(tf.IndexedSlices(values, indices), table)])
        for rows, slope in zip(LOOKUPS, slopes, strict=True):
            session.run(step, {values: slope.astype(half.numpy), indices: rows})
        found = session.run(table).astype(np.float64)
    wanted = start.astype(half.numpy).astype(np.float64)
    slots = {slot: np.full_like(wanted, value) for slot, value in initial.items()}
    referred(rule, wanted, slots, slopes)
    # Some ten roundings to 11 or 8 bits of numbers up to 4; bfloat16 takes 1 - 0.999 for 1/1024.
    allowed = 0.02 if half == tf.float16 else 0.15
    np.testing.assert_allclose(found, wanted, allowed, allowed)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_lookups_of_a_model_train_alike_on_all_backends(name: str) -> None:
    """And over any number of threads, with the same bits."""
    make = OPTIMISERS[name][0]
    ids = np.random.default_rng(2).integers(0, 50, (3, 40, 2))
    found = []
    for backend, threads in (("numpy", 1), ("llvm", 1), ("llvm", 2), ("llvm", 3)):
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            table = tf.Variable(tf.random_normal([50, 24]))
            rows = tf.placeholder(tf.int32, [None, 2])
            pairs = tf.nn.embedding_lookup(table, rows)
            loss = tf.reduce_sum(tf.square(tf.reduce_sum(pairs, 1) - 1.0))
            step = make().minimize(loss)
            config = tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads)
            with tf.Session(config=config) as session:
                for batch in ids:
                    session.run(step, {rows: batch})
                found.append(session.run(table))
    np.testing.assert_array_equal(found[1], found[2])
    np.testing.assert_array_equal(found[1], found[3])
    # Three steps, each some ten operations on numbers of the size of 1 to 10.
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_slices_and_dense_terms_together(backend: str) -> None:
    """A penalty on the whole table makes the gradient dense."""
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        table = tf.Variable(np.ones((4, 2), np.float32))
        rows = tf.nn.embedding_lookup(table, [2, 2])
        optimizer = train.GradientDescentOptimizer(1.0)
        loss = tf.reduce_sum(rows) + 0.5 * tf.reduce_sum(tf.square(table))
        ((gradient, _),) = optimizer.compute_gradients(loss)
        assert isinstance(gradient, tf.Tensor)
        session.run(optimizer.apply_gradients([(gradient, table)]))
        assert session.run(table).tolist() == [[0, 0], [0, 0], [-2, -2], [0, 0]]


def test_pairs_keep_their_slices_through_clipping() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.Variable(np.zeros((4, 2), np.float32))
        loss = tf.reduce_sum(tf.nn.embedding_lookup(table, [2, 0]) * [[3.0, 0.0], [0.0, 4.0]])
        optimizer = train.MomentumOptimizer(1.0, 0.5)
        gradients, variables = zip(*optimizer.compute_gradients(loss), strict=True)
        assert isinstance(gradients[0], tf.IndexedSlices)
        clipped, norm = tf.clip_by_global_norm(list(gradients), 1.0)
        assert isinstance(clipped[0], tf.IndexedSlices)
        step = optimizer.apply_gradients(zip(clipped, variables, strict=True))
        assert session.run([norm, step])[0] == 5
        wanted = np.array([[0, -0.8], [0, 0], [-0.6, 0], [0, 0]])
        np.testing.assert_allclose(session.run(table), wanted, rtol=1e-6)


def test_mistakes_are_explained() -> None:
    with tf.Graph().as_default():
        table = tf.Variable(np.zeros((4, 2), np.float32))
        descent = train.GradientDescentOptimizer(1.0)
        wrong = tf.IndexedSlices(tf.ones([1, 3]), tf.constant([0]))
        with pytest.raises(tf.errors.ShapeError, match=r"is \[\?, 3\], the variable \[4, 2\]"):
            descent.apply_gradients([(wrong, table)])
        wrong = tf.IndexedSlices(tf.ones([1, 2], tf.float64), tf.constant([0]))
        with pytest.raises(tf.errors.DTypeError, match="is float64, the variable float32"):
            descent.apply_gradients([(wrong, table)])
        held = tf.Variable(np.zeros((4, 2), np.float32), constraint=lambda x: x)
        slices = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]))
        with pytest.raises(RuntimeError, match="Cannot use a constraint function on a sparse"):
            descent.apply_gradients([(slices, held)])
        with pytest.raises(ValueError, match="needs to be positive or zero"):
            train.FtrlOptimizer(0.1, initial_accumulator_value=-1.0)
        with pytest.raises(ValueError, match="needs to be <= 0"):
            train.FtrlOptimizer(0.1, learning_rate_power=0.1)
