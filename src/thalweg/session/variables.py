"""The variables of a session: which have a value, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.backends.state import Variables

Array = np.ndarray[Any, Any]


class SessionVariables:
    """Variables by name, in a store of the backend that runs the programs.

    Args:
        make: makes the store, when it is first needed.

    Attributes:
        initialised: the variables that have been given a value.
    """

    def __init__(self, make: Callable[[], Variables]) -> None:
        self.initialised: set[str] = set()
        self._make = make
        self._store: Variables | None = None

    @property
    def store(self) -> Variables:
        """The backend's own store, which its programs are made for."""
        if self._store is None:
            self._store = self._make()
        return self._store

    def allocate(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Have memory for a variable, filled with zeros if it is new."""
        self.store.allocate(name, shape, dtype)

    def get(self, name: str) -> Array:
        """The value of a variable that has memory. It may be that memory, so nobody changes it."""
        return self.store.get(name)

    def set(self, name: str, value: Array) -> None:
        """Give a variable that has memory a value of its shape and dtype."""
        self.store.set(name, value)

    def clear(self) -> None:
        """Forget everything."""
        self.initialised.clear()
        if self._store is not None:
            self._store.clear()
