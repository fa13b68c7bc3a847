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


def scatter_last(xp: Any, count: int, place: Any, values: Any) -> Any:
    """So many zeros with increasing values at places; of those at one place the last stays."""
    zeros = xp.zeros((count,), values.dtype)
    if hasattr(zeros, "at"):
        return zeros.at[place].max(values)
    zeros[place] = values
    return zeros


def replace_rows(xp: Any, table: Any, rows: Any, values: Any) -> Any:
    """The table with other rows; of those with one number the last stays."""
    if hasattr(table, "at"):
        return table.at[rows].set(values)
    made = table.copy()
    made[rows] = values
    return made


def combine_rows(xp: Any, combiner: str, table: Any, rows: Any, values: Any) -> Any:
    """The table whose rows are combined with values, in their order.

    Args:
        xp: the array module.
        combiner: "add", "subtract", "multiply", "divide", "minimum" or "maximum".
        table: what to change a copy of.
        rows: the numbers of the rows.
        values: for each number a row.
    """
    if hasattr(table, "at"):
        names = {"minimum": "min", "maximum": "max"}
        return getattr(table.at[rows], names.get(combiner, combiner))(values)
    made = table.copy()
    getattr(xp, combiner).at(made, rows, values)
    return made
