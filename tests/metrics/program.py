"""Metrics and moving averages over three batches, for Thalweg and for TensorFlow.

python -m tests.metrics.program     write what TensorFlow computes, with TensorFlow's Python
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

EXPECTED = Path(__file__).with_name("expected.npz")


def metrics(tf: Any, labels: Any, scores: Any, weights: Any) -> dict[str, Any]:
    """By name, a metric's value and update."""
    m, truth = tf.metrics, tf.cast(labels, tf.int32)
    guess = tf.cast(tf.greater(scores, 0.5), tf.int32)
    pr: dict[str, Any] = {"curve": "PR"}
    return {
        "mean": m.mean(scores, weights),
        "accuracy": m.accuracy(truth, guess, weights),
        "squared": m.mean_squared_error(labels, scores, weights),
        "root": m.root_mean_squared_error(labels, scores, weights),
        "absolute": m.mean_absolute_error(labels, scores, weights),
        "relative": m.mean_relative_error(labels, scores, labels, weights),
        "true_positives": m.true_positives(truth, guess, weights),
        "false_positives": m.false_positives(truth, guess, weights),
        "true_negatives": m.true_negatives(truth, guess, weights),
        "false_negatives": m.false_negatives(truth, guess, weights),
        "precision": m.precision(truth, guess, weights),
        "recall": m.recall(truth, guess, weights),
        "auc": m.auc(labels, scores, weights),
        "auc_minoring": m.auc(labels, scores, weights, 20, summation_method="minoring"),
        "auc_majoring": m.auc(labels, scores, weights, 20, summation_method="majoring"),
        "auc_pr": m.auc(labels, scores, weights, **pr),
        "auc_careful": m.auc(
            labels, scores, weights, summation_method="careful_interpolation", **pr
        ),
        "precisions": m.precision_at_thresholds(labels, scores, [0.2, 0.6], weights),
        "recalls": m.recall_at_thresholds(labels, scores, [0.2, 0.6], weights),
        "iou": m.mean_iou(truth, guess, 2, weights),
        "below": m.percentage_below(scores, 0.3, weights),
    }


def compute(tf: Any) -> dict[str, Any]:
    """The updates of three batches and the value after them, by metric; and the variables."""
    random = np.random.default_rng(0)
    labels, scores, weights = (tf.placeholder(tf.float32, [None, 3]) for _ in range(3))
    made = metrics(tf, labels, scores, None)
    made |= {f"weighted_{k}": v for k, v in metrics(tf, labels, scores, weights).items()}
    made["cosine"] = tf.metrics.mean_cosine_distance(labels, scores, 1)
    total = tf.reduce_sum(scores)
    made["tensor"] = tf.metrics.mean_tensor(total * tf.constant([1.0, 2.0, 3.0]))
    average = tf.train.ExponentialMovingAverage(0.9, zero_debias=True)
    apply = average.apply([total])
    updates = {name: pair[1] for name, pair in made.items()}
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        seen: list[dict[str, Any]] = []
        for _ in range(3):
            feeds = {labels: random.integers(0, 2, [7, 3]), scores: random.random([7, 3])}
            feeds[weights] = random.random([7, 3])
            session.run(apply, feeds)
            seen.append(
                session.run(updates, feeds) | {"average": session.run(average.average(total))}
            )
        for name, pair in made.items():
            updated = [batch[name] for batch in seen]
            seen[0][name] = [*updated, session.run(pair[0])]
    found = {name: seen[0][name] for name in made if not name.endswith("iou")}
    found["iou"] = seen[0]["iou"][-1]
    found["weighted_iou"] = seen[0]["weighted_iou"][-1]
    found["average"] = [batch["average"] for batch in seen]
    found["local_variables"] = sorted(v.op.name for v in tf.local_variables())
    found["global_variables"] = sorted(v.op.name for v in tf.global_variables())
    return {name: np.array(value) for name, value in found.items()}


if __name__ == "__main__":
    tensorflow = import_module("tensorflow.compat.v1")
    tensorflow.disable_eager_execution()
    tensorflow.disable_resource_variables()
    np.savez_compressed(EXPECTED, **compute(tensorflow))
