"""Graphs to look at."""

from __future__ import annotations

import thalweg as tf


def softmax() -> tf.Graph:
    """The tutorial's: softmax regression and its training."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 784], name="x")
        W = tf.Variable(tf.zeros([784, 10]), name="W")
        y = tf.nn.softmax(tf.matmul(x, W))
        labels = tf.placeholder(tf.float32, [None, 10], name="labels")
        loss = -tf.reduce_sum(labels * tf.log(y))
        tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        tf.global_variables_initializer()
    return graph


def layers() -> tf.Graph:
    """Two layers, each in a scope."""
    graph = tf.Graph()
    with graph.as_default():
        h = tf.placeholder(tf.float32, [None, 8], name="x")
        for name in ("first", "second"):
            with tf.name_scope(name):
                W = tf.Variable(tf.truncated_normal([8, 8]), name="W")
                h = tf.nn.relu(tf.matmul(h, W) + 1)
        tf.train.AdamOptimizer().minimize(tf.reduce_sum(h))
    return graph
