"""The memory of a session's variables."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_HEADER_BYTES = object.__basicsize__
_pointer_at = ctypes.c_void_p.from_address
ALIGNMENT = 64  # bytes: a cache line, and the widest vector


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


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where the array's elements are: `array.ctypes.data`, in a tenth of its microsecond.

    NumPy's binary interface puts the pointer first in an array object, after Python's header.
    """
    return _pointer_at(id(array) + _HEADER_BYTES).value or 0


class VariableStore:
    """Buffers by variable name. A buffer, once allocated, stays where it is.

    Attributes:
        buffers: what each variable holds.
        initialised: the variables that have been given a value.
    """

    def __init__(self) -> None:
        self.buffers: dict[str, np.ndarray[Any, Any]] = {}
        self.initialised: set[str] = set()

    def allocate(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """The buffer of a variable, filled with zeros if it is new."""
        if name not in self.buffers:
            self.buffers[name] = aligned_zeros(shape, dtype)
        return self.buffers[name]

    def clear(self) -> None:
        """Forget everything."""
        self.buffers.clear()
        self.initialised.clear()
