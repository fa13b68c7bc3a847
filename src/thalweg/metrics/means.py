"""Metrics that are means over all elements of all batches."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.base.shapes import known
from thalweg.graph import Tensor
from thalweg.metrics.running import (
    Collections,
    Metric,
    collected,
    matched,
    metric_variable,
    ratio,
    weights_like,
)
from thalweg.ops.arrays.create import ones_like, zeros_like
from thalweg.ops.build import convert
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.reduction.reduce import reduce_sum
from thalweg.ops.state.variable_scope import variable_scope


def mean(
    values: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The mean of all values so far; 0 before the first.

        value, update = tf.metrics.mean(loss)
        for batch in batches:
            session.run(update, {x: batch})
        print(session.run(value))

    Args:
        values: of any shape.
        weights: of the values; they broadcast with them.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.

    Returns:
        The value and the update, float32 scalars.
    """
    with variable_scope(name, "mean", (values,)):
        given = elementwise.to_float(convert(values))
        _, given, weight = matched(given, given, weights)
        each = ones_like(given) if weight is None else weights_like(given, weight)
        total, count = metric_variable("total"), metric_variable("count")
        total_now = total.assign_add(reduce_sum(given * each))
        count_now = count.assign_add(reduce_sum(each))
        value = ratio(total.value(), count.value(), "value")
        made = value, ratio(total_now, count_now, "update_op")
    return collected(made, metrics_collections, updates_collections)


def mean_tensor(
    values: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The mean of all tensors so far, element by element.

    Args:
        values: of a known shape.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.

    Returns:
        The value and the update, float32 of the shape of the values.
    """
    with variable_scope(name, "mean", (values,)):
        given = elementwise.to_float(convert(values))
        each = ones_like(given) if weights is None else weights_like(given, weights)
        shape = known(given.static_shape)
        total = metric_variable("total_tensor", shape)
        count = metric_variable("count_tensor", shape)
        total_now, count_now = total.assign_add(given * each), count.assign_add(each)
        value = ratio(total.value(), count.value(), "value")
        made = value, ratio(total_now, count_now, "update_op")
    return collected(made, metrics_collections, updates_collections)


def accuracy(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The share of predictions so far that equal their labels.

    Args:
        labels: the truth.
        predictions: of the shape of the labels.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    truth, guess, weight = matched(labels, predictions, weights)
    if guess.dtype != truth.dtype:
        guess = elementwise.cast(guess, truth.dtype)
    right = elementwise.to_float(elementwise.equal(guess, truth))
    return mean(right, weight, metrics_collections, updates_collections, name or "accuracy")


def mean_absolute_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The mean of how far predictions are from their labels.

    The arguments are those of `accuracy`.
    """
    truth, guess, weight = _floats(labels, predictions, weights)
    far = elementwise.abs(guess - truth)
    name = name or "mean_absolute_error"
    return mean(far, weight, metrics_collections, updates_collections, name)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The mean of the squared differences of predictions and labels.

    The arguments are those of `accuracy`.
    """
    truth, guess, weight = _floats(labels, predictions, weights)
    far = elementwise.square(truth - guess)
    name = name or "mean_squared_error"
    return mean(far, weight, metrics_collections, updates_collections, name)


def root_mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The square root of `mean_squared_error`.

    The arguments are those of `accuracy`.
    """
    name = name or "root_mean_squared_error"
    value, update = mean_squared_error(labels, predictions, weights, None, None, name)
    made = elementwise.sqrt(value), elementwise.sqrt(update)
    return collected(made, metrics_collections, updates_collections)


def mean_relative_error(
    labels: Any,
    predictions: Any,
    normalizer: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The mean of how far predictions are from their labels, in parts of the normaliser.

    Args:
        labels: the truth.
        predictions: of the shape of the labels.
        normalizer: of the same shape; where it is 0 the error counts as 0.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    truth, guess, weight = _floats(labels, predictions, weights)
    unit = elementwise.to_float(convert(normalizer))
    none = elementwise.equal(unit, 0)
    far = elementwise.abs(truth - guess) / elementwise.where(none, ones_like(unit), unit)
    relative = elementwise.where(none, zeros_like(far), far)
    name = name or "mean_relative_error"
    return mean(relative, weight, metrics_collections, updates_collections, name)


def mean_cosine_distance(
    labels: Any,
    predictions: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """1 less the mean cosine of the angle between predictions and labels, both of length 1.

    Args:
        labels: the truth.
        predictions: of the shape of the labels.
        dim: the axis of the vectors.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    truth, guess, weight = _floats(labels, predictions, weights)
    cosine = reduce_sum(truth * guess, [dim], True)
    value, update = mean(cosine, weight, None, None, name or "mean_cosine_distance")
    return collected((1.0 - value, 1.0 - update), metrics_collections, updates_collections)


def percentage_below(
    values: Any,
    threshold: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The share, from 0 to 1, of the values so far that are below a threshold.

    Args:
        values: of any shape.
        threshold: a number.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    below = elementwise.to_float(elementwise.less(convert(values), threshold))
    name = name or "percentage_below_threshold"
    return mean(below, weights, metrics_collections, updates_collections, name)


def _floats(labels: Any, predictions: Any, weights: Any) -> tuple[Tensor, Tensor, Any]:
    truth, guess, weight = matched(labels, predictions, weights)
    return elementwise.cast(truth, dtypes.float32), elementwise.to_float(guess), weight
