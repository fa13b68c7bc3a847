"""What a loop collects if its iterations make values of different shapes.

No tensor has such a value, but another loop can take it again element by element, as the gradient
of the loop does with its tape. It is an array of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import OpError
from thalweg.base.shapes import show
from thalweg.graph import Tensor, failed


def stacked(parts: Sequence[Any], xp: Any) -> Any:
    """The values of all iterations along a new first axis."""
    if len({part.shape for part in parts}) == 1 and not any(map(_holds_arrays, parts)):
        return xp.stack(parts)
    made = np.empty(len(parts), object)
    for number, part in enumerate(parts):
        made[number] = part
    return made


def element_of(sequence: Any, number: int) -> Any:
    """What an iteration takes of a sequence."""
    one = sequence[number, ...]  # an array, of strings too
    return one.item() if _holds_arrays(sequence) else one


def is_ragged(tensor: Tensor, value: Any) -> bool:
    """Whether a tensor's value is an array of arrays."""
    return isinstance(value, np.ndarray) and value.dtype.hasobject and not tensor.dtype.is_string


def regular(tensor: Tensor, value: Any) -> Any:
    """The value of a tensor that something takes as a whole.

    Raises:
        OpError: if it is ragged.
    """
    if is_ragged(tensor, value):
        raise irregular(tensor, value)
    return value


def irregular(tensor: Tensor, value: Any) -> OpError:
    """The error for a ragged value that something takes as a whole."""
    found = list(dict.fromkeys(show(part.shape) for part in value))
    return failed(
        tensor.op,
        f"its iterations make values of different shapes, {found[0]} and {found[1]}, which cannot "
        "be put together",
    )


def _holds_arrays(array: Any) -> bool:
    return array.dtype.hasobject and array.size > 0 and isinstance(array.flat[0], np.ndarray)
