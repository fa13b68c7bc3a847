"""Exponentials, logarithms, and what is made of these."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.formula import Expr, Lowered, Operand, apply, pointwise
from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Neg
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.division import Div
from thalweg.ops.elementwise.pointwise import MIXED, POSITIVE, Binary, Elementary, Grads

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid"]


class Exp(Elementary):
    """e to the x."""

    type: ClassVar[str] = "Exp"
    function: ClassVar[str] = "exp"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(MIXED, 3)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, node.outputs[0])]


class Expm1(Elementary):
    """`exp(x) - 1`, accurate near 0."""

    type: ClassVar[str] = "Expm1"
    function: ClassVar[str] = "expm1"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(MIXED, 3)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Exp.of(node.inputs[0]))]


class Log(Elementary):
    """The natural logarithm."""

    type: ClassVar[str] = "Log"
    function: ClassVar[str] = "log"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [LogGrad.of(dy, node.inputs[0])]


class LogGrad(Binary):
    """`dy / x`, the gradient of a logarithm: a plan may compute it from what x was made from."""

    type: ClassVar[str] = "LogGrad"
    function: ClassVar[str] = "div"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x = node.inputs[1]
        return [LogGrad.of(dy, x), Neg.of(LogGrad.of(Mul.of(dy, node.outputs[0]), x))]


class Log1p(Elementary):
    """`log(1 + x)`, accurate near 0."""

    type: ClassVar[str] = "Log1p"
    function: ClassVar[str] = "log1p"
    domain: ClassVar[np.ndarray[Any, Any]] = POSITIVE

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Div.of(dy, node.inputs[0] + 1)]


class Sigmoid(Elementary):
    """`1 / (1 + exp(-x))`."""

    type: ClassVar[str] = "Sigmoid"
    function: ClassVar[str] = "sigmoid"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.outputs[0]
        return [Mul.of(dy, Mul.of(y, 1 - y))]


class Softplus(Elementary):
    """`log(1 + exp(x))`, as `max(x, 0) + log1p(exp(-|x|))`, which cannot overflow."""

    type: ClassVar[str] = "Softplus"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.asarray(xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x))), x.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        def formula(x: Expr) -> Expr:
            return apply("max", x, 0) + apply("log1p", apply("exp", -apply("abs", x)))

        return pointwise(formula, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sigmoid.of(node.inputs[0]))]


def exp(x: Any, name: str | None = None) -> Tensor:
    """E to the x."""
    return unary(Exp(), x, name)


def expm1(x: Any, name: str | None = None) -> Tensor:
    """`exp(x) - 1`, accurate near 0."""
    return unary(Expm1(), x, name)


def log(x: Any, name: str | None = None) -> Tensor:
    """The natural logarithm.

    Where x is computed from an exponential, a run computes an equal but stable form of this and of
    its gradients: `log(exp(u))` is u, `log(exp(u) / s)` is `u - log(s)` (so the logarithm of a
    softmax is finite), `log(sigmoid(z))` is `-softplus(-z)` and `log(1 - sigmoid(z))` is
    `-softplus(z)`. Where x itself is fed, it is the logarithm of that.
    """
    return unary(Log(), x, name)


def log1p(x: Any, name: str | None = None) -> Tensor:
    """`log(1 + x)`, accurate near 0."""
    return unary(Log1p(), x, name)


def sigmoid(x: Any, name: str | None = None) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return unary(Sigmoid(), x, name)
