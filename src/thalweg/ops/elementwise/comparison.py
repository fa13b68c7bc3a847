"""Comparisons: truth values, through which no gradient flows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.graph import Sample, Tensor
from thalweg.ops.elementwise.broadcasting import binary
from thalweg.ops.elementwise.pointwise import MIXED, OTHER, Flat

__all__ = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]


class Comparison(Flat):
    """Comparisons give bool and no gradient."""

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        other = np.where(MIXED > 0, MIXED, OTHER)
        yield Sample(cls(), (MIXED, other), exact=True)


class Equal(Comparison):
    """`x == y`."""

    type: ClassVar[str] = "Equal"
    takes_strings: ClassVar[bool] = True
    function: ClassVar[str] = "eq"


class NotEqual(Comparison):
    """`x != y`."""

    type: ClassVar[str] = "NotEqual"
    takes_strings: ClassVar[bool] = True
    function: ClassVar[str] = "ne"


class Less(Comparison):
    """`x < y`."""

    type: ClassVar[str] = "Less"
    function: ClassVar[str] = "lt"


class LessEqual(Comparison):
    """`x <= y`."""

    type: ClassVar[str] = "LessEqual"
    function: ClassVar[str] = "le"


class Greater(Comparison):
    """`x > y`."""

    type: ClassVar[str] = "Greater"
    function: ClassVar[str] = "gt"


class GreaterEqual(Comparison):
    """`x >= y`."""

    type: ClassVar[str] = "GreaterEqual"
    function: ClassVar[str] = "ge"


def equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x == y`."""
    return binary(Equal(), x, y, name, "Equal")


def not_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x != y`."""
    return binary(NotEqual(), x, y, name, "NotEqual")


def less(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x < y`."""
    return binary(Less(), x, y, name, "Less")


def less_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x <= y`."""
    return binary(LessEqual(), x, y, name, "LessEqual")


def greater(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x > y`."""
    return binary(Greater(), x, y, name, "Greater")


def greater_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x >= y`."""
    return binary(GreaterEqual(), x, y, name, "GreaterEqual")
