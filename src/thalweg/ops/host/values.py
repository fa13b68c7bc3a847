"""A few elements of an array as a text, as TensorFlow 1 prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def summary(array: Array, count: int | None = None) -> str:
    """The first elements of an array in brackets, `[[1 2][3...]...]`.

    Args:
        array: of any shape.
        count: how many elements; 3 by default, all if negative.
    """
    limit = array.size if count is not None and count < 0 else 3 if count is None else count
    ending = "..." if array.size > limit else ""
    if array.ndim == 0:
        return f"[{_element(array[()]) if limit else ''}{ending}]"
    return f"[{''.join(_parts(array, limit))}{ending}]"


def _parts(array: Array, left: int) -> Iterator[str]:
    """The elements as text, of which `left` may still be shown."""
    if array.ndim == 1:
        yield " ".join(map(_element, array[:left]))
        return
    for part in array:
        if left <= 0:
            return
        ending = "..." if array.ndim == 2 and part.size > left else ""
        yield f"[{''.join(_parts(part, left))}{ending}]"
        left -= part.size


def _element(value: Any) -> str:
    """TensorFlow's text for an element: numbers in six digits, 0 and 1 for truth values."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return f"{int(value)}" if isinstance(value, np.bool_ | np.integer) else f"{float(value):g}"
