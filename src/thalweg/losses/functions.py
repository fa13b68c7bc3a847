"""Losses of predictions. Each adds itself to the losses of the graph and is a weighted mean."""

from __future__ import annotations

from typing import Any

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.shapes import compatible, show
from thalweg.graph import Tensor
from thalweg.graph.keys import GraphKeys
from thalweg.losses.collection import add_loss
from thalweg.nn.losses import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.reshape import squeeze
from thalweg.ops.arrays.shape import size
from thalweg.ops.build import convert
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.reduction.reduce import reduce_mean, reduce_sum

__all__ = [
    "Reduction",
    "absolute_difference",
    "compute_weighted_loss",
    "log_loss",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sparse_softmax_cross_entropy",
]


class Reduction:
    """How the losses of single elements become one."""

    NONE = "none"
    SUM = "weighted_sum"
    MEAN = "weighted_mean"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS


BY_WEIGHTS = Reduction.SUM_BY_NONZERO_WEIGHTS


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """One loss from those of single elements.

    Args:
        losses: floating.
        weights: of the losses; a number, or a tensor that broadcasts with them.
        scope: the name scope.
        loss_collection: where the result is added; nowhere if None.
        reduction: one of `tf.losses.Reduction`. By default the sum of the weighted losses is
            divided by the number of those whose weight is not 0.

    Returns:
        A scalar, or the weighted losses with `Reduction.NONE`.

    Raises:
        InvalidArgumentError: if there is no such reduction.
    """
    values = convert(losses)
    with values.graph.name_scope(scope or "weighted_loss"):
        loss = _reduced(values, weights, reduction)
    add_loss(loss, loss_collection)
    return loss


def _reduced(values: Tensor, weights: Any, reduction: str) -> Tensor:
    if isinstance(weights, int | float) and weights == 1 and reduction == BY_WEIGHTS:
        return reduce_mean(values)
    each = elementwise.cast(convert(weights), values.dtype) * ones_like(values)
    weighted = values * each
    if reduction == Reduction.NONE:
        return weighted
    total = reduce_sum(weighted)
    if reduction == Reduction.SUM:
        return total
    if reduction == Reduction.MEAN:
        return _over(total, reduce_sum(each))
    if reduction == Reduction.SUM_OVER_BATCH_SIZE:
        return _over(total, elementwise.cast(size(values), values.dtype))
    if reduction == BY_WEIGHTS:
        present = elementwise.cast(elementwise.not_equal(each, 0), values.dtype)
        return _over(total, reduce_sum(present))
    raise InvalidArgumentError(f"there is no reduction {reduction!r}")


def _over(total: Tensor, count: Tensor) -> Tensor:
    """The quotient; 0 if the count is 0, as the total is then."""
    return total / elementwise.where(elementwise.equal(count, 0), ones_like(count), count)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean of `(predictions - labels) ** 2`.

    Args:
        labels: of the predictions' shape.
        predictions: floating.
        weights: see `compute_weighted_loss`, as for the others.
        scope: the name scope.
        loss_collection: see there.
        reduction: see there.

    Raises:
        ShapeError: if the two shapes differ.
    """
    with convert(predictions).graph.name_scope(scope or "mean_squared_error"):
        predicted, wanted = _pair(predictions, labels)
        losses = elementwise.squared_difference(predicted, wanted)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean of `|predictions - labels|`; the arguments are those of `mean_squared_error`."""
    with convert(predictions).graph.name_scope(scope or "absolute_difference"):
        predicted, wanted = _pair(predictions, labels)
        losses = elementwise.abs(predicted - wanted)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean cross-entropy of probabilities: `-labels log p - (1 - labels) log(1 - p)`.

    Args:
        labels: 0 or 1, of the predictions' shape.
        predictions: probabilities.
        weights: see `compute_weighted_loss`, as for the others.
        epsilon: added to what a logarithm is taken of.
        scope: the name scope.
        loss_collection: see there.
        reduction: see there.
    """
    with convert(predictions).graph.name_scope(scope or "log_loss"):
        p, wanted = _pair(predictions, labels)
        likely = wanted * elementwise.log(p + epsilon)
        losses = -likely - (1 - wanted) * elementwise.log(1 - p + epsilon)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean cross-entropy of a softmax.

    Args:
        onehot_labels: [batch, classes]; constants for the gradient.
        logits: [batch, classes].
        weights: see `compute_weighted_loss`, as for the others.
        label_smoothing: moves labels towards 1 / classes by this part.
        scope: the name scope.
        loss_collection: see there.
        reduction: see there.
    """
    with convert(logits).graph.name_scope(scope or "softmax_cross_entropy_loss"):
        scores, labels = _pair(logits, onehot_labels)
        if label_smoothing:
            classes = elementwise.cast(size(scores[0]), scores.dtype)
            labels = labels * (1 - label_smoothing) + label_smoothing / classes
        losses = softmax_cross_entropy_with_logits_v2(labels=labels, logits=scores)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean cross-entropy of a softmax whose labels are numbers of classes.

    Args:
        labels: integers, [batch] or [batch, 1].
        logits: [batch, classes].
        weights: see `compute_weighted_loss`, as for the others.
        scope: the name scope.
        loss_collection: see there.
        reduction: see there.
    """
    scores = convert(logits)
    with scores.graph.name_scope(scope or "sparse_softmax_cross_entropy_loss"):
        numbers = convert(labels)
        shape = numbers.static_shape
        if shape is not None and scores.static_shape is not None:
            is_column = len(shape) == len(scores.static_shape) and shape[-1] == 1
            numbers = squeeze(numbers, [-1]) if is_column else numbers
        losses = sparse_softmax_cross_entropy_with_logits(labels=numbers, logits=scores)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = BY_WEIGHTS,
) -> Tensor:
    """The mean cross-entropy of sigmoids.

    Args:
        multi_class_labels: 0 or 1, of the logits' shape.
        logits: floating.
        weights: see `compute_weighted_loss`, as for the others.
        label_smoothing: moves labels towards 1/2 by this part.
        scope: the name scope.
        loss_collection: see there.
        reduction: see there.
    """
    with convert(logits).graph.name_scope(scope or "sigmoid_cross_entropy_loss"):
        scores, labels = _pair(logits, multi_class_labels)
        if label_smoothing:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = sigmoid_cross_entropy_with_logits(labels=labels, logits=scores)
        return compute_weighted_loss(losses, weights, None, loss_collection, reduction)


def _pair(predictions: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """The two as tensors of the predictions' dtype.

    Raises:
        ShapeError: if they cannot have the same shape: one would be broadcast unnoticed.
    """
    predicted = convert(predictions)
    wanted = elementwise.cast(convert(labels), predicted.dtype)
    if not compatible(predicted.static_shape, wanted.static_shape):
        raise ShapeError(
            f"predictions are {show(predicted.static_shape)}, "
            f"but labels {show(wanted.static_shape)}"
        )
    return predicted, wanted
