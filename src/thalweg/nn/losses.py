"""Losses from logits, in forms that neither overflow nor take the logarithm of 0."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.formula.functions import FLOATING
from thalweg.graph import Tensor
from thalweg.nn.activations import log_softmax
from thalweg.ops.arrays.create import one_hot, zeros_like
from thalweg.ops.arrays.gather import InRange
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.elementwise.selection import Select
from thalweg.ops.reduction import reduce


def _named_only(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    """Check that labels and logits were given, by name: their order differs between libraries.

    Raises:
        ValueError: if not.
    """
    if sentinel is not None or labels is None or logits is None:
        raise GraphError(
            f"{function} takes its arguments by name only: {function}(labels=..., logits=...)"
        )


def _pair(function: str, labels: Any, logits: Any) -> tuple[Tensor, Tensor]:
    """Labels and logits as floating tensors of one dtype and of compatible shapes.

    Raises:
        DTypeError, ShapeError: if they are not.
    """
    scores = convert(logits)
    check_kind(FLOATING, scores.dtype)
    target = convert(labels, hint=scores.dtype)
    if target.dtype != scores.dtype:
        hint = (
            "use sparse_softmax_cross_entropy_with_logits for class numbers, or tf.one_hot"
            if target.dtype.is_integer and "softmax" in function
            else "use tf.cast on one of them"
        )
        raise DTypeError(f"{function}: labels are {target.dtype}, logits {scores.dtype}: {hint}")
    if not shapes.compatible(target.static_shape, scores.static_shape):
        raise ShapeError(
            f"{function}: labels and logits must have one shape; "
            f"labels are {show(target.static_shape)}, logits are {show(scores.static_shape)}"
        )
    return target, scores


def softmax_cross_entropy_with_logits_v2(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int | None = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """The cross entropy between distributions and the softmax of logits: `-sum(labels * log p)`.

    Args:
        _sentinel: not to be used; the other arguments are given by name.
        labels: distributions along the axis; floating. Gradients flow into them.
        logits: unnormalised logarithms of probabilities, of the same shape and dtype.
        dim: TensorFlow's old name for `axis`.
        name: of the operation.
        axis: the axis of the classes; the last one if not given.

    Returns:
        The losses, of the shape of the logits without the axis.

    Raises:
        ShapeError: if labels and logits have different shapes.
        DTypeError: if they have different dtypes.
    """
    function = "softmax_cross_entropy_with_logits"
    _named_only(function, _sentinel, labels, logits)
    target, scores = _pair(function, labels, logits)
    along = (-1 if dim is None else dim) if axis is None else axis
    with scores.graph.name_scope(name or function) as scope:
        losses = target * log_softmax(scores, along)
        return arithmetic.negative(reduce.reduce_sum(losses, axis=along), name=scope)


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int | None = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """As `softmax_cross_entropy_with_logits_v2`, but no gradient flows into the labels."""
    _named_only("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    target, scores = _pair("softmax_cross_entropy_with_logits", labels, logits)
    with scores.graph.name_scope(name or "softmax_cross_entropy_with_logits") as scope:
        fixed = stop_gradient(target)
        return softmax_cross_entropy_with_logits_v2(
            labels=fixed, logits=scores, dim=dim, name=scope, axis=axis
        )


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy between class numbers and the softmax of logits: `-log p[label]`.

    Args:
        _sentinel: not to be used; the other arguments are given by name.
        labels: class numbers, of the logits' shape without the last axis.
        logits: unnormalised logarithms of probabilities; the classes are along the last axis.
        name: of the operation.

    Returns:
        The losses, of the shape of the labels.

    Raises:
        ShapeError: if the shapes do not fit, or the number of classes is not known.
        DTypeError: if the labels are not integers.
        InvalidArgumentError: in a run, of the loss or of its gradient, if a label is no class.
    """
    function = "sparse_softmax_cross_entropy_with_logits"
    _named_only(function, _sentinel, labels, logits)
    scores, classes = convert(logits), convert(labels)
    if not classes.dtype.is_integer:
        raise DTypeError(
            f"{function}: labels are class numbers, not {classes.dtype}: "
            "use softmax_cross_entropy_with_logits for distributions"
        )
    count = _class_count(function, classes.static_shape, scores.static_shape)
    with scores.graph.name_scope(name or function) as scope:
        checked = emit(InRange(count, "labels"), classes)
        hot = one_hot(checked, count, dtype=dtypes.bool_, on_value=True, off_value=False)
        logs = log_softmax(scores)
        chosen = Select.of(hot, logs, zeros_like(logs))
        return arithmetic.negative(reduce.reduce_sum(chosen, axis=-1), name=scope)


def _class_count(function: str, labels: Shape, logits: Shape) -> int:
    if logits is None or not logits or logits[-1] is None:
        raise ShapeError(
            f"{function}: the number of classes must be known; logits are {show(logits)}"
        )
    if not shapes.compatible(labels, logits[:-1]):
        raise ShapeError(
            f"{function}: labels must have the shape of the logits without the last axis; "
            f"labels are {show(labels)}, logits are {show(logits)}"
        )
    return logits[-1]


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy of independent yes-or-no answers: `log(1 + exp(x)) - x * label`.

    It neither overflows nor cancels: for labels of 0 and 1, the loss and its derivatives keep all
    their digits at every finite logit.

    Args:
        _sentinel: not to be used; the other arguments are given by name.
        labels: probabilities, of the logits' shape and dtype.
        logits: the logarithms of the odds.
        name: of the operation.

    Returns:
        The losses, of the shape of the logits.

    Raises:
        ShapeError: if labels and logits have different shapes.
        DTypeError: if they have different dtypes.
    """
    function = "sigmoid_cross_entropy_with_logits"
    _named_only(function, _sentinel, labels, logits)
    target, scores = _pair(function, labels, logits)
    with scores.graph.name_scope(name or "logistic_loss") as scope:
        return arithmetic.add(*_logistic_loss(target, target, scores), name=scope)


def _logistic_loss(target: Tensor, positive: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Two terms that no digits are lost between, the second `log(1 + exp(-|x|))`.

    The first is x times `1 - target` where x is at least 0, else times `-positive`, which is the
    target times the weight of the second term where that is positive. At 0 either is right: the
    derivatives of the terms jump by opposite amounts.
    """
    above = scores >= 0
    slope = Select.of(above, 1 - target, -positive)
    away = Select.of(above, -scores, scores)
    return scores * slope, arithmetic.log1p(arithmetic.exp(away))


def weighted_cross_entropy_with_logits(
    targets: Any, logits: Any, pos_weight: Any, name: str | None = None
) -> Tensor:
    """As `sigmoid_cross_entropy_with_logits`, with errors at positive labels weighted.

    Args:
        targets: probabilities, of the logits' shape and dtype.
        logits: the logarithms of the odds.
        pos_weight: the weight, a number or a tensor that broadcasts.
        name: of the operation.

    Raises:
        ShapeError: if targets and logits have different shapes.
        DTypeError: if they have different dtypes.
    """
    target, scores = _pair("weighted_cross_entropy_with_logits", targets, logits)
    with scores.graph.name_scope(name or "logistic_loss") as scope:
        factor = convert(pos_weight, hint=scores.dtype)
        line, bend = _logistic_loss(target, target * factor, scores)
        return arithmetic.add(line, bend * (1 - target + target * factor), name=scope)


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of squares."""
    x = convert(t)
    with x.graph.name_scope(name or "L2Loss") as scope:
        return arithmetic.multiply(reduce.reduce_sum(arithmetic.square(x)), 0.5, name=scope)
