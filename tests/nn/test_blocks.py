"""Small blocks of networks as users write them, in float64 against NumPy and differences of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import special

import thalweg as tf
from tests.differences import Array, differences

BACKENDS = ("numpy", "llvm")


def check(
    build: Callable[..., Any],
    reference: Callable[..., Any],
    arrays: Mapping[str, Array],
    backend: str,
) -> None:
    """A block's values and gradients, weighted so that none cancels, are the reference's."""
    rng = np.random.default_rng(9)
    expected = np.asarray(reference(**arrays))
    weights = rng.uniform(0.5, 1.5, expected.shape)

    def loss(*values: Array) -> float:
        named = dict(zip(arrays, values, strict=True))
        return float((reference(**named) * weights).sum())

    with tf.Graph().as_default():
        inputs = {
            n: tf.placeholder(tf.float64, [None, *a.shape[1:]] if n == "x" else a.shape)
            for n, a in arrays.items()
        }
        y = build(**inputs)
        gradients = tf.gradients(tf.reduce_sum(y * weights), list(inputs.values()))
        feeds = {inputs[n]: a for n, a in arrays.items()}
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            value, *by_inputs = session.run([y, *gradients], feeds)
    np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
    for n, gradient in enumerate(by_inputs):
        wanted = differences(loss, list(arrays.values()), n)
        # The differences are good to 1e-10 of the loss, which is a sum of some hundred terms.
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


# -- a transformer block

HEADS, WIDTH, LENGTH = 2, 6, 5


def layer_norm(x: Any, gain: Any, bias: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keep_dims=True)
    return tf.nn.batch_normalization(x, mean, variance, bias, gain, 1e-5)


def transformer(**p: Any) -> Any:
    """Causal attention and a feed-forward part, each after a norm and beside a residual."""
    x = tf.gather(p["table"], IDS) + p["positions"]

    def heads(t: Any) -> Any:
        return tf.transpose(tf.reshape(t, [-1, LENGTH, HEADS, WIDTH // HEADS]), [0, 2, 1, 3])

    normed = tf.reshape(layer_norm(x, p["gain"], p["bias"]), [-1, WIDTH])
    q, k, v = (heads(t) for t in tf.split(tf.matmul(normed, p["qkv"]), 3, axis=1))
    scores = tf.matmul(q, k, transpose_b=True) / np.sqrt(WIDTH / HEADS)
    mixed = tf.matmul(tf.nn.softmax(scores + MASK), v)
    x += tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, LENGTH, WIDTH])
    inner = tf.nn.gelu(tf.matmul(tf.reshape(x, [-1, WIDTH]), p["up"]))
    x += tf.reshape(tf.matmul(inner, p["down"]), [-1, LENGTH, WIDTH])
    logits = tf.matmul(tf.reshape(x, [-1, WIDTH]), p["table"], transpose_b=True)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=IDS.reshape(-1), logits=logits)


def transformer_reference(**p: Array) -> Array:
    x = p["table"][IDS] + p["positions"]
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * p["gain"] + p["bias"]
    parts = np.split(normed @ p["qkv"], 3, axis=-1)
    q, k, v = (t.reshape(-1, LENGTH, HEADS, WIDTH // HEADS) for t in parts)
    scores = np.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(WIDTH / HEADS) + MASK
    mixed = np.einsum("bhij,bjhd->bihd", special.softmax(scores, -1), v)
    x = x + mixed.reshape(x.shape)
    u = x @ p["up"]
    x = x + (u * special.ndtr(u)) @ p["down"]
    logs = special.log_softmax(x @ p["table"].T, -1).reshape(IDS.size, -1)
    return np.asarray(-logs[np.arange(IDS.size), IDS.reshape(-1)])


IDS = np.array([[1, 4, 2, 2, 0], [3, 1, 1, 0, 4]], np.int32)
MASK = np.triu(np.full((LENGTH, LENGTH), -1e9), 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_transformer_block(backend: str) -> None:
    rng = np.random.default_rng(0)
    shapes = {
        "table": (7, WIDTH),
        "positions": (LENGTH, WIDTH),
        "gain": (WIDTH,),
        "bias": (WIDTH,),
        "qkv": (WIDTH, 3 * WIDTH),
        "up": (WIDTH, 8),
        "down": (8, WIDTH),
    }
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    check(transformer, transformer_reference, arrays, backend)


# -- a residual block


def residual(x: Any, a: Any, b: Any, short: Any, scale: Any, offset: Any) -> Any:
    """Two 3x3 convolutions, the first with stride 2, beside a 1x1 convolution with stride 2."""

    def normed(t: Any) -> Any:
        return tf.nn.fused_batch_norm(t, scale, offset)[0]

    # softplus in place of relu: differences do not like kinks
    inner = tf.nn.softplus(normed(tf.nn.conv2d(x, a, [1, 2, 2, 1], "SAME")))
    outer = normed(tf.nn.conv2d(inner, b, [1, 1, 1, 1], "SAME"))
    side = tf.nn.conv2d(x, short, [1, 2, 2, 1], "SAME")
    return tf.reduce_mean(tf.nn.softplus(outer + side), [1, 2], keep_dims=True)


def convolved(x: Array, w: Array, stride: int) -> Array:
    """SAME convolution, straight from its definition."""
    size, extents = w.shape[0], x.shape[1:3]
    counts = [-(-extent // stride) for extent in extents]
    spare = [max((n - 1) * stride + size - e, 0) for n, e in zip(counts, extents, strict=True)]
    around = [(s // 2, s - s // 2) for s in spare]
    padded = np.pad(x, [(0, 0), *around, (0, 0)])
    y = np.zeros((len(x), *counts, w.shape[3]))
    for i, j in np.ndindex(*counts):
        window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
        y[:, i, j] = np.einsum("npqc,pqco->no", window, w)
    return y


def residual_reference(
    x: Array, a: Array, b: Array, short: Array, scale: Array, offset: Array
) -> Array:
    def normed(t: Array) -> Array:
        centred = t - t.mean((0, 1, 2))
        return np.asarray(centred / np.sqrt(t.var((0, 1, 2)) + 1e-3) * scale + offset)

    inner = np.logaddexp(0, normed(convolved(x, a, 2)))
    outer = normed(convolved(inner, b, 1)) + convolved(x, short, 2)
    return np.asarray(np.logaddexp(0, outer).mean((1, 2), keepdims=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_residual_block(backend: str) -> None:
    rng = np.random.default_rng(1)
    arrays = {
        "x": rng.normal(size=(2, 5, 6, 2)),
        "a": rng.normal(size=(3, 3, 2, 3)),
        "b": rng.normal(size=(3, 3, 3, 3)),
        "short": rng.normal(size=(1, 1, 2, 3)),
        "scale": rng.uniform(0.5, 1.5, 3),
        "offset": rng.normal(size=3),
    }
    check(residual, residual_reference, arrays, backend)


# -- an LSTM

STEPS, UNITS = 6, 4


def lstm(x: Any, w: Any, bias: Any) -> Any:
    batch = tf.shape(x)[0]
    c = h = tf.zeros([batch, UNITS], tf.float64)
    for step in tf.unstack(x, axis=1):
        i, j, f, o = tf.split(tf.matmul(tf.concat([step, h], 1), w) + bias, 4, axis=1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.sigmoid(o) * tf.tanh(c)
    return h


def lstm_reference(x: Array, w: Array, bias: Array) -> Array:
    c = h = np.zeros((len(x), UNITS))
    for step in np.moveaxis(x, 1, 0):
        i, j, f, o = np.split(np.concatenate([step, h], 1) @ w + bias, 4, axis=1)
        c = special.expit(f + 1) * c + special.expit(i) * np.tanh(j)
        h = special.expit(o) * np.tanh(c)
    return h


@pytest.mark.parametrize("backend", BACKENDS)
def test_lstm(backend: str) -> None:
    rng = np.random.default_rng(2)
    arrays = {
        "x": rng.normal(size=(3, STEPS, 2)),
        "w": rng.normal(size=(2 + UNITS, 4 * UNITS)),
        "bias": rng.normal(size=4 * UNITS),
    }
    check(lstm, lstm_reference, arrays, backend)
