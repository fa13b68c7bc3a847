"""Strings as elements of arrays: objects of Python's `bytes`, as TensorFlow 1 has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.base.errors import DTypeError

Array = np.ndarray[Any, Any]


def is_text(array: Array) -> bool:
    """Whether the elements are strings."""
    if array.dtype.kind == "O":
        return array.size > 0 and all(isinstance(item, str | bytes) for item in array.flat)
    return array.dtype.kind in "US"


def text_array(value: Any) -> Array:
    """An array of its own for a string, or an array or nested list of strings.

    Raises:
        DTypeError: if it is made of anything else.
    """
    given = np.asarray(value, dtype=object)
    made = np.empty(given.shape, object)
    for place, item in np.ndenumerate(given):
        made[place] = _encoded(item)
    return made


def _encoded(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if not isinstance(item, bytes):
        raise DTypeError(f"{item!r} is not a string")
    return bytes(item)  # a plain one, of NumPy's own too
