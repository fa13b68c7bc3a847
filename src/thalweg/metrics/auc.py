"""The area under a curve, as a Riemann sum over thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Tensor
from thalweg.metrics.running import Collections, Metric, collected, ratio
from thalweg.metrics.thresholds import EPSILON, EVERY, Counts, confusions
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.reduction.reduce import reduce_sum
from thalweg.ops.state.variable_scope import variable_scope

_SMALL = 1e-6  # TensorFlow's, in the shares of a curve
_METHODS = ("trapezoidal", "careful_interpolation", "minoring", "majoring")


def auc(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int = 200,
    metrics_collections: Collections = None,
    updates_collections: Collections = None,
    curve: str = "ROC",
    name: str | None = None,
    summation_method: str = "trapezoidal",
    thresholds: Sequence[float] | None = None,
) -> Metric:
    """The area under the ROC or the precision-recall curve of all scores so far.

    Args:
        labels: the truth; what is not 0 is true.
        predictions: scores from 0 to 1, of the shape of the labels.
        weights: of the elements.
        num_thresholds: how many points the curve has.
        metrics_collections: to which the value is added.
        updates_collections: to which the update is added.
        curve: "ROC" or "PR".
        name: of the scope.
        summation_method: "trapezoidal"; "careful_interpolation", for PR; "minoring" or "majoring",
            bounds of the area.
        thresholds: the points, in place of `num_thresholds` even ones.

    Raises:
        InvalidArgumentError: for another curve or method.
    """
    if curve not in ("ROC", "PR"):
        raise InvalidArgumentError(f"curve must be either ROC or PR, {curve} unknown")
    allowed = [m for m in _METHODS if curve == "PR" or m != "careful_interpolation"]
    if summation_method not in allowed:
        raise InvalidArgumentError(f"Invalid summation_method: {summation_method}")
    with variable_scope(name, "auc", (labels, predictions)):
        points = _points(num_thresholds, thresholds)
        now, then = confusions(EVERY, labels, predictions, points, weights)
        made = _area(now, curve, summation_method), _area(then, curve, summation_method)
    return collected(made, metrics_collections, updates_collections)


def _points(number: int, given: Sequence[float] | None) -> list[float]:
    """Thresholds with one below, and one above all scores."""
    inner = [(i + 1) / (number - 1) for i in range(number - 2)] if given is None else sorted(given)
    return [-EPSILON, *inner, 1.0 + EPSILON]


def _area(counts: Counts, curve: str, method: str) -> Tensor:
    hits, missed, rejected, alarms = counts
    if method == "careful_interpolation":
        return _interpolated(hits, missed, alarms)
    recall = (hits + _SMALL) / (hits + missed + _SMALL)
    if curve == "ROC":
        x, y = alarms / (alarms + rejected + _SMALL), recall
    else:
        x, y = recall, (hits + _SMALL) / (hits + alarms + _SMALL)
    heights = {
        "trapezoidal": lambda: (y[:-1] + y[1:]) / 2.0,
        "minoring": lambda: elementwise.minimum(y[:-1], y[1:]),
        "majoring": lambda: elementwise.maximum(y[:-1], y[1:]),
    }
    return reduce_sum((x[:-1] - x[1:]) * heights[method]())


def _interpolated(hits: Tensor, missed: Tensor, alarms: Tensor) -> Tensor:
    """The area under a PR curve whose counts, not shares, are linear between points.

    Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006.
    """
    found = hits + alarms
    gain, above, below = hits[:-1] - hits[1:], found[:-1], found[1:]
    slope = ratio(gain, elementwise.maximum(above - below, 0.0))
    intercept = hits[1:] - slope * below
    some = elementwise.logical_and(elementwise.greater(above, 0), elementwise.greater(below, 0))
    growth = elementwise.where(some, ratio(above, below), ones_like(below))
    area = slope * (gain + intercept * elementwise.log(growth))
    return reduce_sum(ratio(area, elementwise.maximum(hits[1:] + missed[1:], 0.0)))
