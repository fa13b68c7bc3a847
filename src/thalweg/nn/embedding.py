"""Rows of tables, by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.gather import GatherOwned, gather
from thalweg.ops.arrays.reshape import expand_dims
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.arithmetic import add_n
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.reduction import reduce


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """The rows with the given numbers of a table, which may be cut into several.

    Args:
        params: the table, `[rows, ...]`, or a list of the tables it is cut into.
        ids: row numbers, int32 or int64, of any shape.
        partition_strategy: how a table is cut into n: "mod", row r is row `r // n` of table
            `r % n`; or "div", consecutive rows.
        name: of the scope.
        validate_indices: of no effect, as in TensorFlow: row numbers are always checked.
        max_norm: if given, rows of a larger Euclidean norm are scaled down to it.

    Returns:
        `[*ids.shape, ...]`.

    Raises:
        InvalidArgumentError: if there is no such strategy, or no table; in a run, if there is no
            such row.
        ShapeError: if the rank of one of several tables, or for "div" the number of its rows, is
            not known.
    """
    tables = [convert(p) for p in (params if isinstance(params, list | tuple) else [params])]
    if not tables:
        raise InvalidArgumentError("embedding_lookup: give at least one table")
    if partition_strategy not in ("mod", "div"):
        raise InvalidArgumentError(
            f"embedding_lookup: partition_strategy must be 'mod' or 'div', not "
            f"{partition_strategy!r}"
        )
    rows = convert(ids)
    with tables[0].graph.name_scope(name or "embedding_lookup"):
        found = _found(tables, rows, partition_strategy)
        return found if max_norm is None else _clipped(found, rows, max_norm)


def _found(tables: Sequence[Tensor], rows: Tensor, strategy: str) -> Tensor:
    """Every table is asked for its own rows, and for its first in place of the others'."""
    if len(tables) == 1:
        return gather(tables[0], rows)
    places = (_by_remainder if strategy == "mod" else _by_range)(tables, rows)
    result: Tensor | None = None
    for table, (mine, row) in zip(tables, places, strict=True):
        found = emit(GatherOwned(), table, arithmetic.where(mine, row, zeros_like(row)), mine)
        chosen = _for_rows(mine, table)
        result = found if result is None else arithmetic.where(chosen, found, result)
    assert result is not None
    return result


Place = tuple[Tensor, Tensor]  # whether a row is in a table, and its number there


def _by_remainder(tables: Sequence[Tensor], rows: Tensor) -> list[Place]:
    count = len(tables)
    table, row = arithmetic.mod(rows, count), arithmetic.floordiv(rows, count)
    return [(arithmetic.equal(table, n), row) for n in range(count)]


def _by_range(tables: Sequence[Tensor], rows: Tensor) -> list[Place]:
    """Rows before the first are sought in the first table, those after the last in the last."""
    starts = [0]
    for table in tables[:-1]:
        starts.append(starts[-1] + _row_count(table))
    passed = [cast(rows >= start, rows.dtype) for start in starts[1:]]
    owner = add_n(passed)
    return [(arithmetic.equal(owner, n), rows - start) for n, start in enumerate(starts)]


def _row_count(table: Tensor) -> int:
    extents = table.static_shape
    if not extents or extents[0] is None:
        raise ShapeError(
            "embedding_lookup: 'div' needs to know how many rows a table has; "
            f"{table.name!r} is {show(extents)}"
        )
    return extents[0]


def _for_rows(mine: Tensor, table: Tensor) -> Tensor:
    """A choice of rows in a shape that broadcasts with them."""
    if table.static_shape is None:
        raise ShapeError("embedding_lookup: the ranks of several tables must be known")
    for _ in table.static_shape[1:]:
        mine = expand_dims(mine, -1)
    return mine


def _clipped(found: Tensor, rows: Tensor, max_norm: float) -> Tensor:
    if found.static_shape is None or rows.static_shape is None:
        raise ShapeError("embedding_lookup: max_norm needs tensors of known rank")
    axes = list(range(len(rows.static_shape), len(found.static_shape)))
    squares = reduce.reduce_sum(arithmetic.square(found), axis=axes, keepdims=True)
    return found * (arithmetic.rsqrt(arithmetic.maximum(squares, max_norm**2)) * max_norm)
