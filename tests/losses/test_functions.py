"""Losses of predictions, against NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf

LABELS = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
SCORES = np.array([[0.5, 0.2, -1.0], [0.1, 0.7, 0.3]], np.float32)
P = 1 / (1 + np.exp(-SCORES))
LOG_SOFTMAX = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
BINARY = -LABELS * np.log(P) - (1 - LABELS) * np.log(1 - P)
RTOL = 1e-5  # some roundings of float32


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def value(loss: tf.Tensor) -> Any:
    with tf.Session() as session:
        return session.run(loss)


@pytest.mark.parametrize(
    ("name", "labels", "given", "wanted"),
    [
        ("mean_squared_error", LABELS, SCORES, ((SCORES - LABELS) ** 2).mean()),
        ("absolute_difference", LABELS, SCORES, np.abs(SCORES - LABELS).mean()),
        ("log_loss", LABELS, P, BINARY.mean()),
        ("sigmoid_cross_entropy", LABELS, SCORES, BINARY.mean()),
        ("softmax_cross_entropy", LABELS, SCORES, -(LABELS * LOG_SOFTMAX).sum(1).mean()),
        ("sparse_softmax_cross_entropy", [1, 0], SCORES, -(LABELS * LOG_SOFTMAX).sum(1).mean()),
        ("sparse_softmax_cross_entropy", [[1], [0]], SCORES, -(LABELS * LOG_SOFTMAX).sum(1).mean()),
    ],
)
def test_losses(name: str, labels: Any, given: Any, wanted: float) -> None:
    loss = getattr(tf.losses, name)(tf.constant(labels), tf.constant(given))
    assert value(loss) == pytest.approx(wanted, rel=RTOL)
    assert tf.losses.get_losses() == [loss]
    assert value(tf.losses.get_total_loss()) == pytest.approx(wanted, rel=RTOL)


def test_label_smoothing() -> None:
    smooth = LABELS * 0.7 + 0.3 / 3
    loss = tf.losses.softmax_cross_entropy(LABELS, SCORES, label_smoothing=0.3)
    assert value(loss) == pytest.approx(-(smooth * LOG_SOFTMAX).sum(1).mean(), rel=RTOL)


@pytest.mark.parametrize(
    ("reduction", "wanted"),
    [
        (tf.losses.Reduction.NONE, [[0, 2], [9, 12]]),
        (tf.losses.Reduction.SUM, 23),
        (tf.losses.Reduction.MEAN, 23 / 7),
        (tf.losses.Reduction.SUM_OVER_BATCH_SIZE, 23 / 4),
        (tf.losses.Reduction.SUM_BY_NONZERO_WEIGHTS, 23 / 3),
    ],
)
def test_reductions(reduction: str, wanted: Any) -> None:
    losses, weights = np.array([[1, 2], [3, 4]], np.float32), [[0, 1], [3, 3]]
    loss = tf.losses.compute_weighted_loss(losses, weights, reduction=reduction)
    np.testing.assert_allclose(value(loss), wanted, rtol=RTOL)


def test_weights_broadcast_and_may_all_be_0() -> None:
    losses = np.array([[1, 2], [3, 4]], np.float32)
    by_row = tf.losses.compute_weighted_loss(losses, [[1.0], [0.0]], loss_collection=None)
    assert value(by_row) == pytest.approx(1.5)
    assert value(tf.losses.compute_weighted_loss(losses, 0.0, loss_collection=None)) == 0
    assert tf.losses.get_losses() == []


def test_shapes_that_would_be_broadcast_unnoticed_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predictions are \[2, 1\], but labels \[2\]"):
        tf.losses.mean_squared_error(tf.ones([2]), tf.ones([2, 1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="no reduction 'half'"):
        tf.losses.compute_weighted_loss(tf.ones([2]), 2.0, reduction="half")
