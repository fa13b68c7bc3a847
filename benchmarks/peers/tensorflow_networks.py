"""The networks as TensorFlow's own users write them, for tf.function and for a graph's session."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.recipes import HEADS, NORM_EPSILON

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

    def convolution(h: Any, name: str, stride: int = 1) -> Any:
        kernel, margin = w[f"{name}_w"], [w[f"{name}_w"].shape[0] // 2] * 2
        padding = "SAME" if stride == 1 else [[0, 0], margin, margin, [0, 0]]
        h = tf.nn.conv2d(h, kernel, stride, padding)
        scale, offset = w[f"{name}_scale"], w[f"{name}_offset"]
        return tf.compat.v1.nn.fused_batch_norm(h, scale, offset, epsilon=NORM_EPSILON)[0]

    def block(h: Any, name: str) -> Any:
        projected = f"{name}_skip_w" in w
        stride = 2 if projected else 1
        skip = convolution(h, f"{name}_skip", stride) if projected else h
        h = tf.nn.relu(convolution(h, f"{name}_conv1", stride))
        return tf.nn.relu(convolution(h, f"{name}_conv2") + skip)

    h = tf.nn.relu(convolution(images, "stem"))
    for stage in range(3):
        for number in range(3):
            h = block(h, f"stage{stage}_block{number}")
    return dense(w, tf.reduce_mean(h, [1, 2]), "out")


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
    rows = tf.transpose(tf.reshape(images, [-1, 28, 28]), [1, 0, 2])
    start = _start(w, images)

    def body(i: Any, h: Any, c: Any) -> Any:
        return (i + 1, *_cell(w, h, c, rows[i]))

    def more(i: Any, h: Any, c: Any) -> Any:
        return i < 28

    _, h, _ = tf.while_loop(more, body, (tf.constant(0), start, start), maximum_iterations=28)
    return dense(w, h, "out")


NETWORKS: dict[str, dict[str, Logits]] = {  # by the name of the way, if there is a choice
    "softmax": {"": softmax},
    "mlp": {"": mlp},
    "gan": {"": gan},
    "cnn": {"": cnn},
    "resnet": {"": resnet},
    "transformer": {"": transformer},
    "lstm": {"unrolled": lstm_unrolled, "tf.while_loop": lstm_looped},
}


def _start(w: Weights, images: Any) -> Any:
    return tf.zeros([tf.shape(images)[0], w["state_w"].shape[0]])


def _cell(w: Weights, h: Any, c: Any, row: Any) -> Any:
    both = tf.concat([row, h], 1)
    kernel = tf.concat([w["input_w"], w["state_w"]], 0)
    i, f, g, o = tf.split(tf.nn.bias_add(tf.matmul(both, kernel), w["gates_b"]), 4, 1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c
