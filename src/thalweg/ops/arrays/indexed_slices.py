"""Slices of a large tensor made into the tensor."""

from __future__ import annotations

import warnings

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import is_known, known, size
from thalweg.base.source import caller
from thalweg.graph import Tensor
from thalweg.graph.indexed_slices import IndexedSlices
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.gather import add_slices

LARGE = 100_000_000  # elements


def densify(slices: IndexedSlices) -> Tensor:
    """The large tensor, zero but for the slices; warns if it is large, or may be.

    Raises:
        InvalidArgumentError: if its shape is not known.
    """
    dense = densified(slices)
    if not is_known(dense.static_shape):
        _warn("a dense tensor of unknown shape")
    return dense


def densified(slices: IndexedSlices) -> Tensor:
    """The same for a tensor as large as one that there is already."""
    if slices.dense_shape is None:
        raise InvalidArgumentError(
            f"{slices.name!r} are slices of a tensor whose shape is not known: dense_shape is None"
        )
    table = zeros(slices.dense_shape, slices.dtype)
    if is_known(table.static_shape) and size(known(table.static_shape)) >= LARGE:
        _warn(f"a dense tensor of {size(known(table.static_shape))} elements")
    return add_slices(slices.values, slices.indices, table, 0)


def _warn(what: str) -> None:
    line = f"\n  at {caller()}"
    warnings.warn(
        f"IndexedSlices are converted to {what}, which may take a large amount of memory{line}",
        stacklevel=2,
    )
