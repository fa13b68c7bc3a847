"""What can be computed at any time is computed beside what uses it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import thalweg as tf
import thalweg.cluster as cluster
from thalweg.graph import Operation
from thalweg.ops.host.on_host import OnHost
from thalweg.passes.place import place
from thalweg.passes.prune import prune
from thalweg.passes.stages import Stages, cut_into_stages


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def by_python(x: tf.Tensor) -> tf.Tensor:
    return x.graph.add(OnHost(), [x]).outputs[0]


def cut(target: Operation, fed: list[tf.Tensor]) -> Stages:
    ops = prune([], [target], fed)
    made = cut_into_stages(ops, place(ops, lambda wish: wish or "CPU"), [], [target], fed)
    assert made
    return made


@pytest.mark.parametrize("name", ["GradientDescent", "Momentum", "Adam", "RMSProp"])
def test_only_gradients_cross_to_an_update(name: str) -> None:
    x, v = tf.placeholder(tf.float32, [4]), tf.Variable([1.0, 2, 3, 4])
    rules = {
        "GradientDescent": tf.train.GradientDescentOptimizer(0.1),
        "Momentum": tf.train.MomentumOptimizer(0.1, 0.9),
        "Adam": tf.train.AdamOptimizer(0.1),
        "RMSProp": tf.train.RMSPropOptimizer(0.1),
    }
    ((gradient, _),) = rules[name].compute_gradients(tf.reduce_sum(v * v * x))
    assert isinstance(gradient, tf.Tensor)
    mean = by_python(gradient)
    first, host, last = cut(rules[name].apply_gradients([(mean, v)]), [x]).stages
    assert first.tensors == (gradient,) == host.feeds
    assert last.feeds == (mean,)


def test_a_read_stays_before_a_write_that_it_is_ordered_before() -> None:
    """The old value is added to what Python makes of it, after the variable has changed."""
    v = tf.Variable([1.0, 2.0])
    old = v.read_value()
    with tf.control_dependencies([old]):
        changed = v.assign([10.0, 20.0])
    total = old * 2 + by_python(changed)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(total), [12, 24])


def test_memory_between_stages_is_used_again_but_never_a_result() -> None:
    x = tf.placeholder(tf.float32, [None])
    mean = cluster.allreduce(x * 2)
    y = mean + 1
    with tf.Session() as session:
        results = [
            session.run(
                [x * 2, mean, y, tf.reduce_sum(cluster.allreduce(y))], {x: np.full(3 + n % 2, n)}
            )
            for n in range(6)
        ]
        for n in range(4):
            session.run(y, {x: np.full(3, n)})
    for n, (double, own, last, total) in enumerate(results):
        size = 3 + n % 2
        np.testing.assert_array_equal(double, np.full(size, 2 * n))
        np.testing.assert_array_equal(own, np.full(size, 2 * n))
        np.testing.assert_array_equal(last, np.full(size, 2 * n + 1))
        assert total == size * (2 * n + 1)
