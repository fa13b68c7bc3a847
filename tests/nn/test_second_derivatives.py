"""Second derivatives of everything that is made of several operations, against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.graph import Tensor

Function = Callable[[Tensor], Tensor]
STEP = 1e-4
TOLERANCE = 1e-6  # central differences are off by the square of the step, times a third derivative
nn = tf.nn
LABELS = np.array([[0.2, 0.3, 0.5, 0.0]] * 5)


def normalised(x: Tensor) -> Tensor:
    return nn.batch_normalization(x, *nn.moments(x, [0]), None, np.arange(1.0, 5.0), 1e-3)


def layer_norm(x: Tensor) -> Tensor:
    return nn.batch_normalization(x, *nn.moments(x, [1], keep_dims=True), None, None, 1e-3)


def fused(x: Tensor, which: int = 0, **settings: Any) -> Tensor:
    images = tf.reshape(x, [5, 1, 1, 4])
    return tf.reshape(nn.fused_batch_norm(images, np.ones(4), np.zeros(4))[which], [-1])


COMPOSITES: dict[str, Function] = {
    "mean": lambda x: nn.moments(x, [0])[0],
    "variance": lambda x: nn.moments(x, [0])[1],
    "variance of all": lambda x: nn.moments(x, [0, 1])[1],
    "variance of rows": lambda x: nn.moments(x, [1], keep_dims=True)[1] * x,
    "batch normalisation": normalised,
    "layer normalisation": layer_norm,
    "fused batch normalisation": fused,
    "mean of fused": lambda x: fused(x, 1),
    "variance of fused": lambda x: fused(x, 2),
    "l2_normalize": lambda x: nn.l2_normalize(x, 1),
    "l2_loss": nn.l2_loss,
    "softmax": nn.softmax,
    "softmax along rows": lambda x: nn.softmax(x, 0),
    "log_softmax": nn.log_softmax,
    "log of softmax": lambda x: tf.log(nn.softmax(x)),
    "log of sigmoid": lambda x: tf.log(tf.sigmoid(x)) + 2 * tf.log(1 - tf.sigmoid(x)),
    "log_sigmoid": nn.log_sigmoid,
    "logsumexp": lambda x: tf.reduce_logsumexp(x, 1),
    "softmax cross entropy": lambda x: nn.softmax_cross_entropy_with_logits_v2(
        labels=LABELS, logits=x
    ),
    "its labels": lambda x: nn.softmax_cross_entropy_with_logits_v2(labels=x * x, logits=x),
    "sparse cross entropy": lambda x: nn.sparse_softmax_cross_entropy_with_logits(
        labels=[0, 3, 1, 2, 2], logits=x
    ),
    "sigmoid cross entropy": lambda x: nn.sigmoid_cross_entropy_with_logits(
        labels=LABELS, logits=x
    ),
    "weighted cross entropy": lambda x: nn.weighted_cross_entropy_with_logits(LABELS, x, 2.0),
    "gelu": nn.gelu,
    "gelu by tanh": lambda x: nn.gelu(x, approximate=True),
    "swish": nn.swish,
    "softplus": nn.softplus,
    "softsign": nn.softsign,
    "crelu": lambda x: nn.crelu(x) ** 2,
    "product": lambda x: tf.reduce_prod(x, 1),
}


@pytest.mark.parametrize("composite", COMPOSITES)
def test_hessian_times_vector(composite: str) -> None:
    random = np.random.RandomState(0)
    at, v = random.randn(5, 4), random.randn(5, 4)
    x = tf.placeholder(tf.float64, [5, 4])
    y = COMPOSITES[composite](x)
    weights = random.randn(*y.get_shape().as_list())
    gradient = tf.gradients(y * y * weights, x)[0]
    assert gradient is not None
    second = tf.gradients(gradient * v, x)[0]
    session = tf.Session(config=tf.ConfigProto(backend="numpy"))
    above, below = (session.run(gradient, {x: at + step * v}) for step in (STEP, -STEP))
    difference = (above - below) / (2 * STEP)
    found = session.run(second, {x: at})
    assert np.abs(found - difference).max() < TOLERANCE * np.abs(difference).max()


def test_first_derivatives_of_a_variance_take_no_more_operations() -> None:
    """The mean's own gradient, which is 0, is not computed."""
    x = tf.placeholder(tf.float32, [5, 4])
    mean, variance = nn.moments(x, [0])
    assert tf.gradients(variance, mean) == [None]
