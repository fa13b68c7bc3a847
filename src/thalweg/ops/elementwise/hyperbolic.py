"""Hyperbolic functions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Square
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.division import Div
from thalweg.ops.elementwise.pointwise import MIXED, POSITIVE, WITHIN_ONE, Elementary, Grads
from thalweg.ops.elementwise.power import Rsqrt

__all__ = ["acosh", "asinh", "atanh", "cosh", "sinh", "tanh"]


class Tanh(Elementary):
    """The hyperbolic tangent."""

    type: ClassVar[str] = "Tanh"
    function: ClassVar[str] = "tanh"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, 1 - Square.of(node.outputs[0]))]


class Sinh(Elementary):
    """The hyperbolic sine."""

    type: ClassVar[str] = "Sinh"
    function: ClassVar[str] = "sinh"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(MIXED, 3)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Cosh.of(node.inputs[0]))]


class Cosh(Elementary):
    """The hyperbolic cosine."""

    type: ClassVar[str] = "Cosh"
    function: ClassVar[str] = "cosh"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(MIXED, 3)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sinh.of(node.inputs[0]))]


class Asinh(Elementary):
    """The inverse hyperbolic sine."""

    type: ClassVar[str] = "Asinh"
    function: ClassVar[str] = "asinh"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Rsqrt.of(Square.of(node.inputs[0]) + 1))]


class Acosh(Elementary):
    """The inverse hyperbolic cosine."""

    type: ClassVar[str] = "Acosh"
    function: ClassVar[str] = "acosh"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE + 1

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x = node.inputs[0]
        return [Mul.of(dy, Mul.of(Rsqrt.of(x - 1), Rsqrt.of(x + 1)))]


class Atanh(Elementary):
    """The inverse hyperbolic tangent."""

    type: ClassVar[str] = "Atanh"
    function: ClassVar[str] = "atanh"
    domain: ClassVar[np.ndarray[Any, Any]] = WITHIN_ONE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x = node.inputs[0]
        return [Div.of(dy, Mul.of(1 - x, x + 1))]


def tanh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic tangent."""
    return unary(Tanh(), x, name)


def sinh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic sine."""
    return unary(Sinh(), x, name)


def cosh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic cosine."""
    return unary(Cosh(), x, name)


def asinh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic sine."""
    return unary(Asinh(), x, name)


def acosh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic cosine; NaN below 1."""
    return unary(Acosh(), x, name)


def atanh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic tangent; NaN outside of [-1, 1]."""
    return unary(Atanh(), x, name)
