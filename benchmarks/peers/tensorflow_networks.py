"""The networks as TensorFlow's own users write them, for tf.function and for a graph's session."""

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

tf: Any = importlib.import_module("tensorflow")  # where mypy runs there may be none

Weights = dict[str, Any]
Logits = Callable[[Weights, Any, float], Any]


def dense(w: Weights, h: Any, name: str) -> Any:
    """A dense layer on [rows, channels]."""
    return tf.nn.bias_add(tf.matmul(h, w[f"{name}_w"]), w[f"{name}_b"])


def softmax(w: Weights, images: Any, keep: float) -> Any:
    """Softmax regression."""
    return dense(w, images, "out")


def mlp(w: Weights, images: Any, keep: float) -> Any:
    """Two hidden layers."""
    h = tf.nn.relu(dense(w, images, "hidden1"))
    return dense(w, tf.nn.relu(dense(w, h, "hidden2")), "out")


def gan(w: Weights, inputs: Any, keep: float) -> Any:
    """A generator and a discriminator, of what is real and of what is drawn."""

    def judged(images: Any) -> Any:
        return dense(w, tf.nn.relu(dense(w, images, "judge1")), "judge2")

    noise = w["draw1_w"].shape[0]
    images, random = inputs[:, :-noise], inputs[:, -noise:]
    drawn = tf.sigmoid(dense(w, tf.nn.relu(dense(w, random, "draw1")), "draw2"))
    turned = 2.0 * tf.stop_gradient(drawn) - drawn
    return tf.reshape(tf.stack([judged(images), judged(turned)], 1), [-1, 2])


def cnn(w: Weights, images: Any, keep: float) -> Any:
    """The tutorial's network."""
    h = tf.reshape(images, [-1, 28, 28, 1])
    for name in ("conv1", "conv2"):
        h = tf.nn.conv2d(h, w[f"{name}_w"], 1, "SAME")
        h = tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(h, w[f"{name}_b"])), 2, 2, "SAME")
    h = tf.nn.relu(dense(w, tf.reshape(h, [-1, 7 * 7 * 64]), "dense"))
    return dense(w, tf.nn.dropout(h, 1 - keep) if keep < 1 else h, "out")


def resnet(w: Weights, images: Any, keep: float) -> Any:
    """ResNet-20."""

    def block(h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = tf.nn.relu(_normalised(w, h, f"{name}_conv1", stride))
        return tf.nn.relu(_normalised(w, h, f"{name}_conv2") + skip)

    h = tf.nn.relu(_normalised(w, images, "stem"))
    for name in blocks(w, "_conv1_w"):
        h = block(h, name)
    return dense(w, tf.reduce_mean(h, [1, 2]), "out")


def resnet50(w: Weights, images: Any, keep: float) -> Any:
    """ResNet-50."""

    def block(h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected and not name.startswith("stage0") else 1
        skip = _normalised(w, h, f"{name}_skip", stride) if projected else h
        h = tf.nn.relu(_normalised(w, h, f"{name}_conv1"))
        h = tf.nn.relu(_normalised(w, h, f"{name}_conv2", stride))
        return tf.nn.relu(_normalised(w, h, f"{name}_conv3") + skip)

    h = tf.nn.relu(_normalised(w, images, "stem", 2))
    h = tf.nn.max_pool2d(h, 3, 2, "SAME")
    for name in blocks(w, "_conv1_w"):
        h = block(h, name)
    return dense(w, tf.reduce_mean(h, [1, 2]), "out")


def googlenet(w: Weights, images: Any, keep: float) -> Any:
    """GoogLeNet."""

    def convolution(h: Any, name: str, stride: int = 1) -> Any:
        kernel = w[f"{name}_w"]
        sums = tf.nn.conv2d(h, kernel, stride, _padding(kernel, stride))
        return tf.nn.relu(tf.nn.bias_add(sums, w[f"{name}_b"]))

    def norm(h: Any) -> Any:
        alpha = RESPONSE_ALPHA / RESPONSE_CHANNELS
        return tf.nn.local_response_normalization(
            h, RESPONSE_CHANNELS // 2, 1, alpha, RESPONSE_BETA
        )

    def pool(h: Any, stride: int) -> Any:
        return tf.nn.max_pool2d(h, 3, stride, "SAME")

    def module(h: Any, name: str) -> Any:
        three = convolution(convolution(h, f"{name}_3x3_reduce"), f"{name}_3x3")
        five = convolution(convolution(h, f"{name}_5x5_reduce"), f"{name}_5x5")
        of_pool = convolution(pool(h, 1), f"{name}_pool")
        return tf.concat([convolution(h, f"{name}_1x1"), three, five, of_pool], 3)

    h = norm(pool(convolution(images, "conv1", 2), 2))
    h = pool(norm(convolution(convolution(h, "conv2"), "conv3")), 2)
    for name in blocks(w, "_pool_w"):
        h = module(pool(h, 2) if name in ("4a", "5a") else h, name)
    h = tf.reduce_mean(h, [1, 2])
    return dense(w, tf.nn.dropout(h, 1 - keep) if keep < 1 else h, "out")


def transformer(w: Weights, tokens: Any, keep: float) -> Any:
    """A decoder of the GPT-2 kind."""
    count, width = w["positions"].shape
    later = tf.linalg.band_part(tf.fill([count, count], -1e9), 0, -1)
    later -= tf.linalg.band_part(later, 0, 0)

    def norm(h: Any, name: str) -> Any:
        mean, variance = tf.nn.moments(h, [-1], keepdims=True)
        scale, offset = w[f"{name}_scale"], w[f"{name}_offset"]
        return tf.nn.batch_normalization(h, mean, variance, offset, scale, NORM_EPSILON)

    def attention(h: Any, name: str) -> Any:
        split = tf.reshape(dense(w, h, f"{name}_qkv"), [-1, count, 3, HEADS, width // HEADS])
        q, k, v = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q * (width // HEADS) ** -0.5, k, transpose_b=True)
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores + later), v), [0, 2, 1, 3])
        return dense(w, tf.reshape(mixed, [-1, width]), f"{name}_mix")

    h = tf.reshape(tf.gather(w["tokens"], tokens) + w["positions"], [-1, width])
    for name in (f"layer{n}" for n in range(sum(key.endswith("_qkv_w") for key in w))):
        h = h + attention(norm(h, f"{name}_norm1"), name)
        up = tf.nn.gelu(dense(w, norm(h, f"{name}_norm2"), f"{name}_up"), approximate=True)
        h = h + dense(w, up, f"{name}_down")
    return tf.matmul(norm(h, "norm"), w["out_w"])


def lstm_unrolled(w: Weights, images: Any, keep: float) -> Any:
    """An LSTM over an image's rows, written out."""
    h = c = _start(w, images)
    for row in tf.unstack(tf.reshape(images, [-1, 28, 28]), axis=1):
        h, c = _cell(w, h, c, row)
    return dense(w, h, "out")


def lstm_looped(w: Weights, images: Any, keep: float) -> Any:
    """The same as a loop of the graph."""
    return _looped(w, tf.reshape(images, [-1, 28, 28]), None)


def lstm_padded(w: Weights, sequences: Any, keep: float) -> Any:
    """An LSTM over sequences that end before the rows that are zero."""
    used = tf.reduce_max(tf.abs(sequences), 2) > 0
    return _looped(w, sequences, tf.reduce_sum(tf.cast(used, tf.int32), 1))


def _looped(w: Weights, sequences: Any, lengths: Any) -> Any:
    rows, steps = tf.transpose(sequences, [1, 0, 2]), sequences.shape[1]
    last = steps if lengths is None else tf.reduce_max(lengths)

    def body(i: Any, h: Any, c: Any) -> Any:
        new = _cell(w, h, c, rows[i])
        if lengths is None:
            return (i + 1, *new)
        on = (i < lengths)[:, None]
        return (i + 1, tf.where(on, new[0], h), tf.where(on, new[1], c))

    def more(i: Any, h: Any, c: Any) -> Any:
        return i < last

    state = _start(w, sequences)
    loop_vars = (tf.constant(0), state, state)
    _, h, _ = tf.while_loop(more, body, loop_vars, maximum_iterations=steps)
    return dense(w, h, "out")


NETWORKS: dict[str, dict[str, Logits]] = {  # by the name of the way, if there is a choice
    "softmax": {"": softmax},
    "mlp": {"": mlp},
    "gan": {"": gan},
    "cnn": {"": cnn},
    "resnet": {"": resnet},
    "resnet50": {"": resnet50},
    "googlenet": {"": googlenet},
    "transformer": {"": transformer},
    "lstm": {"unrolled": lstm_unrolled, "tf.while_loop": lstm_looped},
    "lstm_lengths": {"tf.while_loop": lstm_padded},
}


def _normalised(w: Weights, h: Any, name: str, stride: int = 1) -> Any:
    """A convolution and batch normalisation: by moments that are given, or the batch's own."""
    kernel = w[f"{name}_w"]
    h = tf.nn.conv2d(h, kernel, stride, _padding(kernel, stride))
    mean, variance = w.get(f"{name}_mean"), w.get(f"{name}_variance")
    return tf.compat.v1.nn.fused_batch_norm(
        h,
        w[f"{name}_scale"],
        w[f"{name}_offset"],
        mean,
        variance,
        epsilon=NORM_EPSILON,
        is_training=mean is None,
    )[0]


def _padding(kernel: Any, stride: int) -> Any:
    """By half the kernel's size on every side."""
    margin = [kernel.shape[0] // 2] * 2
    return "SAME" if stride == 1 else [[0, 0], margin, margin, [0, 0]]


def _start(w: Weights, images: Any) -> Any:
    return tf.zeros([tf.shape(images)[0], w["state_w"].shape[0]])


def _cell(w: Weights, h: Any, c: Any, row: Any) -> Any:
    both = tf.concat([row, h], 1)
    kernel = tf.concat([w["input_w"], w["state_w"]], 0)
    i, f, g, o = tf.split(tf.nn.bias_add(tf.matmul(both, kernel), w["gates_b"]), 4, 1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c
