"""Metrics of scores: a score above a threshold predicts true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.graph import Tensor
from thalweg.metrics.running import (
    Collections,
    Metric,
    collected,
    matched,
    metric_variable,
    weights_like,
)
from thalweg.ops.arrays.create import constant, ones_like
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.reduction.reduce import reduce_sum
from thalweg.ops.state.variable_scope import variable_scope

EPSILON = 1e-7
EVERY = ("true_positives", "false_negatives", "true_negatives", "false_positives")
Counts = Sequence[Tensor]  # each a vector: one count for each threshold


def confusions(
    names: Sequence[str],
    labels: Any,
    predictions: Any,
    thresholds: Sequence[float],
    weights: Any,
) -> tuple[Counts, Counts]:
    """The counts of these names so far, and those with one more batch."""
    truth, guess, weight = matched(labels, predictions, weights)
    scores = elementwise.to_float(guess)
    each = ones_like(scores) if weight is None else weights_like(scores, weight)
    each, scores, flags = (
        reshape(one, [1, -1])
        for one in (each, scores, elementwise.to_float(elementwise.cast(truth, dtypes.bool_)))
    )
    limits = reshape(constant(list(thresholds), dtypes.float32), [-1, 1])
    positive = elementwise.to_float(elementwise.greater(scores, limits))
    hits = {
        "true_positives": positive * flags,
        "false_negatives": (1 - positive) * flags,
        "true_negatives": (1 - positive) * (1 - flags),
        "false_positives": positive * (1 - flags),
    }
    variables = {name: metric_variable(name, [len(thresholds)]) for name in names}
    updates = [
        variable.assign_add(reduce_sum(hits[name] * each, 1))
        for name, variable in variables.items()
    ]
    return [variable.value() for variable in variables.values()], updates


def precision_at_thresholds(
    labels: Any,
    predictions: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The precision so far at each threshold.

    Args:
        labels: the truth; what is not 0 is true.
        predictions: scores from 0 to 1, of the shape of the labels.
        thresholds: scores above these predict true.
        weights: of the elements.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        name: of the scope.
    """
    with variable_scope(name, "precision_at_thresholds", (labels, predictions)):
        made = _shares("false_positives", labels, predictions, thresholds, weights)
    return collected(made, metrics_collections, updates_collections)


def recall_at_thresholds(
    labels: Any,
    predictions: Any,
    thresholds: Sequence[float],
    weights: Any = None,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:
    """The recall so far at each threshold.

    The arguments are those of `precision_at_thresholds`.
    """
    with variable_scope(name, "recall_at_thresholds", (labels, predictions)):
        made = _shares("false_negatives", labels, predictions, thresholds, weights)
    return collected(made, metrics_collections, updates_collections)


def _shares(others: str, *given: Any) -> Metric:
    """The share that the true positives make up, with the others."""
    names = ("true_positives", others)
    (hits, wrong), (hits_now, wrong_now) = confusions(names, *given)
    return hits / (EPSILON + hits + wrong), hits_now / (EPSILON + hits_now + wrong_now)
