"""The variables of a session: what keeps their values, and the memory that native code uses."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from thalweg.backends import memory
from thalweg.backends.memory import ALIGNMENT, aligned_empty

__all__ = ["ALIGNMENT", "VariableStore", "Variables", "address_of", "aligned_empty"]

_HEADER_BYTES = object.__basicsize__
_pointer_at = ctypes.c_void_p.from_address


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where the array's elements are: `array.ctypes.data`, in a tenth of its microsecond.

    NumPy's binary interface puts the pointer first in an array object, after Python's header.
    """
    return _pointer_at(id(array) + _HEADER_BYTES).value or 0


class Variables(Protocol):
    """The values of variables by name, wherever a backend keeps them."""

    def allocate(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> object:
        """Have memory for a variable, filled with zeros if it is new."""
        ...

    def get(self, name: str) -> np.ndarray[Any, Any]:
        """The value of a variable that has memory. It may be that memory, so nobody changes it."""
        ...

    def current(self, name: str) -> Any:
        """The present value as programs of other devices can take it.

        It is an array of NumPy's, or one that a `DeviceProgram` takes. It is valid until a run
        writes the variable.
        """
        ...

    def set(self, name: str, value: np.ndarray[Any, Any]) -> None:
        """Give a variable that has memory a value of its shape and dtype."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class VariableStore:
    """Buffers by variable name. A buffer, once allocated, stays where it is.

    Attributes:
        buffers: what each variable holds.
    """

    def __init__(self) -> None:
        self.buffers: dict[str, np.ndarray[Any, Any]] = {}

    def allocate(
        self, name: str, shape: Sequence[int], dtype: np.dtype[Any]
    ) -> np.ndarray[Any, Any]:
        """The buffer of a variable, filled with zeros if it is new."""
        if name not in self.buffers:
            self.buffers.setdefault(name, memory.aligned_zeros(shape, dtype))
        return self.buffers[name]

    def get(self, name: str) -> np.ndarray[Any, Any]:
        """The buffer of a variable."""
        return self.buffers[name]

    def current(self, name: str) -> np.ndarray[Any, Any]:
        """The buffer of a variable."""
        return self.buffers[name]

    def set(self, name: str, value: np.ndarray[Any, Any]) -> None:
        """Fill a variable's buffer."""
        np.copyto(self.buffers[name], value)

    def clear(self) -> None:
        """Forget everything."""
        self.buffers.clear()
