"""Rounding to whole numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg.formula.functions import FLOATING
from thalweg.graph import Operation, Tensor
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.pointwise import Grads, Unary

__all__ = ["ceil", "floor", "rint", "round"]


class Rounding(Unary):
    """Functions that are flat almost everywhere: no gradient flows through them."""

    kind: ClassVar[str] = FLOATING

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]


class Floor(Rounding):
    """The largest integer not above x."""

    type: ClassVar[str] = "Floor"
    function: ClassVar[str] = "floor"


class Ceil(Rounding):
    """The smallest integer not below x."""

    type: ClassVar[str] = "Ceil"
    function: ClassVar[str] = "ceil"


class Round(Rounding):
    """The nearest integer, halves to even."""

    type: ClassVar[str] = "Round"
    function: ClassVar[str] = "round"


def floor(x: Any, name: str | None = None) -> Tensor:
    """The largest integer not above x."""
    return unary(Floor(), x, name)


def ceil(x: Any, name: str | None = None) -> Tensor:
    """The smallest integer not below x."""
    return unary(Ceil(), x, name)


def round(x: Any, name: str | None = None) -> Tensor:
    """The nearest integer, halves to even."""
    tensor = convert(x)
    if tensor.dtype.is_integer:
        return identity(tensor, name=name)
    return emit(Round(), tensor, name=name)


def rint(x: Any, name: str | None = None) -> Tensor:
    """The nearest integer of a floating-point number, halves to even."""
    return unary(Round(), x, name)
