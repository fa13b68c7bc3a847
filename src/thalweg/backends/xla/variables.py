"""Variables in the memory of a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends.xla.runtime import exact_types, jax

Array = np.ndarray[Any, Any]


class DeviceVariables:
    """The arrays of JAX that variables are, by name; a run that writes one puts another in place.

    Args:
        device: that has them.

    Attributes:
        arrays: what each variable holds.
    """

    def __init__(self, device: Any) -> None:
        self.arrays: dict[str, Any] = {}
        self._device = device

    def allocate(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Have memory for a variable, filled with zeros if it is new."""
        if name not in self.arrays:
            self._put(name, np.zeros([int(extent) for extent in shape], dtype))

    def get(self, name: str) -> Array:
        """The value of a variable, brought to the host."""
        return np.asarray(self.arrays[name])

    def current(self, name: str) -> Any:
        """The array of JAX, which other devices can take; a later run puts another in its place."""
        return self.arrays[name]

    def set(self, name: str, value: Array) -> None:
        """Give a variable a value."""
        self._put(name, np.array(value, self.arrays[name].dtype))

    def clear(self) -> None:
        """Forget everything."""
        self.arrays.clear()

    def _put(self, name: str, value: Array) -> None:
        with exact_types():
            self.arrays[name] = jax.device_put(value, self._device)
