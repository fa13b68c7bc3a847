"""How the arrays of a bucket lie in memory one after the other, and which rank adds which part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base.record import Record

__all__ = ["Layout", "combine"]

Array = np.ndarray[Any, Any]

ALIGNMENT = 64  # bytes between the beginnings of arrays: a cache line
BLOCK = 1 << 15  # elements that are added at a time, so that the sums stay in the cache


class Layout(Record):
    """Places of arrays in memory. Those of one dtype lie together, so that a rank adds one range.

    Attributes:
        shapes: of the arrays.
        dtypes: of the arrays.
        starts: the byte at which each array begins.
        regions: for each dtype, where its arrays begin and end, in bytes.
        size: of the whole, in bytes.
    """

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]
    starts: tuple[int, ...]
    regions: tuple[tuple[np.dtype[Any], int, int], ...]
    size: int

    @staticmethod
    def of(arrays: Sequence[Array]) -> Layout:
        """The layout of some arrays, which is the same for all ranks that have alike ones."""
        starts = [0] * len(arrays)
        regions: list[tuple[np.dtype[Any], int, int]] = []
        at = 0
        for dtype in dict.fromkeys(array.dtype for array in arrays):
            begin = at
            for number, array in enumerate(arrays):
                if array.dtype == dtype:
                    starts[number] = at
                    at += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
            regions.append((dtype, begin, at))
        kinds = tuple(array.dtype for array in arrays)
        return Layout(tuple(a.shape for a in arrays), kinds, tuple(starts), tuple(regions), at)

    def __str__(self) -> str:
        pairs = zip(self.dtypes, self.shapes, strict=True)
        named = [f"{dtype}{list(shape)}" for dtype, shape in pairs]
        return ", ".join(named if len(named) < 9 else [*named[:8], f"and {len(named) - 8} more"])

    def views(self, memory: Array) -> list[Array]:
        """The arrays in some memory: a vector of bytes."""
        made = []
        for shape, dtype, start in zip(self.shapes, self.dtypes, self.starts, strict=True):
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            made.append(memory[start : start + size].view(dtype).reshape(shape))
        return made

    def parts(self, memory: Array, rank: int, size: int) -> list[Array]:
        """The ranges of some memory that a rank adds, one for each dtype."""
        found = []
        for dtype, begin, end in self.regions:
            lines = (end - begin) // ALIGNMENT
            first, last = lines * rank // size, lines * (rank + 1) // size
            part = memory[begin + first * ALIGNMENT : begin + last * ALIGNMENT]
            found.append(part.view(dtype))
        return found


def combine(operands: Sequence[Array], result: Array, average: bool) -> None:
    """The sum or the mean of some vectors, added in their order.

    Half floats are added as float32, and rounded once.

    Args:
        operands: of the same length and dtype.
        result: where it goes; it overlaps none of them.
        average: whether to divide by their number.
    """
    kind = result.dtype
    wide = np.dtype(np.float32) if kind.itemsize == 2 and kind.kind not in "iu" else kind
    for begin in range(0, result.size, BLOCK):
        parts = [operand[begin : begin + BLOCK] for operand in operands]
        block = result[begin : begin + BLOCK]
        if wide is kind:
            total = np.add(parts[0], parts[1], out=block) if len(parts) > 1 else parts[0]
            _finish(total, parts[2:], average and len(parts))
            continue
        total = parts[0].astype(wide)
        _finish(total, [part.astype(wide) for part in parts[1:]], average and len(parts))
        block[:] = total


def _finish(total: Array, others: Sequence[Array], divisor: int) -> None:
    for other in others:
        np.add(total, other, out=total)
    if divisor:
        np.divide(total, divisor, out=total)
