"""Hyperbolic functions."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Square
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.pointwise import Elementary, Grads

__all__ = ["tanh"]


class Tanh(Elementary):
    """The hyperbolic tangent."""

    type: ClassVar[str] = "Tanh"
    function: ClassVar[str] = "tanh"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, 1 - Square.of(node.outputs[0]))]


def tanh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic tangent."""
    return unary(Tanh(), x, name)
