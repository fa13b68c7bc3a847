"""Learning rates that change with the step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Tensor
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import convert, to_array
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast


def _rate(learning_rate: Any) -> Tensor:
    """The rate at step 0; one that is no floating tensor is float32."""
    rate = convert(learning_rate)
    return rate if rate.dtype.is_floating else cast(rate, dtypes.float32)


def _like(value: Any, rate: Tensor) -> Tensor:
    return cast(convert(value, hint=rate.dtype), rate.dtype)


def _progress(global_step: Any, decay_steps: Any, staircase: bool = False) -> Tensor:
    """How many decay periods have passed, as float64, in which every step up to 2**53 differs."""
    if global_step is None:
        raise InvalidArgumentError("global_step is required for a learning rate that decays.")
    step, steps = (cast(convert(n), dtypes.float64) for n in (global_step, decay_steps))
    periods = arithmetic.divide(step, steps)
    return arithmetic.floor(periods) if staircase else periods


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
        A scalar of the learning rate's dtype, float32 for a number. The quotient is taken in
        float64, so that staircases have their steps in the right places beyond 2**24 too.

    Raises:
        InvalidArgumentError: without a global step.
    """
    rate = _rate(learning_rate)
    with rate.graph.name_scope(name or "ExponentialDecay") as scope:
        periods = _like(_progress(global_step, decay_steps, staircase), rate)
        power = arithmetic.pow(_like(decay_rate, rate), periods)
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
    rate = _rate(learning_rate)
    with rate.graph.name_scope(name or "NaturalExpDecay") as scope:
        periods = _like(_progress(global_step, decay_steps, staircase), rate)
        exponent = periods * -_like(decay_rate, rate)
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
    rate = _rate(learning_rate)
    with rate.graph.name_scope(name or "InverseTimeDecay") as scope:
        periods = _like(_progress(global_step, decay_steps, staircase), rate)
        growth = periods * _like(decay_rate, rate) + 1
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
    rate = _rate(learning_rate)
    with rate.graph.name_scope(name or "PolynomialDecay") as scope:
        end = _like(end_learning_rate, rate)
        done = _progress(global_step, decay_steps)
        if cycle:
            done = done / arithmetic.maximum(arithmetic.ceil(done), 1.0)
        left = _like(1 - arithmetic.minimum(done, 1.0), rate)
        decayed = (rate - end) * arithmetic.pow(left, _like(power, rate))
        return arithmetic.add(decayed, end, name=scope)


def piecewise_constant(
    x: Any, boundaries: Sequence[float], values: Sequence[Any], name: str | None = None
) -> Tensor:
    """The first value up to and including the first boundary, then the second, and so on.

    Args:
        x: a scalar, such as the global step, floating or an integer.
        boundaries: increasing numbers, which are compared with x as numbers of its dtype; those
            between two integers, as the lower one.
        values: one more than boundaries; numbers or tensors of one dtype.
        name: of the operation.

    Returns:
        A scalar of the values' dtype, which is one of the values with all its bits.

    Raises:
        InvalidArgumentError: if the counts do not fit or the boundaries do not increase.
    """
    if len(boundaries) != len(values) - 1:
        raise InvalidArgumentError(
            "The length of boundaries should be 1 less than the length of values"
        )
    if not all(a < b for a, b in itertools.pairwise(boundaries)):
        raise InvalidArgumentError(f"boundaries must increase: {list(boundaries)}")
    at = convert(x)
    with at.graph.name_scope(name or "PiecewiseConstant") as scope:
        result, *others = _of_one_dtype(values)
        for boundary, value in zip(boundaries, others, strict=True):
            result = arithmetic.where(_passed(at, boundary), value, result)
        return identity(result, name=scope)


def _of_one_dtype(values: Sequence[Any]) -> list[Tensor]:
    given = [convert(v) for v in values if hasattr(v, "op")]  # tensors and variables
    kind = given[0].dtype if given else as_dtype(to_array(list(values)).dtype)
    return [convert(value, hint=kind) for value in values]


def _passed(at: Tensor, boundary: float) -> Tensor:
    """Whether x is above a boundary, without a step more or less because of rounding."""
    if not at.dtype.is_integer:
        return at > boundary
    low, high = int(at.dtype.min), int(at.dtype.max)
    if boundary < low:
        return arithmetic.greater_equal(at, low)
    last = high if boundary >= high else math.floor(boundary)
    return at > np.array(last, at.dtype.numpy)
