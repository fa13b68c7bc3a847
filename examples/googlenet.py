"""GoogLeNet (Szegedy and others 2015, table 1), and what each of its modules costs.

    python examples/googlenet.py [batch]

labels random images of ImageNet's size, with random weights, and prints a profile.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import thalweg as tf

# Channels of 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, pool.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(images: tf.Tensor) -> tf.Tensor:
    """The probabilities of 1,000 classes, without the response normalisation of 2015.

    Args:
        images: [n, 224, 224, 3].
    """
    x = pool(convolution(images, 64, 7, "conv1", stride=2), 3, 2)
    x = convolution(convolution(x, 64, 1, "conv2_reduce"), 192, 3, "conv2")
    x = pool(x, 3, 2)
    for name, channels in MODULES.items():
        if name in ("4a", "5a"):
            x = pool(x, 3, 2)
        with tf.variable_scope(f"inception_{name}"):
            x = inception(x, *channels)
    with tf.variable_scope("softmax"):
        x = tf.reduce_mean(x, [1, 2])
        W = tf.get_variable("W", [1024, 1000])
        return tf.nn.softmax(tf.matmul(x, W) + tf.get_variable("b", [1000]))


def inception(
    x: tf.Tensor, one: int, small3: int, three: int, small5: int, five: int, pooled: int
) -> tf.Tensor:
    """Four ways to look at an image, side by side."""
    ways = [
        convolution(x, one, 1, "1x1"),
        convolution(convolution(x, small3, 1, "3x3_reduce"), three, 3, "3x3"),
        convolution(convolution(x, small5, 1, "5x5_reduce"), five, 5, "5x5"),
        convolution(pool(x, 3, 1), pooled, 1, "pool"),
    ]
    return tf.concat(ways, 3)


def convolution(x: tf.Tensor, channels: int, size: int, name: str, stride: int = 1) -> tf.Tensor:
    """A convolution and its activation."""
    with tf.variable_scope(name):
        W = tf.get_variable("W", [size, size, int(x.shape[3]), channels])
        b = tf.get_variable("b", [channels], initializer=tf.zeros_initializer())
        return tf.nn.relu(tf.nn.conv2d(x, W, [1, stride, stride, 1], "SAME") + b)


def pool(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """The largest of each window."""
    return tf.nn.max_pool(x, [1, size, size, 1], [1, stride, stride, 1], "SAME")


def main(batch: int = 1) -> None:
    """Print the profile of labelling a batch."""
    images = tf.placeholder(tf.float32, [None, 224, 224, 3], name="images")
    labels = googlenet(images)
    data: Any = np.random.default_rng(0).random((batch, 224, 224, 3), np.float32)
    with tf.Session() as session:
        print(tf.profile(labels, {images: data}, session, steps=40))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
