"""Powers and roots."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import DTypeError
from thalweg.graph import Operation, Tensor
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import constant_value, convert_pair, emit, scope
from thalweg.ops.elementwise.arithmetic import Mul, Square
from thalweg.ops.elementwise.broadcasting import broadcast_together, unary
from thalweg.ops.elementwise.comparison import Equal, equal
from thalweg.ops.elementwise.division import Div, Reciprocal
from thalweg.ops.elementwise.exponential import Log
from thalweg.ops.elementwise.pointwise import POSITIVE, Binary, Elementary, Grads
from thalweg.ops.elementwise.selection import Select, where

__all__ = ["pow", "rsqrt", "sqrt"]


class Sqrt(Elementary):
    """The square root."""

    type: ClassVar[str] = "Sqrt"
    function: ClassVar[str] = "sqrt"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Div.of(dy * 0.5, node.outputs[0])]


class Rsqrt(Elementary):
    """`1 / sqrt(x)`."""

    type: ClassVar[str] = "Rsqrt"
    function: ClassVar[str] = "rsqrt"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Div.of(node.outputs[0] * -0.5, node.inputs[0]))]


class Pow(Binary):
    """x to the power y. For floating-point numbers; integers go through repeated products."""

    type: ClassVar[str] = "Pow"
    function: ClassVar[str] = "pow"
    left: ClassVar[np.ndarray[Any, Any]] = POSITIVE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        # x to the power of 0 is flat: for y = 0 any exponent will do that is finite at x = 0, so
        # that y times the power is 0, and likewise in derivatives of this.
        less = Select.of(Equal.of(y, y * 0), y * 0, y - 1)
        by_x = Mul.of(dy, Mul.of(y, Pow.of(x, less)))
        # The derivative by the exponent is taken as 0 where the base is not positive.
        positive = x > 0
        log = Log.of(Select.of(positive, x, x * 0 + 1))
        return [by_x, Mul.of(dy, Mul.of(node.outputs[0], log))]


def sqrt(x: Any, name: str | None = None) -> Tensor:
    """The square root."""
    return unary(Sqrt(), x, name)


def rsqrt(x: Any, name: str | None = None) -> Tensor:
    """`1 / sqrt(x)`."""
    return unary(Rsqrt(), x, name)


def pow(x: Any, y: Any, name: str | None = None) -> Tensor:
    """X to the power y.

    A constant exponent that is a small whole number or a half becomes products and roots, which are
    the same at infinities, NaN and zeros of both signs. Integers need such an exponent, and a
    non-negative one.

    Raises:
        DTypeError: for integers to the power of a tensor, or of a negative number.
    """
    with scope(name, "Pow", x, y) as full:
        a, b = convert_pair(x, y, "pow")
        exponent = _scalar(b)
        if exponent is not None and (
            a.dtype.is_integer or exponent in _ROOTS or _is_small(exponent)
        ):
            return _constant_power(a, exponent, full)
        return emit(Pow(), *broadcast_together((a, b)), name=full)


def _scalar(tensor: Tensor) -> float | None:
    value = constant_value(tensor)
    return value.item() if value is not None and value.shape == () else None


def _is_small(exponent: float) -> bool:
    return -16 <= exponent <= 16 and exponent == int(exponent)


_ROOTS: dict[float, type[Elementary]] = {0.5: Sqrt, -0.5: Rsqrt}


def _constant_power(x: Tensor, exponent: float, name: str) -> Tensor:
    if exponent in _ROOTS:
        return _ROOTS[exponent].of(_radicand(x), name=name)
    count = int(exponent)
    if count == 0:
        return ones_like(x, name=name)
    if count == 1:
        return identity(x, name=name)
    if count > 0:
        return _product(x, count, name)
    if x.dtype.is_integer:
        raise DTypeError(f"pow: {x.dtype} cannot be raised to the negative power {count}")
    # A power of the reciprocal: between it and its derivatives nothing is larger or smaller.
    if count == -1:
        return Reciprocal.of(x, name=name)
    return _product(Reciprocal.of(x), -count, name)


def _radicand(x: Tensor) -> Tensor:
    """What x to the power of 1/2 is the square root of, as C's `pow` takes 0 for -0 and so on."""
    return where(equal(x, -float("inf")), float("inf"), x) + 0.0


def _product(x: Tensor, count: int, name: str | None = None) -> Tensor:
    """X times itself, by repeated squares."""
    if count == 1:
        return x
    if count % 2 == 0:
        return Square.of(_product(x, count // 2), name=name)
    return Mul.of(_product(x, count - 1), x, name=name)
