"""Scatters of arrays: the array API has none, and each array module has its own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def scatter(xp: Any, shape: Sequence[int], place: Any, values: Any) -> Any:
    """Zeros of a shape, but for the values at a place (an index, each element of it once)."""
    zeros = xp.zeros(shape, values.dtype)
    if hasattr(zeros, "at"):  # JAX's arrays do not change in place
        return zeros.at[place].set(values)
    zeros[place] = values
    return zeros


def scatter_add(xp: Any, shape: Sequence[int], dtype: Any, place: Any, values: Any) -> Any:
    """Zeros of a shape and dtype with the values added at a place, in the order of the values."""
    zeros = xp.zeros(shape, dtype)
    if hasattr(zeros, "at"):
        return zeros.at[place].add(values)
    xp.add.at(zeros, place, values)
    return zeros
