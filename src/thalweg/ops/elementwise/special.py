"""Special functions of mathematics."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Neg, Square
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.exponential import Exp
from thalweg.ops.elementwise.pointwise import MIXED, OTHER, POSITIVE, Elementary, Grads

__all__ = ["digamma", "erf", "erfc", "lgamma"]


class Erf(Elementary):
    """The error function. Source of the reference values: `math.erf`."""

    type: ClassVar[str] = "Erf"
    function: ClassVar[str] = "erf"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, _bell(node.inputs[0]))]


class Erfc(Elementary):
    """`1 - erf(x)`, accurate where that is small."""

    type: ClassVar[str] = "Erfc"
    function: ClassVar[str] = "erfc"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(MIXED, 3)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, _bell(node.inputs[0])))]


def _bell(x: Tensor) -> Tensor:
    """The derivative of the error function."""
    return Exp.of(Neg.of(Square.of(x))) * 1.1283791670955126  # 2 / sqrt(pi)


class Lgamma(Elementary):
    """The logarithm of the absolute value of the gamma function."""

    type: ClassVar[str] = "Lgamma"
    function: ClassVar[str] = "lgamma"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE + np.float32(2.5)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Digamma.of(node.inputs[0]))]


class Digamma(Elementary):
    """The derivative of the logarithm of the gamma function."""

    type: ClassVar[str] = "Digamma"
    function: ClassVar[str] = "digamma"
    domain: ClassVar[np.ndarray[Any, Any]] = OTHER

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Trigamma.of(node.inputs[0]))]


class Trigamma(Elementary):
    """The derivative of digamma, for its gradient; there is no further one."""

    type: ClassVar[str] = "Trigamma"
    function: ClassVar[str] = "trigamma"
    domain: ClassVar[np.ndarray[Any, Any]] = OTHER
    differentiable: ClassVar[bool] = False


def erf(x: Any, name: str | None = None) -> Tensor:
    """The error function."""
    return unary(Erf(), x, name)


def erfc(x: Any, name: str | None = None) -> Tensor:
    """`1 - erf(x)`, accurate where that is small."""
    return unary(Erfc(), x, name)


def lgamma(x: Any, name: str | None = None) -> Tensor:
    """The logarithm of the absolute value of the gamma function; infinity at its poles."""
    return unary(Lgamma(), x, name)


def digamma(x: Any, name: str | None = None) -> Tensor:
    """The derivative of `lgamma`: NaN at the negative integers, an infinity at 0.

    It has a first derivative, but no second one.
    """
    return unary(Digamma(), x, name)
