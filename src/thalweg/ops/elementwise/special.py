"""Special functions of mathematics."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg.graph import Operation, Tensor
from thalweg.ops.elementwise.arithmetic import Mul, Neg, Square
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.exponential import Exp
from thalweg.ops.elementwise.pointwise import Elementary, Grads

__all__ = ["erf"]


class Erf(Elementary):
    """The error function. Source of the reference values: `math.erf`."""

    type: ClassVar[str] = "Erf"
    function: ClassVar[str] = "erf"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        slope = Exp.of(Neg.of(Square.of(node.inputs[0]))) * 1.1283791670955126  # 2 / sqrt(pi)
        return [Mul.of(dy, slope)]


def erf(x: Any, name: str | None = None) -> Tensor:
    """The error function."""
    return unary(Erf(), x, name)
