"""Conversion to another dtype within its limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.base.dtypes import DType, as_dtype
from thalweg.graph import Tensor
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.elementwise.conversion import Cast
from thalweg.ops.elementwise.extremes import clipped

__all__ = ["saturate_cast"]


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Convert to a dtype; values outside its range become its limits."""
    x, kind = convert(value), as_dtype(dtype)
    with scope(name, "saturate_cast", x) as full:
        low, high = _limits(x.dtype, kind)
        return emit(Cast(kind), clipped(x, low, high, None), name=full)


def _limits(source: DType, target: DType) -> tuple[Any, Any]:
    """The range of the target, as far as the source can express it."""
    lowest = max(source.min, target.min, key=float)
    highest = min(source.max, target.max, key=float)
    if source.is_floating and float(np.array(highest, source.numpy)) > float(target.max):
        rounded = np.array(highest, source.numpy)
        highest = np.nextafter(rounded, np.array(0, source.numpy))
    kind = source.numpy
    return np.array(lowest, kind), np.array(highest, kind)
