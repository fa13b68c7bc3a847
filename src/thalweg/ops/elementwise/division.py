"""Division, with and without rounding, and its remainder."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.formula import Lowered, Operand, apply, pointwise
from thalweg.graph import Operation, Tensor
from thalweg.ops.build import convert_pair, emit, scope
from thalweg.ops.elementwise.arithmetic import Mul, Neg, Square
from thalweg.ops.elementwise.broadcasting import binary, broadcast_together, unary
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.pointwise import MIXED, Binary, Elementary, Flat, Grads

__all__ = ["div", "divide", "floordiv", "floormod", "mod", "reciprocal", "truediv"]


class Div(Binary):
    """`x / y` of floating-point numbers."""

    type: ClassVar[str] = "RealDiv"
    function: ClassVar[str] = "div"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.inputs[1]
        return [Div.of(dy, y), Neg.of(Mul.of(dy, Div.of(node.outputs[0], y)))]


class FloorDiv(Flat):
    """`floor(x / y)`; integer division by zero gives 0."""

    type: ClassVar[str] = "FloorDiv"
    function: ClassVar[str] = "floordiv"


class FloorMod(Binary):
    """`x - floor(x / y) * y`, Python's `%`; integer modulo by zero gives 0."""

    type: ClassVar[str] = "FloorMod"
    function: ClassVar[str] = "floormod"
    left: ClassVar[np.ndarray[Any, Any]] = MIXED + np.float32(0.137)  # away from the jumps

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        return [dy, Neg.of(Mul.of(dy, FloorDiv.of(x, y)))]


class Reciprocal(Elementary):
    """`1 / x`."""

    type: ClassVar[str] = "Reciprocal"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.reciprocal(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("div", 1, x), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, Square.of(node.outputs[0])))]


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x / y`; integers are converted to floating point first, as Python does."""
    return truediv(x, y, name or "truediv")


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x / y`; integers are converted first: to float32 up to 16 bits, to float64 above."""
    with scope(name, "truediv", x, y) as full:
        a, b = convert_pair(x, y, "truediv")
        if a.dtype.is_integer:
            kind = dtypes.float32 if a.dtype.size <= 2 else dtypes.float64
            a, b = cast(a, kind), cast(b, kind)
        return emit(Div(), *broadcast_together((a, b)), name=full)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Python 2's division: `floor(x / y)` of integers, `x / y` of floating-point numbers."""
    with scope(name, "div", x, y) as full:
        a, b = convert_pair(x, y, "div")
        record = FloorDiv() if a.dtype.is_integer else Div()
        return emit(record, *broadcast_together((a, b)), name=full)


def floordiv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`floor(x / y)`, Python's `x // y`."""
    return binary(FloorDiv(), x, y, name, "floordiv")


def mod(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x - floor(x / y) * y`, Python's `x % y`."""
    return binary(FloorMod(), x, y, name, "FloorMod")


def floormod(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The same as `mod`."""
    return mod(x, y, name)


def reciprocal(x: Any, name: str | None = None) -> Tensor:
    """`1 / x`."""
    return unary(Reciprocal(), x, name)
