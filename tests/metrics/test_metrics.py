"""Metrics, against what TensorFlow computes of the same batches."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf
from tests.metrics.program import EXPECTED, compute


def test_metrics_and_averages_are_those_of_tensorflow() -> None:
    with tf.Graph().as_default():
        found = compute(tf)
    with np.load(EXPECTED) as expected:
        assert found.keys() == set(expected.files)
        for name, value in found.items():
            if value.dtype.kind == "U":
                assert value.tolist() == expected[name].tolist()
            else:
                # Sums of 200 areas in float32, in another order.
                np.testing.assert_allclose(value, expected[name], rtol=2e-5, err_msg=name)


def test_a_metric_begins_at_zero_and_joins_collections() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None])
        value, update = tf.metrics.mean(x, metrics_collections="values", name="size")
        assert tf.get_collection("values") == [value]
        assert [v.op.name for v in tf.local_variables()] == ["size/total", "size/count"]
        assert tf.get_collection(tf.GraphKeys.METRIC_VARIABLES) == tf.local_variables()
        assert session.run(value) == 0
        assert session.run(update, {x: [1, 2, 3]}) == 2
        assert session.run(update, {x: [6]}) == 3
        assert session.run(value) == 3
        session.run(tf.local_variables_initializer())
        assert session.run(value) == 0


def test_a_curve_that_does_not_exist() -> None:
    with tf.Graph().as_default():
        x = tf.constant([0.5])
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be either ROC or PR"):
            tf.metrics.auc(x, x, curve="DET")
        with pytest.raises(tf.errors.InvalidArgumentError, match="summation_method"):
            tf.metrics.auc(x, x, summation_method="careful_interpolation")
