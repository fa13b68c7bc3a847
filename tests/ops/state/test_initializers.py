"""Initialisers: the numbers they make, and the variance of those that are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf

init = tf.initializers


def value(initializer: Any, shape: Any, dtype: Any = None) -> Any:
    return tf.Session().run(initializer(shape, dtype=dtype))


def test_fixed_values() -> None:
    assert value(tf.zeros_initializer(), [2], tf.bool).tolist() == [False, False]
    assert value(tf.ones_initializer(tf.int32), [1, 2]).tolist() == [[1, 1]]
    assert value(tf.constant_initializer(7), [2]).tolist() == [7, 7]
    assert value(tf.constant_initializer([1, 2]), [3], tf.float64).tolist() == [1, 2, 2]
    assert value(init.identity(gain=2.0), [2, 3]).tolist() == [[2, 0, 0], [0, 2, 0]]


def test_values_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="only matrices"):
        init.identity()([2])
    with pytest.raises(ValueError, match="a value of shape"):
        tf.constant_initializer([1, 2, 3])([2])
    with pytest.raises(ValueError, match="a value of shape"):
        tf.constant_initializer(1, verify_shape=True)([2])
    with pytest.raises(ValueError, match="must be known"):
        tf.ones_initializer()([None])


def test_drawn_values_are_those_of_the_functions() -> None:
    pairs: list[tuple[Any, tf.Tensor]] = [
        (tf.random_uniform_initializer(-1, 3, 5), tf.random_uniform([9], -1, 3, seed=5)),
        (tf.random_normal_initializer(1, 2, 5), tf.random_normal([9], 1, 2, seed=5)),
        (tf.truncated_normal_initializer(1, 2, 5), tf.truncated_normal([9], 1, 2, seed=5)),
    ]
    tensors = [(initializer([9]), expected) for initializer, expected in pairs]
    for actual, expected in tf.Session().run(tensors):
        np.testing.assert_array_equal(actual, expected)


FILTER = (3, 3, 40, 160)  # 360 inputs, 1440 outputs: 57,600 x 9 numbers


@pytest.mark.parametrize(
    ("initializer", "variance", "is_uniform"),
    [
        (tf.glorot_uniform_initializer(1), 2 / 1800, True),
        (tf.glorot_normal_initializer(1), 2 / 1800, False),
        (init.he_normal(1), 2 / 360, False),
        (init.he_uniform(1), 2 / 360, True),
        (init.lecun_normal(1), 1 / 360, False),
        (init.lecun_uniform(1), 1 / 360, True),
        (tf.variance_scaling_initializer(3.0, "fan_out", "normal", 1), 3 / 1440, False),
        (tf.uniform_unit_scaling_initializer(2.0, 1), 4 / 360, True),
        (tf.contrib.layers.xavier_initializer(seed=1), 2 / 1800, True),
        (tf.contrib.layers.xavier_initializer(False, 1), 2 / 1800, False),
        (tf.contrib.layers.variance_scaling_initializer(seed=1), 2 / 360, False),
    ],
)
def test_variance(initializer: Any, variance: float, is_uniform: bool) -> None:
    drawn = value(initializer, FILTER).astype(np.float64)
    # Half a million numbers: the mean and the variance are off by some 1.4e-3 of themselves.
    assert abs(drawn.mean()) < 0.01 * np.sqrt(variance)
    assert drawn.var() == pytest.approx(variance, rel=0.01)
    edge = np.sqrt(3) if is_uniform else 2 / 0.87962566103423978
    assert np.abs(drawn).max() == pytest.approx(edge * np.sqrt(variance), rel=0.001)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (3, 2, 4)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_orthogonal(shape: Any, dtype: Any) -> None:
    tf.set_random_seed(1)
    made = tf.get_variable("v", shape, dtype, tf.orthogonal_initializer(3.0))
    drawn = tf.Session().run(made)
    assert drawn.dtype == dtype.numpy
    flat = drawn.reshape(-1, shape[-1]) / 3
    few = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
    # A decomposition of so small a matrix is exact to some epsilons.
    np.testing.assert_allclose(few, np.eye(len(few)), atol=50 * float(np.finfo(drawn.dtype).eps))
    assert not np.array_equal(drawn, tf.Session().run(tf.orthogonal_initializer(3.0)(shape, dtype)))


def test_orthogonal_in_half_precision_and_of_vectors() -> None:
    drawn = value(tf.orthogonal_initializer(seed=1), (4, 4), tf.float16).astype(np.float32)
    np.testing.assert_allclose(drawn @ drawn.T, np.eye(4), atol=0.005)  # rounded to 11 bits
    with pytest.raises(ValueError, match="rank 2 or more"):
        tf.orthogonal_initializer()([3])


def test_untruncated() -> None:
    scaling = tf.variance_scaling_initializer(1.0, "fan_avg", "untruncated_normal", 1)
    drawn = value(scaling, [500, 300], tf.float64)
    assert drawn.dtype == np.float64
    assert drawn.var() * 400 == pytest.approx(1, rel=0.02)
    assert np.abs(drawn).max() * 20 > 4


@pytest.mark.parametrize(
    ("shape", "variance"), [((), 1.0), ((50_000,), 1 / 50_000), ((0, 3), 1 / 1.5)]
)
def test_shapes_of_low_rank_and_without_elements(shape: Any, variance: float) -> None:
    drawn = value(tf.variance_scaling_initializer(1.0, "fan_avg", seed=1), shape)
    assert drawn.shape == shape
    if drawn.size > 1:
        assert drawn.var() == pytest.approx(variance, rel=0.05)


def test_arguments_that_make_no_sense() -> None:
    for arguments in ({"scale": 0.0}, {"mode": "fan"}, {"distribution": "cauchy"}):
        with pytest.raises(ValueError, match="must be") as caught:
            tf.variance_scaling_initializer(**arguments)
        assert "at test_initializers.py" in str(caught.value)
    with pytest.raises(TypeError, match="not a floating-point type"):
        tf.glorot_normal_initializer()([2, 2], dtype=tf.int32)


def test_configurations() -> None:
    glorot = tf.glorot_uniform_initializer(5)
    assert glorot.get_config() == {"seed": 5, "dtype": "float32"}
    normal = tf.random_normal_initializer(1.0, 2.0, 3, tf.float64)
    for made in (normal, tf.variance_scaling_initializer(2.0, seed=4), glorot):
        config = made.get_config()
        assert type(made).from_config(config).get_config() == config
