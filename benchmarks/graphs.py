"""Graphs in TensorFlow 1's API: one text for Thalweg's side and for TensorFlow's graph sessions.

`tf` is `thalweg` or `tensorflow.compat.v1`. The peers use this file, so it needs NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.models import Array, Data
from benchmarks.recipes import (
    ADAGRAD_START,
    BETA1,
    BETA2,
    EPSILON,
    MOMENTUM,
    PRODUCTS,
    SCALAR_STEPS,
    Recipe,
    congruential,
)

Module = Any
Weights = Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """A graph that trains a network.

    Attributes:
        inputs: the placeholder of the batch.
        labels: the placeholder of the class numbers.
        loss: the loss of the batch, before the step.
        train: the operation that makes a step.
        variables: those that take their starting values from `weights`, by name.
        weights: the starting values. Other variables have theirs from their initialisers.
    """

    inputs: Any
    labels: Any
    loss: Any
    train: Any
    variables: Weights
    weights: Mapping[str, Array]


def optimiser(tf: Module, recipe: Recipe) -> Any:
    """The recipe's."""
    match recipe.optimiser:
        case "sgd":
            return tf.train.GradientDescentOptimizer(recipe.rate)
        case "momentum":
            return tf.train.MomentumOptimizer(recipe.rate, MOMENTUM)
        case "adagrad":
            return tf.train.AdagradOptimizer(recipe.rate, ADAGRAD_START)
        case "adam":
            return tf.train.AdamOptimizer(recipe.rate, BETA1, BETA2, EPSILON)
        case "lazy_adam":
            return tf.contrib.opt.LazyAdamOptimizer(recipe.rate, BETA1, BETA2, EPSILON)


def lstm(tf: Module, data: Data, recipe: Recipe, padded: bool = False) -> Training:
    """An LSTM over sequences in a loop, and a classifier of its last state.

    Args:
        tf: the module.
        data: inputs of [batches, batch, ...], each of whose rows is a sequence.
        recipe: how to train.
        padded: whether a sequence ends before the rows that are zero.
    """
    features, gates = data.weights["input_w"].shape
    x = tf.placeholder(tf.float32, [None, *data.inputs.shape[2:]])
    y_ = tf.placeholder(tf.int64, [None])
    steps = int(np.prod(data.inputs.shape[2:])) // features
    rows = tf.reshape(x, [-1, steps, features])
    used = tf.cast(tf.reduce_max(tf.abs(rows), axis=2) > 0.0, tf.int32)
    lengths = tf.reduce_sum(used, axis=1) if padded else None
    cell = tf.nn.rnn_cell.BasicLSTMCell(gates // 4, forget_bias=0.0)
    _, state = tf.nn.dynamic_rnn(cell, rows, lengths, dtype=tf.float32)
    kernel, bias = (
        next(v for v in tf.trainable_variables() if v.name.endswith(f"{name}:0"))
        for name in ("kernel", "bias")
    )
    out = {name: tf.Variable(data.weights[name]) for name in ("out_w", "out_b")}
    logits = tf.matmul(state.h, out["out_w"]) + out["out_b"]
    variables = {"kernel": kernel, "bias": bias, **out}
    return _training(tf, recipe, (x, y_), logits, variables, _with_cell(data.weights))


def embedding(tf: Module, data: Data, recipe: Recipe) -> Training:
    """The mean of the vectors of some words, and a classifier: gradients of few of a table's rows.

    Args:
        tf: the module.
        data: word numbers, [batches, batch, words].
        recipe: how to train, and how many rows the table has.
    """
    x = tf.placeholder(tf.int64, [None, data.inputs.shape[2]])
    y_ = tf.placeholder(tf.int64, [None])
    pattern = data.weights["pattern"]
    table = tf.Variable(tf.tile(tf.constant(pattern), [recipe.rows // len(pattern), 1]))
    weights = {name: data.weights[name] for name in ("out_w", "out_b")}
    out = {name: tf.Variable(weight) for name, weight in weights.items()}
    mean = tf.reduce_mean(tf.nn.embedding_lookup(table, x), axis=1)
    logits = tf.matmul(mean, out["out_w"]) + out["out_b"]
    return _training(tf, recipe, (x, y_), logits, out, weights)


def scalar_loop(tf: Module, weights: Weights, seed: Any) -> Any:
    """A number of a linear congruential generator, many steps after the seed, [1]."""

    def body(i: Any, number: Any) -> tuple[Any, Any]:
        return i + 1, congruential(number)

    _, last = tf.while_loop(lambda i, _: i < SCALAR_STEPS, body, [tf.constant(0), seed[0]])
    return last


def product_loop(tf: Module, weights: Weights, start: Any) -> Any:
    """A square matrix that is turned again and again."""

    def body(i: Any, h: Any) -> tuple[Any, Any]:
        return i + 1, tf.matmul(h, weights["turn"])

    loop_vars = [tf.constant(0), start]
    _, last = tf.while_loop(lambda i, _: i < PRODUCTS, body, loop_vars, maximum_iterations=PRODUCTS)
    return last


def product_gradient(tf: Module, weights: Weights, start: Any) -> Any:
    """The gradient, by the turn, of half the squared distance between first and last."""
    distance = product_loop(tf, weights, start) - start
    (gradient,) = tf.gradients(tf.reduce_sum(tf.square(distance)) / 2.0, [weights["turn"]])
    return gradient


LOOPS = {
    "while_scalar": scalar_loop,
    "while_product": product_loop,
    "while_product_gradient": product_gradient,
}


def _training(
    tf: Module,
    recipe: Recipe,
    placeholders: tuple[Any, Any],
    logits: Any,
    variables: Weights,
    weights: Mapping[str, Array],
) -> Training:
    x, y_ = placeholders
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    loss = tf.reduce_mean(losses) if recipe.mean else tf.reduce_sum(losses)
    with tf.control_dependencies([loss]):  # the loss before the step
        train = optimiser(tf, recipe).minimize(loss)
    return Training(x, y_, loss, train, variables, weights)


def _with_cell(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights with those of the gates as a cell has them: in the order i, g, f, o."""

    def ordered(gates: Array) -> Array:
        parts = np.split(gates, 4, axis=-1)
        return np.concatenate([parts[n] for n in (0, 2, 1, 3)], axis=-1)

    kernel = np.concatenate([weights["input_w"], weights["state_w"]])
    cell = {"kernel": ordered(kernel), "bias": ordered(weights["gates_b"])}
    return {**cell, "out_w": weights["out_w"], "out_b": weights["out_b"]}
