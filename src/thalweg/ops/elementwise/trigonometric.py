"""Trigonometric functions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Add, Mul, Neg, Square
from thalweg.ops.elementwise.broadcasting import binary, unary
from thalweg.ops.elementwise.division import Div
from thalweg.ops.elementwise.pointwise import WITHIN_ONE, Binary, Elementary, Grads
from thalweg.ops.elementwise.power import Rsqrt

__all__ = ["acos", "asin", "atan", "atan2", "cos", "sin", "tan"]


class Sin(Elementary):
    """The sine, in radians."""

    type: ClassVar[str] = "Sin"
    function: ClassVar[str] = "sin"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Cos.of(node.inputs[0]))]


class Cos(Elementary):
    """The cosine, in radians."""

    type: ClassVar[str] = "Cos"
    function: ClassVar[str] = "cos"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, Sin.of(node.inputs[0])))]


class Tan(Elementary):
    """The tangent, in radians."""

    type: ClassVar[str] = "Tan"
    function: ClassVar[str] = "tan"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Square.of(node.outputs[0]) + 1)]


class Asin(Elementary):
    """The inverse sine, in radians."""

    type: ClassVar[str] = "Asin"
    function: ClassVar[str] = "asin"
    domain: ClassVar[np.ndarray[Any, Any]] = WITHIN_ONE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, _slope(node.inputs[0]))]


class Acos(Elementary):
    """The inverse cosine, in radians."""

    type: ClassVar[str] = "Acos"
    function: ClassVar[str] = "acos"
    domain: ClassVar[np.ndarray[Any, Any]] = WITHIN_ONE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, _slope(node.inputs[0])))]


def _slope(x: Tensor) -> Tensor:
    """`1 / sqrt(1 - x^2)`, accurate near 1."""
    return Rsqrt.of(Mul.of(1 - x, x + 1))


class Atan(Elementary):
    """The inverse tangent, in radians."""

    type: ClassVar[str] = "Atan"
    function: ClassVar[str] = "atan"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Div.of(dy, Square.of(node.inputs[0]) + 1)]


class Atan2(Binary):
    """The angle of the point (x, y) in radians, given y first; from -pi to pi."""

    type: ClassVar[str] = "Atan2"
    function: ClassVar[str] = "atan2"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y, x = node.inputs
        each = Div.of(dy, Add.of(Square.of(x), Square.of(y)))
        return [Mul.of(x, each), Neg.of(Mul.of(y, each))]


def sin(x: Any, name: str | None = None) -> Tensor:
    """The sine, in radians."""
    return unary(Sin(), x, name)


def cos(x: Any, name: str | None = None) -> Tensor:
    """The cosine, in radians."""
    return unary(Cos(), x, name)


def tan(x: Any, name: str | None = None) -> Tensor:
    """The tangent, in radians."""
    return unary(Tan(), x, name)


def asin(x: Any, name: str | None = None) -> Tensor:
    """The inverse sine, in radians; NaN outside of [-1, 1]."""
    return unary(Asin(), x, name)


def acos(x: Any, name: str | None = None) -> Tensor:
    """The inverse cosine, in radians; NaN outside of [-1, 1]."""
    return unary(Acos(), x, name)


def atan(x: Any, name: str | None = None) -> Tensor:
    """The inverse tangent, in radians."""
    return unary(Atan(), x, name)


def atan2(y: Any, x: Any, name: str | None = None) -> Tensor:
    """The angle of the point (x, y), in radians from -pi to pi.

    The signs of zeros decide as in C. At the origin the gradient is NaN.
    """
    return binary(Atan2(), y, x, name, "Atan2")
