"""A network that writes every kind of summary: `python -m tests.board.example_logs FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import thalweg as tf
from thalweg import board
from thalweg.datasets import mnist

STEPS = 60


def write(folder: Path, steps: int = STEPS) -> None:
    """Train on digits for some steps, with the runs "train" and "test"."""
    data = mnist.read_data_sets(one_hot=True, seed=1)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        net = _network()
        with (
            tf.Session(graph=graph) as session,
            tf.summary.FileWriter(folder / "train", graph) as train,
            tf.summary.FileWriter(folder / "test") as test,
        ):
            session.run(tf.global_variables_initializer())
            train.add_summary(board.hparams({"rate": 0.001, "optimizer": "adam"}))
            train.add_summary(board.costs(tf.profile(net["loss"], feed_shapes=_shapes(net))))
            for step in range(steps):
                if step % 10 == 0:
                    feeds = _feeds(net, *data.test.next_batch(500), keep=1.0)
                    test.add_summary(session.run(net["summary"], feeds), step)
                _step(session, net, _feeds(net, *data.train.next_batch(100), keep=0.9), step, train)
            train.add_summary(board.hparams_end())


def _shapes(net: dict[str, Any]) -> dict[Any, Any]:
    return {net["x"]: [100, 784], net["y"]: [100, 10], net["keep"]: []}


def _feeds(net: dict[str, Any], images: Any, labels: Any, keep: float) -> dict[Any, Any]:
    return {net["x"]: images, net["y"]: labels, net["keep"]: keep}


def _step(session: Any, net: dict[str, Any], feeds: Any, step: int, writer: Any) -> None:
    fetches = [net["summary"], net["train"]]
    if step % 50 == 49:
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        metadata = tf.RunMetadata()
        summary, _ = session.run(fetches, feeds, options, metadata)
        writer.add_run_metadata(metadata, f"step{step:03d}", step)
    else:
        summary, _ = session.run(fetches, feeds)
    writer.add_summary(summary, step)


def _network() -> dict[str, Any]:
    with tf.name_scope("input"):
        x = tf.placeholder(tf.float32, [None, 784], name="x")
        y = tf.placeholder(tf.float32, [None, 10], name="y")
    with tf.name_scope("input_reshape"):
        tf.summary.image("digits", tf.reshape(x, [-1, 28, 28, 1]), 4)
    hidden = _layer(x, 784, 50, "layer1", tf.nn.relu)
    with tf.name_scope("dropout"):
        keep = tf.placeholder(tf.float32, name="keep")
        dropped = tf.nn.dropout(hidden, keep)
    logits = _layer(dropped, 50, 10, "layer2", tf.identity)
    with tf.name_scope("cross_entropy"):
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits)
        loss = tf.reduce_mean(losses)
    tf.summary.scalar("cross_entropy", loss)
    with tf.name_scope("train"):
        train = tf.train.AdamOptimizer(0.001).minimize(loss)
    with tf.name_scope("accuracy"):
        right = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    tf.summary.scalar("accuracy", accuracy)
    _others(y, logits)
    return {"x": x, "y": y, "keep": keep, "loss": loss, "train": train} | {
        "summary": tf.summary.merge_all()
    }


def _layer(x: Any, inputs: int, outputs: int, name: str, act: Any) -> Any:
    with tf.name_scope(name):
        with tf.name_scope("weights"):
            w = tf.Variable(tf.truncated_normal([inputs, outputs], stddev=0.1))
            tf.summary.histogram("histogram", w)
        with tf.name_scope("biases"):
            b = tf.Variable(tf.constant(0.1, shape=[outputs]))
        with tf.name_scope("Wx_plus_b"):
            before = tf.matmul(x, w) + b
        return act(before, name="activation")


def _others(y: Any, logits: Any) -> None:
    """Kinds of summaries that say little of this network."""
    probabilities = tf.nn.softmax(logits)
    board.pr_curve("is_3", tf.cast(y[:, 3], tf.bool), probabilities[:, 3], 51)
    sure = tf.as_string(tf.reduce_max(probabilities), precision=3)
    tf.summary.text("note", tf.string_join(["# A run\n\nsure by *", sure, "*"]))
    tone = np.sin(np.arange(4000) * 0.3).astype(np.float32)[None]
    tf.summary.audio("tone", tone, 8000.0, max_outputs=1)
    tf.summary.tensor_summary("table", probabilities[:2])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
