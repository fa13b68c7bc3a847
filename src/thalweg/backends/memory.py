"""The memory that native code sees: all of it but what the caller feeds is made by these functions.

They are looked up here at every call, so that a test can put others in their place, such as ones
that make arrays which end where memory ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

# Contiguous arrays, as NumPy makes them: results, and words that native code reads.
empty = np.empty
zeros = np.zeros
array = np.array


def aligned_empty(
    shape: Sequence[int], dtype: np.dtype[Any], alignment: int = ALIGNMENT
) -> np.ndarray[Any, Any]:
    """An uninitialised contiguous array that starts at a multiple of `alignment` bytes."""
    return _aligned(np.empty, shape, dtype, alignment)


def aligned_zeros(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The same filled with zeros; memory is taken only where something is written."""
    return _aligned(np.zeros, shape, dtype, ALIGNMENT)


def _aligned(
    allocate: Callable[[int, type], np.ndarray[Any, Any]],
    shape: Sequence[int],
    dtype: np.dtype[Any],
    alignment: int,
) -> np.ndarray[Any, Any]:
    extents = tuple(int(extent) for extent in shape)
    size = int(np.prod(extents, dtype=np.int64)) * dtype.itemsize
    raw = allocate(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(dtype).reshape(extents)
