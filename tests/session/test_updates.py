"""Several updates of one variable in one run: all apply, in the order in which they were made."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf

BACKENDS = ("llvm", "numpy")
Make = Callable[[str], Any]
OPTIMISERS: dict[str, Make] = {
    "sgd": lambda name: tf.train.GradientDescentOptimizer(0.1, name=name),
    "momentum": lambda name: tf.train.MomentumOptimizer(0.1, 0.9, name=name),
    "nesterov": lambda name: tf.train.MomentumOptimizer(0.1, 0.9, name=name, use_nesterov=True),
    "adagrad": lambda name: tf.train.AdagradOptimizer(0.1, name=name),
    "adadelta": lambda name: tf.train.AdadeltaOptimizer(0.1, name=name),
    "rmsprop": lambda name: tf.train.RMSPropOptimizer(0.1, momentum=0.5, name=name),
    "centered": lambda name: tf.train.RMSPropOptimizer(0.1, centered=True, name=name),
    "adam": lambda name: tf.train.AdamOptimizer(0.1, name=name),
}


def session(backend: str) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend))


def start(size: int) -> Any:
    return np.linspace(-1, 1, size, dtype=np.float32)


def together_and_apart(backend: str, v: tf.Variable, updates: list[Any], runs: int) -> None:
    """A run of all the updates is as good as a run of each, one after the other."""
    one, many = session(backend), session(backend)
    for _ in range(runs):
        one.run(updates)
        for update in updates:
            many.run(update)
    found, wanted = one.run([v, *tf.global_variables()]), many.run([v, *tf.global_variables()])
    for a, b in zip(found, wanted, strict=True):
        # Fused or not, the same operations are done; a product and a sum may be rounded as one.
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("size", [3, 40_000])
def test_two_optimisers(backend: str, kind: str, size: int) -> None:
    v = tf.Variable(start(size))
    first, second = (OPTIMISERS[kind](name) for name in "AB")
    updates = [first.minimize(tf.reduce_sum(v)), second.minimize(tf.reduce_sum(v * 2))]
    together_and_apart(backend, v, updates, 3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", OPTIMISERS)
def test_one_optimiser_used_twice(backend: str, kind: str) -> None:
    v = tf.Variable(start(5))
    optimiser, step = OPTIMISERS[kind]("A"), tf.Variable(0)
    updates = [optimiser.minimize(tf.reduce_sum(v * k), global_step=step) for k in (1.0, 2.0, -3.0)]
    together_and_apart(backend, v, updates, 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_optimiser_given_a_variable_twice(backend: str) -> None:
    for kind, wanted in (("sgd", [0.7]), ("momentum", [0.61])):
        v = tf.Variable([1.0])
        pairs = [(tf.constant([1.0]), v), (tf.constant([2.0]), v)]
        s = session(backend)
        s.run(OPTIMISERS[kind](kind).apply_gradients(pairs))
        np.testing.assert_allclose(s.run(v), wanted, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
def test_mixed_updates(backend: str, seed: int) -> None:
    """Whatever is asked for, in whatever order: what is asked for applies as it was made."""
    rng = random.Random(seed)
    size = rng.choice([1, 7, 30_000])
    v, w = tf.Variable(np.ones(size, np.float32)), tf.Variable(np.zeros(size, np.float32))
    made, value = [], 1.0
    wanted = []
    for _ in range(6):
        kind, delta = rng.choice(["assign", "assign_add", "assign_sub"]), float(rng.randint(1, 9))
        update = getattr(v, kind)(np.full(size, delta, np.float32))
        if rng.random() < 0.7:
            signed = {"assign": delta - value, "assign_add": delta, "assign_sub": -delta}
            value += signed[kind]
            made.append(update)
            wanted.append(value)
    twice = [update * 2 for update in made] + [w.assign_add(update) for update in made]
    fetches = made + twice
    rng.shuffle(fetches)
    s = session(backend)
    found = dict(zip(fetches, s.run(fetches), strict=True))
    for update, doubled, number in zip(made, twice[: len(made)], wanted, strict=True):
        assert (found[update] == number).all()
        assert (found[doubled] == 2 * number).all()
    assert (s.run(v) == value).all()
    assert (s.run(w) == sum(wanted)).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_reads_come_before_all_updates_or_where_they_are_asked_for(backend: str) -> None:
    v = tf.Variable([1.0, 2.0])
    first = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([first]):
        between = v.read_value()
    second = v.assign_add([10.0, 10.0])
    with tf.control_dependencies([second]):
        after = v.read_value() * 2
    found = session(backend).run([after, v * 3, second, between, first])
    assert [a.tolist() for a in found] == [[24, 26], [3, 6], [12, 13], [2, 3], [2, 3]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loop_applies_all_updates_in_every_step(backend: str) -> None:
    v = tf.Variable([0.0])
    updates = [v.assign_add([1.0]), v.assign(v.value_to_update() * 2), v.assign_sub([1.0])]
    s = session(backend)
    s.run_steps(updates, 5)
    assert s.run(v).tolist() == [31]


# What an update may read of a square matrix beside the element that it replaces.
OTHER_ELEMENTS: dict[str, Callable[[Any], Any]] = {
    "reversed rows": lambda v: v[::-1],
    "reversed columns": lambda v: v[:, ::-1],
    "transposed": tf.transpose,
    "rolled": lambda v: tf.concat([v[-1:], v[:-1]], 0),
    "rolled columns": lambda v: tf.concat([v[:, -1:], v[:, :-1]], 1),
    "shifted": lambda v: tf.pad(v[1:], [[0, 1], [0, 0]]),
    "permuted": lambda v: tf.gather(v, tf.constant(np.arange(17)[::-1].copy())),
    "one row": lambda v: v + v[3],
    "one column": lambda v: v * v[:, 2:3],
    "one element": lambda v: v + v[16, 0],
    "sums of rows": lambda v: v - tf.reduce_mean(v, 1, keepdims=True),
    "sums of columns": lambda v: v / tf.reduce_sum(v * v, 0),
    "the largest": lambda v: v / tf.reduce_max(tf.abs(v)),
    "softmax": tf.nn.softmax,
    "a product": lambda v: tf.matmul(v, v),
    "a product, transposed": lambda v: tf.matmul(v, v, transpose_a=True),
    "reshaped": lambda v: tf.reshape(tf.reshape(v, [289])[::-1], [17, 17]),
    "windows": lambda v: tf.reshape(
        tf.nn.avg_pool(tf.reshape(v, [1, 17, 17, 1]), 3, 1, "SAME"), [17, 17]
    ),
}


@pytest.mark.parametrize("fetched", [False, True], ids=["alone", "fetched too"])
@pytest.mark.parametrize("mixed", [False, True], ids=["as it is", "mixed"])
@pytest.mark.parametrize("kind", OTHER_ELEMENTS)
def test_an_update_from_other_elements(kind: str, mixed: bool, fetched: bool) -> None:
    v = tf.Variable(start(289).reshape(17, 17) + np.float32(0.01))
    other = OTHER_ELEMENTS[kind](v.read_value())
    update = tf.assign(v, v * 0.5 - other * 0.1 if mixed else other)
    fetches = [update, other] if fetched else [update]
    for found, wanted in zip(*(_twice(backend, fetches, v) for backend in BACKENDS), strict=True):
        # Sums of at most 17 products of numbers up to 1, in another order.
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def _twice(backend: str, fetches: list[Any], v: tf.Variable) -> list[Any]:
    with session(backend) as running:
        return [*running.run(fetches), *running.run(fetches), running.run(v)]
