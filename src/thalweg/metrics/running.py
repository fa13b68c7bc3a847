"""What metrics share: the variables that hold their sums, and where results are added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.graph import Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import ones_like, zeros, zeros_like
from thalweg.ops.arrays.reshape import expand_dims, squeeze
from thalweg.ops.build import convert
from thalweg.ops.elementwise import math as elementwise
from thalweg.ops.state.variable import Variable

Metric: TypeAlias = tuple[Tensor, Tensor]  # the value, and what takes one more batch
Collections: TypeAlias = str | Sequence[str] | None


def metric_variable(
    name: str, shape: Sequence[int] = (), dtype: DType = dtypes.float32
) -> Variable:
    """A local variable that begins at 0."""
    collections = [GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES]
    with default_graph().control_dependencies(None):
        return Variable(zeros(shape, dtype), trainable=False, collections=collections, name=name)


def collected(metric: Metric, values: Collections, updates: Collections) -> Metric:
    """A metric, which joins collections of the graph."""
    for names, tensor in zip((values, updates), metric, strict=True):
        if names:
            default_graph().add_to_collections(names, tensor)
    return metric


def ratio(part: Any, whole: Any, name: str | None = None) -> Tensor:
    """The quotient; 0 where the whole is not above 0."""
    some = elementwise.greater(whole, 0)
    safe = elementwise.where(some, whole, ones_like(whole))
    return elementwise.where(some, part / safe, zeros_like(part), name=name)


def matched(labels: Any, predictions: Any, weights: Any = None) -> tuple[Tensor, Tensor, Any]:
    """Labels, predictions and weights of one rank, less a last axis of 1 that one has more."""
    truth, guess = convert(labels), convert(predictions)
    more = _rank(truth) - _rank(guess)
    if more == 1:
        truth = squeeze(truth, [-1])
    elif more == -1:
        guess = squeeze(guess, [-1])
    if weights is None:
        return truth, guess, None
    weight = convert(weights)
    if _rank(weight) and _rank(weight) - _rank(guess) == 1:
        weight = squeeze(weight, [-1])
    elif _rank(weight) and _rank(guess) - _rank(weight) == 1:
        weight = expand_dims(weight, -1)
    return truth, guess, weight


def weights_like(values: Tensor, weights: Any) -> Tensor:
    """The weight of each value, of the dtype of the values."""
    return elementwise.cast(convert(weights), values.dtype) * ones_like(values)


def _rank(tensor: Tensor) -> int:
    shape = tensor.static_shape
    return 0 if shape is None else len(shape)
