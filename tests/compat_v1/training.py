"""Programs that change variables: optimisers, dense and sparse, assignments, schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compat_v1.bench import Bench, Program, ints, numbers

TABLE = numbers(6, 3)
IDS = np.array([4, 1, 4], np.int32)

Optimizer = Callable[[Any], Any]
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": lambda t: t.GradientDescentOptimizer(0.1),
    "momentum": lambda t: t.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda t: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adagrad": lambda t: t.AdagradOptimizer(0.1),
    "adadelta": lambda t: t.AdadeltaOptimizer(0.5, rho=0.9),
    "rmsprop": lambda t: t.RMSPropOptimizer(0.05, momentum=0.5),
    "rmsprop_centered": lambda t: t.RMSPropOptimizer(0.05, centered=True),
    "adam": lambda t: t.AdamOptimizer(0.05),
    "ftrl": lambda t: t.FtrlOptimizer(
        0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.02
    ),
    "ftrl_power": lambda t: t.FtrlOptimizer(0.1, learning_rate_power=-0.7),
    "proximal_sgd": lambda t: t.ProximalGradientDescentOptimizer(
        0.1, l1_regularization_strength=0.02, l2_regularization_strength=0.01
    ),
    "proximal_adagrad": lambda t: t.ProximalAdagradOptimizer(
        0.1, l1_regularization_strength=0.02, l2_regularization_strength=0.01
    ),
}


def _trained(optimizer: Optimizer, how: str) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        table = tf.Variable(TABLE)
        used = {
            "dense": lambda: table,
            "sparse": lambda: tf.gather(table, b.feed(IDS, [None])),
            "part": lambda: table[b.feed(np.int32(2), [])],
            "sparse_in_loop": lambda: tf.map_fn(lambda n: tf.gather(table, n), IDS, tf.float32),
        }[how]()
        b.train(optimizer(tf.train).minimize(tf.reduce_sum(used * used)), 4)
        return [table]

    return program


def clipped_global_norm(tf: Any, b: Bench) -> Any:
    table, bias = tf.Variable(TABLE), tf.Variable(tf.ones([3]))
    loss = tf.reduce_sum((tf.gather(table, IDS) + bias) ** 2)
    optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
    slopes, variables = zip(*optimizer.compute_gradients(loss, [table, bias]), strict=True)
    clipped, norm = tf.clip_by_global_norm(slopes, 1.0)
    b.train(optimizer.apply_gradients(zip(clipped, variables, strict=True)))
    return [table, bias, norm]


def global_step(tf: Any, b: Bench) -> Any:
    v, step = tf.Variable([1.0, 2.0]), tf.Variable(0, trainable=False)
    rate = tf.train.exponential_decay(0.1, step, 2, 0.5, staircase=True)
    optimizer = tf.train.GradientDescentOptimizer(rate)
    b.train(optimizer.minimize(tf.reduce_sum(v * v), global_step=step), 5)
    return [v, step, rate]


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "exponential": lambda t, n: t.exponential_decay(0.1, n, 3, 0.9),
    "inverse_time": lambda t, n: t.inverse_time_decay(0.1, n, 3, 0.5),
    "natural_exp": lambda t, n: t.natural_exp_decay(0.1, n, 3, 0.5),
    "polynomial": lambda t, n: t.polynomial_decay(0.1, n, 10, 0.01, 2.0),
    "polynomial_cycle": lambda t, n: t.polynomial_decay(0.1, n, 5, 0.01, cycle=True),
    "piecewise": lambda t, n: t.piecewise_constant(n, [3, 6], [0.1, 0.05, 0.01]),
}


def _scheduled(schedule: Callable[[Any, Any], Any]) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        return [schedule(tf.train, b.feed(np.int32(n), [])) for n in (0, 3, 4, 7, 12)]

    return program


SCATTERS = ["update", "add", "sub", "mul", "div", "min", "max"]


def _scattered(name: str) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        table = tf.Variable(TABLE)
        rows = b.feed(numbers(2, 3, seed=7) + 2, [None, 3])
        b.train(getattr(tf, f"scatter_{name}")(table, b.feed(ints(4, 1), [None]), rows), 2)
        return table

    return program


def scatter_repeated(tf: Any, b: Bench) -> Any:
    table = tf.Variable(TABLE)
    b.train(tf.scatter_add(table, IDS, b.feed(numbers(3, 3, seed=7), [3, 3])), 2)
    return table


def assign_in_order(tf: Any, b: Bench) -> Any:
    v = tf.Variable(2.0, use_resource=True)
    with tf.control_dependencies([tf.assign(v, v * 3.0)]):
        second = tf.assign_add(v, 1.0)
    with tf.control_dependencies([second]):
        b.train(tf.assign_sub(v, 0.5), 3)
    return v.read_value()


def reuse_variables(tf: Any, b: Bench) -> Any:
    def made() -> Any:
        with tf.variable_scope("net", reuse=tf.AUTO_REUSE):
            return tf.get_variable("w", [3], initializer=tf.constant_initializer(2.0))

    first, second = made(), made()
    return [first + second, str(len(tf.global_variables())), str(second.name)]


def regularised(tf: Any, b: Bench) -> Any:
    def l2(w: Any) -> Any:
        return 0.1 * tf.nn.l2_loss(w)

    with tf.variable_scope("net", regularizer=l2):
        w = tf.get_variable("w", [3], initializer=tf.constant_initializer(2.0))
    loss = tf.reduce_sum(w) + tf.losses.get_regularization_loss()
    return [loss, b.slopes(loss, w)]


def initial_values_in_turn(tf: Any, b: Bench) -> Any:
    a = tf.Variable(3.0)
    return tf.Variable(a.initialized_value() * 2.0)


PROGRAMS: dict[str, Program] = {
    f"train/{name}/{how}": _trained(optimizer, how)
    for name, optimizer in OPTIMIZERS.items()
    for how in ("dense", "sparse")
}
PROGRAMS |= {
    f"train/{name}/{how}": _trained(OPTIMIZERS[name], how)
    for name in ("momentum", "adam")
    for how in ("part", "sparse_in_loop")
}
PROGRAMS |= {f"schedule/{name}": _scheduled(schedule) for name, schedule in SCHEDULES.items()}
PROGRAMS |= {f"scatter/{name}": _scattered(name) for name in SCATTERS}
PROGRAMS |= {
    f"state/{p.__name__}": p
    for p in (
        clipped_global_norm, global_step, scatter_repeated, assign_in_order, reuse_variables,
        regularised, initial_values_in_turn,
    )
}  # fmt: skip
