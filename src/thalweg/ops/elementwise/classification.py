"""Questions about a floating-point number: whether it is finite, infinite or NaN."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.formula import Lowered, Operand, apply, pointwise
from thalweg.formula.functions import FLOATING
from thalweg.graph import Operation, Sample, Tensor
from thalweg.ops.build import scope
from thalweg.ops.elementwise.arithmetic import abs
from thalweg.ops.elementwise.broadcasting import unary
from thalweg.ops.elementwise.comparison import equal
from thalweg.ops.elementwise.pointwise import Grads, Unary, numbers

__all__ = ["is_finite", "is_inf", "is_nan"]


class FloatTest(Unary):
    """Questions about a floating-point number."""

    kind: ClassVar[str] = FLOATING
    result: ClassVar[DType | None] = dtypes.bool_

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (numbers(0, 1, np.inf, -np.inf, np.nan),), exact=True)


class IsNan(FloatTest):
    """Whether x is not a number."""

    type: ClassVar[str] = "IsNan"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.isnan(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("ne", x, x), *inputs)


class IsFinite(FloatTest):
    """Whether x is neither infinite nor NaN."""

    type: ClassVar[str] = "IsFinite"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.isfinite(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("eq", x - x, 0), *inputs)


def is_nan(x: Any, name: str | None = None) -> Tensor:
    """Whether x is not a number."""
    return unary(IsNan(), x, name)


def is_finite(x: Any, name: str | None = None) -> Tensor:
    """Whether x is neither infinite nor NaN."""
    return unary(IsFinite(), x, name)


def is_inf(x: Any, name: str | None = None) -> Tensor:
    """Whether x is infinite."""
    with scope(name, "IsInf", x) as full:
        return equal(abs(x), float("inf"), name=full)
