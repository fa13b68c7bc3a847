"""Trigonometric functions."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Neg
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.pointwise import Elementary, Grads

__all__ = ["cos", "sin"]


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


def sin(x: Any, name: str | None = None) -> Tensor:
    """The sine, in radians."""
    return unary(Sin(), x, name)


def cos(x: Any, name: str | None = None) -> Tensor:
    """The cosine, in radians."""
    return unary(Cos(), x, name)
