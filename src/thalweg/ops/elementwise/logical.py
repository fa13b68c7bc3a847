"""Functions of truth values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.formula.functions import BOOLEAN
from thalweg.graph import Operation, Sample, Tensor
from thalweg.ops.elementwise.broadcasting import binary, unary
from thalweg.ops.elementwise.pointwise import Flat, Grads, Pointwise

__all__ = ["logical_and", "logical_not", "logical_or", "logical_xor"]


class Logical(Flat):
    """Functions of two truth values."""

    kind: ClassVar[str] = BOOLEAN

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        values = np.array([True, True, False, False]), np.array([True, False, True, False])
        yield Sample(cls(), values, exact=True)


class LogicalAnd(Logical):
    """Both."""

    type: ClassVar[str] = "LogicalAnd"
    function: ClassVar[str] = "and"


class LogicalOr(Logical):
    """At least one."""

    type: ClassVar[str] = "LogicalOr"
    function: ClassVar[str] = "or"


class LogicalXor(Logical):
    """Exactly one."""

    type: ClassVar[str] = "LogicalXor"
    function: ClassVar[str] = "ne"


class LogicalNot(Pointwise):
    """Not x."""

    type: ClassVar[str] = "LogicalNot"
    function: ClassVar[str] = "not"
    kind: ClassVar[str] = BOOLEAN

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([True, False]),), exact=True)


def logical_and(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether both are true."""
    return binary(LogicalAnd(), x, y, name, "LogicalAnd")


def logical_or(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether at least one is true."""
    return binary(LogicalOr(), x, y, name, "LogicalOr")


def logical_xor(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether exactly one is true."""
    return binary(LogicalXor(), x, y, name, "LogicalXor")


def logical_not(x: Any, name: str | None = None) -> Tensor:
    """Whether x is false."""
    return unary(LogicalNot(), x, name)
