"""Tensors of more axes than there are letters for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf

RANK = 17
SHAPE = tuple(2 if n in (0, 5, 9, 16) else 1 + (n == 3) * 2 for n in range(RANK))
ORDER = [*range(1, RANK), 0]
EVEN = list(range(0, RANK, 2))
Case = tuple[Callable[[Any], Any], Callable[[Any], Any]]
CASES: dict[str, Case] = {
    "pointwise": (lambda x: tf.exp(x) * 2.0 + x, lambda x: np.exp(x) * 2 + x),
    "transpose": (lambda x: tf.transpose(x, ORDER), lambda x: x.transpose(ORDER)),
    "sum": (lambda x: tf.reduce_sum(x, EVEN), lambda x: x.sum(tuple(EVEN))),
    "max": (lambda x: tf.reduce_max(x, EVEN, True), lambda x: x.max(tuple(EVEN), keepdims=True)),
    "mean": (lambda x: tf.reduce_mean(tf.transpose(x)), lambda x: x.mean()),
    "argmax": (lambda x: tf.argmax(x, 3), lambda x: x.argmax(3)),
    "broadcast": (lambda x: x + tf.reduce_sum(x, 3, True), lambda x: x + x.sum(3, keepdims=True)),
    "concat": (lambda x: tf.concat([x, x * 2.0], 9), lambda x: np.concatenate([x, x * 2], 9)),
    "stack": (lambda x: tf.stack([x, x], 12), lambda x: np.stack([x, x], 12)),
    "slice": (lambda x: x[:, ..., 1:], lambda x: x[:, ..., 1:]),
    "pad": (lambda x: tf.pad(x, [[0, 1]] * RANK), lambda x: np.pad(x, [[0, 1]] * RANK)),
    "tile": (lambda x: tf.tile(x, [2, *SHAPE[1:]]), lambda x: np.tile(x, [2, *SHAPE[1:]])),
    "softmax": (
        lambda x: tf.nn.softmax(x, 3),
        lambda x: np.exp(x) / np.exp(x).sum(3, keepdims=True),
    ),
    "matmul": (
        lambda x: tf.matmul(x, x, transpose_b=True),
        lambda x: np.matmul(x, np.swapaxes(x, -1, -2)),
    ),
    "reshape": (lambda x: tf.reshape(x, [6, -1]) * 1.5, lambda x: x.reshape(6, -1) * 1.5),
    "gather": (lambda x: tf.gather(x * 1.0, [1, 0, 1]), lambda x: x[[1, 0, 1]]),
    "unstack": (lambda x: tf.unstack(x, axis=3)[2], lambda x: np.moveaxis(x, 3, 0)[2]),
}


@pytest.mark.parametrize("name", CASES)
def test_high_ranks(name: str) -> None:
    build, reference = CASES[name]
    x = tf.placeholder(tf.float32, [None, *SHAPE[1:]])
    y = build(x)
    array = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    fetches = [y] if y.dtype.is_integer else [y, tf.gradients(y * y, x)[0]]
    made = []
    for backend in ("llvm", "numpy"):
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            made.append(session.run(fetches, {x: array}))
    np.testing.assert_allclose(made[0][0], reference(array.astype(np.float64)), rtol=1e-5)
    for native, other in zip(*made, strict=True):
        np.testing.assert_allclose(native, other, rtol=1e-5, atol=1e-5)
