"""Learning rates that change with the step."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Tensor
from thalweg.ops import math as arithmetic
from thalweg.ops.build import convert
from thalweg.ops.pointwise import cast


def _progress(global_step: Any, decay_steps: Any, staircase: bool) -> Tensor:
    """How many decay periods have passed, as float32."""
    if global_step is None:
        raise InvalidArgumentError("global_step is required for a learning rate that decays.")
    step = cast(convert(global_step), dtypes.float32)
    periods = arithmetic.divide(step, _scalar(decay_steps))
    return arithmetic.floor(periods) if staircase else periods


def _scalar(value: Any) -> Tensor:
    return cast(convert(value, hint=dtypes.float32), dtypes.float32)


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * decay_rate ** (global_step / decay_steps)`.

    Args:
        learning_rate: the rate at step 0.
        global_step: a variable or tensor that counts steps.
        decay_steps: how many steps one factor `decay_rate` takes.
        decay_rate: the factor.
        staircase: whether the quotient is rounded down.
        name: of the operation.

    Returns:
        A float32 scalar.

    Raises:
        InvalidArgumentError: without a global step.
    """
    rate = _scalar(learning_rate)
    with rate.graph.name_scope(name or "ExponentialDecay") as scope:
        power = arithmetic.pow(_scalar(decay_rate), _progress(global_step, decay_steps, staircase))
        return arithmetic.multiply(rate, power, name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate * exp(-decay_rate * global_step / decay_steps)`; see `exponential_decay`."""
    rate = _scalar(learning_rate)
    with rate.graph.name_scope(name or "NaturalExpDecay") as scope:
        exponent = _progress(global_step, decay_steps, staircase) * -_scalar(decay_rate)
        return arithmetic.multiply(rate, arithmetic.exp(exponent), name=scope)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """`learning_rate / (1 + decay_rate * global_step / decay_steps)`; see `exponential_decay`."""
    rate = _scalar(learning_rate)
    with rate.graph.name_scope(name or "InverseTimeDecay") as scope:
        growth = _progress(global_step, decay_steps, staircase) * _scalar(decay_rate) + 1
        return arithmetic.divide(rate, growth, name=scope)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """From `learning_rate` to `end_learning_rate` as `(1 - step / decay_steps) ** power`.

    Args:
        learning_rate: the rate at step 0.
        global_step: a variable or tensor that counts steps.
        decay_steps: after how many steps the end is reached; it stays there.
        end_learning_rate: the rate at the end.
        power: 1 for a straight line.
        cycle: whether to stretch the decay by a whole factor each time its end is reached.
        name: of the operation.

    Raises:
        InvalidArgumentError: without a global step.
    """
    rate, end = _scalar(learning_rate), _scalar(end_learning_rate)
    with rate.graph.name_scope(name or "PolynomialDecay") as scope:
        done = _progress(global_step, decay_steps, False)
        if cycle:
            done = done / arithmetic.maximum(arithmetic.ceil(done), 1.0)
        left = 1 - arithmetic.minimum(done, 1.0)
        return arithmetic.add((rate - end) * arithmetic.pow(left, _scalar(power)), end, name=scope)


def piecewise_constant(
    x: Any, boundaries: Sequence[float], values: Sequence[float], name: str | None = None
) -> Tensor:
    """The first value up to and including the first boundary, then the second, and so on.

    Args:
        x: a scalar, such as the global step.
        boundaries: increasing numbers.
        values: one more than boundaries.
        name: of the operation.

    Raises:
        InvalidArgumentError: if the counts do not fit or the boundaries do not increase.
    """
    if len(boundaries) != len(values) - 1:
        raise InvalidArgumentError(
            "The length of boundaries should be 1 less than the length of values"
        )
    if any(a >= b for a, b in itertools.pairwise(boundaries)):
        raise InvalidArgumentError(f"boundaries must increase: {list(boundaries)}")
    at = cast(convert(x), dtypes.float32)
    with at.graph.name_scope(name or "PiecewiseConstant") as scope:
        result = _scalar(float(values[0]))
        for boundary, before, after in zip(boundaries, values[:-1], values[1:], strict=True):
            passed = cast(at > float(boundary), dtypes.float32)
            result = result + passed * (float(after) - float(before))
        return arithmetic.add(result, 0.0, name=scope)
