"""Sums of gradients, of which some are slices."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.base import dtypes
from thalweg.graph import Tensor
from thalweg.graph.indexed_slices import Gradient, IndexedSlices
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.indexed_slices import densified
from thalweg.ops.arrays.join import concat
from thalweg.ops.elementwise.arithmetic import add_n
from thalweg.ops.elementwise.conversion import cast


def total(parts: Sequence[Gradient]) -> Gradient:
    """The sum of the gradients of one tensor; it is slices if all of them are."""
    if len(parts) == 1:
        return parts[0]
    slices = [part for part in parts if isinstance(part, IndexedSlices)]
    if len(slices) < len(parts):
        return add_n(list(map(dense, parts)))
    kind = max((s.indices.dtype for s in slices), key=lambda dtype: dtype.size)
    together = IndexedSlices(
        concat([s.values for s in slices], 0),
        concat([cast(s.indices, kind) for s in slices], 0),
        next((s.dense_shape for s in slices if s.dense_shape is not None), None),
    )
    together = together.of_part(any(s.is_part for s in slices))
    if all(s.used is None for s in slices):
        return together
    return together.where_used(concat([_used(s) for s in slices], 0))


def _used(slices: IndexedSlices) -> Tensor:
    return ones_like(slices.indices, dtypes.bool_) if slices.used is None else slices.used


def dense(gradient: Gradient) -> Tensor:
    """A gradient as a tensor, which is as large as the one that it belongs to."""
    return densified(gradient) if isinstance(gradient, IndexedSlices) else gradient
