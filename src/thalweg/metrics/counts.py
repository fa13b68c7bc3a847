"""Metrics that count right and wrong predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.base import dtypes
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
from thalweg.ops.arrays.create import one_hot
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.reduction.reduce import reduce_sum
from thalweg.ops.state.variable_scope import variable_scope


def _count(
    name: str, labels: Any, predictions: Any, weights: Any, asked: tuple[bool, bool]
) -> Metric:
    """How many elements so far have these label and prediction."""
    with variable_scope(name, values=(labels, predictions)):
        truth, guess, weight = matched(labels, predictions, weights)
        label, prediction = (elementwise.cast(each, dtypes.bool_) for each in (truth, guess))
        hit = elementwise.logical_and(
            elementwise.equal(label, asked[0]), elementwise.equal(prediction, asked[1])
        )
        number = elementwise.to_float(hit)
        if weight is not None:
            number = number * weights_like(number, weight)
        count = metric_variable("count")
        return count.value(), count.assign_add(reduce_sum(number))


def true_positives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """How many elements so far are true, and were predicted to be.

    Args:
        labels: the truth; what is not 0 is true.
        predictions: of the shape of the labels.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    made = _count(name or "true_positives", labels, predictions, weights, (True, True))
    return collected(made, metrics_collections, updates_collections)


def true_negatives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """How many elements so far are false, and were predicted to be.

    The arguments are those of `true_positives`.
    """
    made = _count(name or "true_negatives", labels, predictions, weights, (False, False))
    return collected(made, metrics_collections, updates_collections)


def false_positives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """How many elements so far are false, and were predicted to be true.

    The arguments are those of `true_positives`.
    """
    made = _count(name or "false_positives", labels, predictions, weights, (False, True))
    return collected(made, metrics_collections, updates_collections)


def false_negatives(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """How many elements so far are true, and were predicted to be false.

    The arguments are those of `true_positives`.
    """
    made = _count(name or "false_negatives", labels, predictions, weights, (True, False))
    return collected(made, metrics_collections, updates_collections)


def precision(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The share of what was predicted to be true that is true; 0 if nothing was.

    The arguments are those of `true_positives`.
    """
    made = _share_of_hits(false_positives, labels, predictions, weights, name or "precision")
    return collected(made, metrics_collections, updates_collections)


def recall(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The share of what is true that was predicted to be; 0 if nothing is.

    The arguments are those of `true_positives`.
    """
    made = _share_of_hits(false_negatives, labels, predictions, weights, name or "recall")
    return collected(made, metrics_collections, updates_collections)


def _share_of_hits(
    others: Callable[..., Metric], labels: Any, predictions: Any, weights: Any, name: str
) -> Metric:
    """The share that the true positives make up, with the others; 0 if there are none of both."""
    with variable_scope(name, values=(labels, predictions)):
        hits, hits_now = true_positives(labels, predictions, weights)
        rest, rest_now = others(labels, predictions, weights)
        return ratio(hits, hits + rest), ratio(hits_now, hits_now + rest_now)


def mean_iou(
    labels: Any,
    predictions: Any,
    num_classes: int,
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The mean, over the classes seen so far, of intersection over union.

    Args:
        labels: the classes, integers of any shape.
        predictions: of the shape of the labels.
        num_classes: how many classes there are.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.

    Returns:
        The value, and the update, which gives the sums by label and prediction.
    """
    with variable_scope(name, "mean_iou", (labels, predictions)):
        truth, guess, weight = matched(labels, predictions, weights)
        rows = one_hot(reshape(truth, [-1]), num_classes, dtype=dtypes.float64)
        columns = one_hot(reshape(guess, [-1]), num_classes, dtype=dtypes.float64)
        if weight is not None:
            each = weights_like(elementwise.cast(guess, dtypes.float64), weight)
            rows = rows * reshape(each, [-1, 1])
        shape = [num_classes, num_classes]
        sums = metric_variable("total_confusion_matrix", shape, dtypes.float64)
        update = sums.assign_add(matmul(rows, columns, transpose_a=True))
        value = _mean_iou(elementwise.to_float(sums.value()), num_classes)
    return collected((value, update), metrics_collections, updates_collections)


def _mean_iou(sums: Tensor, classes: int) -> Tensor:
    both = reduce_sum(sums * one_hot(list(range(classes)), classes), 0)
    union = reduce_sum(sums, 0) + reduce_sum(sums, 1) - both
    seen = reduce_sum(elementwise.to_float(elementwise.not_equal(union, 0.0)))
    return ratio(reduce_sum(ratio(both, union)), seen)
