"""The variables of a session: which have a value, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.backends.state import Variables

Array = np.ndarray[Any, Any]


class SessionVariables:
    """Variables by name, each in a store of the device that it is on.

    Args:
        device_of: finds the device of a variable by its name.
        make: makes the store of a device, when it is first needed.

    Attributes:
        initialised: the variables that have been given a value.
    """

    def __init__(self, device_of: Callable[[str], str], make: Callable[[str], Variables]) -> None:
        self.initialised: set[str] = set()
        self._device_of, self._make = device_of, make
        self._stores: dict[str, Variables] = {}
        self._store_of: dict[str, Variables] = {}

    def on(self, device: str) -> Variables:
        """The store of a device, which the programs of its backend are made for."""
        if device not in self._stores:
            self._stores[device] = self._make(device)
        return self._stores[device]

    def allocate(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Have memory for a variable, filled with zeros if it is new."""
        self._of(name).allocate(name, shape, dtype)

    def get(self, name: str) -> Array:
        """The value of a variable that has memory. It may be that memory, so nobody changes it."""
        return self._of(name).get(name)

    def current(self, name: str) -> Any:
        """The present value, as programs of other devices can take it."""
        return self._of(name).current(name)

    def set(self, name: str, value: Array) -> None:
        """Give a variable that has memory a value of its shape and dtype."""
        self._of(name).set(name, value)

    def clear(self) -> None:
        """Forget everything."""
        self.initialised.clear()
        for store in self._stores.values():
            store.clear()

    def _of(self, name: str) -> Variables:
        """The store that has a variable."""
        store = self._store_of.get(name)
        if store is None:
            store = self._store_of[name] = self.on(self._device_of(name))
        return store
