"""Regularisers: what a loss adds for large weights."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.nn.losses import l2_loss
from thalweg.ops.arrays.create import constant
from thalweg.ops.build import convert
from thalweg.ops.control.control import name_scope
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.arithmetic import add_n
from thalweg.ops.reduction.reduce import reduce_sum

Regularizer: TypeAlias = Callable[[Any], Tensor | None]


def l1_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """A regulariser: `scale * sum(|weights|)`.

    Args:
        scale: a number that is not an integer, or a scalar tensor. 0 turns it off.
        scope: the name scope of what it makes.

    Raises:
        ValueError: if the scale is an integer or negative.
    """
    return _scaled(scale, scope or "l1_regularizer", lambda x: reduce_sum(arithmetic.abs(x)))


def l2_regularizer(scale: Any, scope: str | None = None) -> Regularizer:
    """A regulariser: `scale * sum(weights ** 2) / 2`.

    Args:
        scale: a number that is not an integer, or a scalar tensor. 0 turns it off.
        scope: the name scope of what it makes.

    Raises:
        ValueError: if the scale is an integer or negative.
    """
    return _scaled(scale, scope or "l2_regularizer", l2_loss)


def l1_l2_regularizer(
    scale_l1: Any = 1.0, scale_l2: Any = 1.0, scope: str | None = None
) -> Regularizer:
    """A regulariser: the sum of `l1_regularizer(scale_l1)` and `l2_regularizer(scale_l2)`.

    Raises:
        ValueError: if a scale is an integer or negative.
    """
    parts = [l1_regularizer(scale_l1), l2_regularizer(scale_l2)]
    return _sum(parts, scope or "l1_l2_regularizer")


def sum_regularizer(
    regularizer_list: Sequence[Regularizer | None], scope: str | None = None
) -> Regularizer | None:
    """A regulariser that is the sum of others; None if there are none.

    Args:
        regularizer_list: the others; None among them is left out.
        scope: the name scope of what it makes.
    """
    parts = [regularizer for regularizer in regularizer_list if regularizer is not None]
    return _sum(parts, scope or "sum_regularizer") if parts else None


def apply_regularization(
    regularizer: Regularizer, weights_list: Sequence[Any] | None = None
) -> Tensor:
    """The sum of what a regulariser makes of some weights, which joins the regularisation losses.

    Args:
        regularizer: a function of a tensor, whose result is a scalar or None.
        weights_list: the weights; by default those of the collection `GraphKeys.WEIGHTS`.

    Raises:
        ValueError: if there are no weights.
        ShapeError: if the regulariser makes something else than a scalar.
    """
    weights = weights_list or default_graph().get_collection(GraphKeys.WEIGHTS)
    if not weights:
        raise InvalidArgumentError("No weights to regularize.")
    with name_scope("get_regularization_penalty", values=weights) as scope:
        made = [regularizer(w) for w in weights]
        penalties = [constant(0.0) if penalty is None else penalty for penalty in made]
        for penalty in penalties:
            if penalty.static_shape not in (None, ()):
                raise ShapeError(
                    f"a regulariser must make a scalar, not {show(penalty.static_shape)}"
                )
        total = add_n(penalties, name=scope)
    total.graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, total)
    return total


def _scaled(scale: Any, scope: str, penalty: Callable[[Tensor], Tensor]) -> Regularizer:
    if isinstance(scale, numbers.Integral):
        raise InvalidArgumentError(f"scale cannot be an integer: {scale}")
    if isinstance(scale, numbers.Real) and scale < 0:
        raise InvalidArgumentError(f"a regulariser's scale cannot be negative: {scale}")

    def regularize(weights: Any) -> Tensor | None:
        if isinstance(scale, numbers.Real) and scale == 0:
            return None
        with name_scope(scope, values=[weights]) as full:
            x = convert(weights)
            return arithmetic.multiply(convert(scale, hint=x.dtype), penalty(x), name=full)

    return regularize


def _sum(parts: Sequence[Regularizer], scope: str) -> Regularizer:
    def regularize(weights: Any) -> Tensor | None:
        with name_scope(scope, values=[weights]) as full:
            made = [penalty for part in parts if (penalty := part(weights)) is not None]
            return add_n(made, name=full) if made else None

    return regularize
