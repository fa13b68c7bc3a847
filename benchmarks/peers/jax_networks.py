"""The networks as JAX's own users write them: functions of their weights, channels last."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.recipes import (
    HEADS,
    NORM_EPSILON,
    RESPONSE_ALPHA,
    RESPONSE_BETA,
    RESPONSE_CHANNELS,
    blocks,
)

jax: Any = importlib.import_module("jax")  # where mypy runs there may be none
jnp: Any = importlib.import_module("jax.numpy")
lax: Any = jax.lax

Weights = dict[str, Any]
Dropout = Callable[[Any], Any]
Logits = Callable[[Weights, Any, Dropout], Any]


def dense(w: Weights, h: Any, name: str) -> Any:
    """A dense layer."""
    return h @ w[f"{name}_w"] + w[f"{name}_b"]


def softmax(w: Weights, images: Any, dropout: Dropout) -> Any:
    """Softmax regression."""
    return dense(w, images, "out")


def mlp(w: Weights, images: Any, dropout: Dropout) -> Any:
    """Two hidden layers."""
    h = jax.nn.relu(dense(w, images, "hidden1"))
    return dense(w, jax.nn.relu(dense(w, h, "hidden2")), "out")


def gan(w: Weights, inputs: Any, dropout: Dropout) -> Any:
    """A generator and a discriminator, of what is real and of what is drawn."""

    def judged(images: Any) -> Any:
        return dense(w, jax.nn.relu(dense(w, images, "judge1")), "judge2")

    noise = w["draw1_w"].shape[0]
    images, random = inputs[:, :-noise], inputs[:, -noise:]
    drawn = jax.nn.sigmoid(dense(w, jax.nn.relu(dense(w, random, "draw1")), "draw2"))
    turned = 2 * lax.stop_gradient(drawn) - drawn
    return jnp.stack([judged(images), judged(turned)], 1)


def cnn(w: Weights, images: Any, dropout: Dropout) -> Any:
    """The tutorial's network."""
    h = images.reshape(-1, 28, 28, 1)
    for name in ("conv1", "conv2"):
        h = jax.nn.relu(_convolution(h, w[f"{name}_w"]) + w[f"{name}_b"])
        h = _pool(h, 2, 2)
    h = jax.nn.relu(dense(w, h.reshape(-1, 7 * 7 * 64), "dense"))
    return dense(w, dropout(h), "out")


def resnet(w: Weights, images: Any, dropout: Dropout) -> Any:
    """ResNet-20."""

    def block(h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = jax.nn.relu(_normalised(w, h, f"{name}_conv1", stride))
        return jax.nn.relu(_normalised(w, h, f"{name}_conv2") + skip)

    h = jax.nn.relu(_normalised(w, images, "stem"))
    for name in blocks(w, "_conv1_w"):
        h = block(h, name)
    return dense(w, h.mean((1, 2)), "out")


def resnet50(w: Weights, images: Any, dropout: Dropout) -> Any:
    """ResNet-50."""

    def block(h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected and not name.startswith("stage0") else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = jax.nn.relu(_normalised(w, h, f"{name}_conv1"))
        h = jax.nn.relu(_normalised(w, h, f"{name}_conv2", stride))
        return jax.nn.relu(_normalised(w, h, f"{name}_conv3") + skip)

    h = _pool(jax.nn.relu(_normalised(w, images, "stem", 2)), 3, 2)
    for name in blocks(w, "_conv1_w"):
        h = block(h, name)
    return dense(w, h.mean((1, 2)), "out")


def googlenet(w: Weights, images: Any, dropout: Dropout) -> Any:
    """GoogLeNet."""

    def convolution(h: Any, name: str, stride: int = 1) -> Any:
        return jax.nn.relu(_convolution(h, w[f"{name}_w"], stride) + w[f"{name}_b"])

    def norm(h: Any) -> Any:
        window, ones = (1, 1, 1, RESPONSE_CHANNELS), (1, 1, 1, 1)
        sums = lax.reduce_window(h * h, 0.0, lax.add, window, ones, "SAME")
        return h * (1 + RESPONSE_ALPHA / RESPONSE_CHANNELS * sums) ** -RESPONSE_BETA

    def module(h: Any, name: str) -> Any:
        three = convolution(convolution(h, f"{name}_3x3_reduce"), f"{name}_3x3")
        five = convolution(convolution(h, f"{name}_5x5_reduce"), f"{name}_5x5")
        pool = convolution(_pool(h, 3, 1), f"{name}_pool")
        return jnp.concatenate([convolution(h, f"{name}_1x1"), three, five, pool], 3)

    h = norm(_pool(convolution(images, "conv1", 2), 3, 2))
    h = _pool(norm(convolution(convolution(h, "conv2"), "conv3")), 3, 2)
    for name in blocks(w, "_pool_w"):
        h = module(_pool(h, 3, 2) if name in ("4a", "5a") else h, name)
    return dense(w, dropout(h.mean((1, 2))), "out")


def transformer(attend: Callable[[Any, Any, Any], Any]) -> Logits:
    """A decoder of the GPT-2 kind, with a way to compute attention."""
    return lambda w, tokens, dropout: _decoder(w, tokens, attend)


def own_attention(q: Any, k: Any, v: Any) -> Any:
    """JAX's own, on [batch, tokens, heads, channels]."""
    return jax.nn.dot_product_attention(q, k, v, is_causal=True)


def plain_attention(q: Any, k: Any, v: Any) -> Any:
    """The same as two products of matrices, with the heads in front."""
    q, k, v = (tensor.swapaxes(1, 2) for tensor in (q, k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.swapaxes(-1, -2)
    earlier = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    return (jax.nn.softmax(jnp.where(earlier, scores, -1e9)) @ v).swapaxes(1, 2)


def _decoder(w: Weights, tokens: Any, attend: Callable[[Any, Any, Any], Any]) -> Any:

    def norm(h: Any, name: str) -> Any:
        mean, variance = h.mean(-1, keepdims=True), h.var(-1, keepdims=True)
        factor = lax.rsqrt(variance + NORM_EPSILON) * w[f"{name}_scale"]
        return (h - mean) * factor + w[f"{name}_offset"]

    def attention(h: Any, name: str) -> Any:
        batch, tokens, width = h.shape
        split = dense(w, h, f"{name}_qkv").reshape(batch, tokens, 3, HEADS, width // HEADS)
        q, k, v = split[:, :, 0], split[:, :, 1], split[:, :, 2]
        return dense(w, attend(q, k, v).reshape(batch, tokens, width), f"{name}_mix")

    h = w["tokens"][tokens] + w["positions"]
    for name in (f"layer{n}" for n in range(sum(key.endswith("_qkv_w") for key in w))):
        h = h + attention(norm(h, f"{name}_norm1"), name)
        up = jax.nn.gelu(dense(w, norm(h, f"{name}_norm2"), f"{name}_up"), approximate=True)
        h = h + dense(w, up, f"{name}_down")
    return norm(h, "norm") @ w["out_w"]


def lstm_scanned(w: Weights, images: Any, dropout: Dropout) -> Any:
    """An LSTM over an image's rows, with a loop that XLA sees."""
    gates, start = _gates(w, images), _start(w, images)
    (last, _), _ = lax.scan(
        lambda state, gate: (_cell(w, state[0], state[1], gate), None), start, gates
    )
    return dense(w, last, "out")


def lstm_unrolled(w: Weights, images: Any, dropout: Dropout) -> Any:
    """The same without a loop."""
    h, c = _start(w, images)
    for gate in _gates(w, images):
        h, c = _cell(w, h, c, gate)
    return dense(w, h, "out")


def lstm_padded(w: Weights, sequences: Any, dropout: Dropout) -> Any:
    """An LSTM over sequences that end before the rows that are zero."""
    lengths = (abs(sequences).max(2) > 0).sum(1)
    gates = sequences.swapaxes(0, 1) @ w["input_w"] + w["gates_b"]

    def one(state: Any, row: Any) -> Any:
        (h, c), (number, gate) = state, row
        on = (number < lengths)[:, None]
        new = _cell(w, h, c, gate)
        return tuple(jnp.where(on, *pair) for pair in zip(new, state, strict=True)), None

    (last, _), _ = lax.scan(one, _start(w, sequences), (jnp.arange(len(gates)), gates))
    return dense(w, last, "out")


NETWORKS: dict[str, dict[str, Logits]] = {  # by the name of the way, if there is a choice
    "softmax": {"": softmax},
    "mlp": {"": mlp},
    "gan": {"": gan},
    "cnn": {"": cnn},
    "resnet": {"": resnet},
    "resnet50": {"": resnet50},
    "googlenet": {"": googlenet},
    "transformer": {
        "plain attention": transformer(plain_attention),
        "dot_product_attention": transformer(own_attention),
    },
    "lstm": {"scan over the rows": lstm_scanned, "unrolled": lstm_unrolled},
    "lstm_lengths": {"": lstm_padded},
}


def _convolution(h: Any, kernel: Any, stride: int = 1) -> Any:
    """Padded on every side by half the kernel's size."""
    margin = kernel.shape[0] // 2
    padding, layout = [(margin, margin)] * 2, ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(h, kernel, (stride, stride), padding, dimension_numbers=layout)


def _normalised(w: Weights, h: Any, name: str, stride: int = 1) -> Any:
    """A convolution and batch normalisation: by moments that are given, or the batch's own."""
    h = _convolution(h, w[f"{name}_w"], stride)
    given = f"{name}_mean" in w
    mean = w[f"{name}_mean"] if given else h.mean((0, 1, 2))
    variance = w[f"{name}_variance"] if given else h.var((0, 1, 2))
    factor = w[f"{name}_scale"] * lax.rsqrt(variance + NORM_EPSILON)
    return (h - mean) * factor + w[f"{name}_offset"]


def _pool(h: Any, size: int, stride: int) -> Any:
    """The largest of each window."""
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return lax.reduce_window(h, -jnp.inf, lax.max, window, strides, "SAME")


def _gates(w: Weights, images: Any) -> Any:
    """What each row gives to the gates, [row, batch, 4 * units]."""
    rows = images.reshape(-1, 28, 28).swapaxes(0, 1)
    return rows @ w["input_w"] + w["gates_b"]


def _start(w: Weights, images: Any) -> Any:
    state = jnp.zeros((len(images), w["state_w"].shape[0]))
    return state, state


def _cell(w: Weights, h: Any, c: Any, gate: Any) -> Any:
    i, f, g, o = jnp.split(gate + h @ w["state_w"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c
