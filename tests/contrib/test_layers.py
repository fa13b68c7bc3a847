"""Regularisers of `tf.contrib.layers`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf

layers = tf.contrib.layers
WEIGHTS = np.array([[1.0, -2.0], [3.0, -4.0]])


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (layers.l1_regularizer(0.5), 5.0),
        (layers.l2_regularizer(0.5), 7.5),
        (layers.l1_l2_regularizer(0.5, 0.1), 6.5),
        (layers.sum_regularizer([layers.l1_regularizer(0.5), None, lambda _: None]), 5.0),
    ],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_values(regularizer: Any, expected: float, dtype: Any) -> None:
    penalty = regularizer(tf.Variable(tf.constant(WEIGHTS, dtype)))
    assert penalty.dtype == dtype
    assert tf.Session().run(penalty) == pytest.approx(expected)


def test_gradient_of_l1_is_the_sign() -> None:
    x = tf.constant(WEIGHTS)
    (dx,) = tf.gradients(layers.l1_regularizer(0.5)(x), [x])
    np.testing.assert_array_equal(tf.Session().run(dx), 0.5 * np.sign(WEIGHTS))


def test_scales() -> None:
    for make in (layers.l1_regularizer, layers.l2_regularizer):
        for scale in (1, -0.5):
            with pytest.raises(ValueError, match="scale cannot be"):
                make(scale)
        assert make(0.0)(tf.constant(1.0)) is None
        by_tensor = make(tf.constant(2.0))(tf.constant([2.0]))
        assert tf.Session().run(by_tensor) == 4
    assert layers.sum_regularizer([None]) is None
    nothing: Any = layers.sum_regularizer([lambda _: None])
    assert nothing(tf.constant(1.0)) is None


def test_apply_regularization() -> None:
    a, b = tf.constant([1.0]), tf.constant([2.0])
    total = layers.apply_regularization(layers.l1_regularizer(0.5), [a, b])
    assert tf.losses.get_regularization_losses() == [total]
    assert tf.Session().run(tf.losses.get_regularization_loss()) == 1.5
    tf.add_to_collection(tf.GraphKeys.WEIGHTS, b)
    assert tf.Session().run(layers.apply_regularization(layers.l2_regularizer(0.5))) == 1


def test_what_cannot_be_regularised() -> None:
    with pytest.raises(ValueError, match="No weights to regularize"):
        layers.apply_regularization(layers.l1_regularizer(0.5))
    with pytest.raises(ValueError, match=r"must make a scalar, not \[2\]"):
        layers.apply_regularization(tf.identity, [tf.constant([1.0, 2.0])])
