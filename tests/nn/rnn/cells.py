"""Cells in NumPy, written from their formulas, and graphs of one step to compare them with."""

from __future__ import annotations

from typing import Any

import numpy as np

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
BATCH, DEPTH = 3, 4


def session(backend: str = "llvm") -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend))


def array(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def fill(variables: Any, run: tf.Session) -> dict[str, Array]:
    """Give variables known values; these, by the last part of the names."""
    values = {}
    for number, variable in enumerate(variables):
        value = 0.5 * array(*variable.static_shape, seed=number)
        variable.load(value, run)
        values[variable.op.name.split("cell/")[-1]] = value
    return values


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def basic_rnn(w: dict[str, Array], x: Array, h: Array) -> tuple[Array, Array]:
    made = np.tanh(np.hstack([x, h]) @ w["kernel"] + w["bias"])
    return made, made


def gru(w: dict[str, Array], x: Array, h: Array) -> tuple[Array, Array]:
    both = sigmoid(np.hstack([x, h]) @ w["gates/kernel"] + w["gates/bias"])
    r, u = np.hsplit(both, 2)
    c = np.tanh(np.hstack([x, r * h]) @ w["candidate/kernel"] + w["candidate/bias"])
    made = u * h + (1 - u) * c
    return made, made


def lstm(
    w: dict[str, Array],
    x: Array,
    state: tuple[Array, Array],
    forget_bias: float = 1.0,
    cell_clip: float = np.inf,
    proj_clip: float = np.inf,
) -> tuple[Array, tuple[Array, Array]]:
    c, h = state
    i, j, f, o = np.hsplit(np.hstack([x, h]) @ w["kernel"] + w["bias"], 4)
    zero = np.zeros(1)
    f = f + forget_bias + w.get("w_f_diag", zero) * c
    i = i + w.get("w_i_diag", zero) * c
    new_c = np.clip(sigmoid(f) * c + sigmoid(i) * np.tanh(j), -cell_clip, cell_clip)
    made = sigmoid(o + w.get("w_o_diag", zero) * new_c) * np.tanh(new_c)
    if "projection/kernel" in w:
        made = np.clip(made @ w["projection/kernel"], -proj_clip, proj_clip)
    return made, (new_c, made)
