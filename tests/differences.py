"""Derivatives of NumPy functions by central differences, to compare gradients with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

STEP = 1e-5  # the differences' own error is about STEP**2 by curvature and 1e-16 / STEP by rounding


def differences(function: Callable[..., Any], arrays: Sequence[Array], number: int) -> Array:
    """The derivative of a scalar function of float64 arrays by each element of one of them."""
    moved = [array.copy() for array in arrays]
    result = np.zeros(arrays[number].shape)
    for at in np.ndindex(*result.shape):
        sums = []
        for step in (STEP, -STEP):
            moved[number][at] = arrays[number][at] + step
            sums.append(float(function(*moved)))
        moved[number][at] = arrays[number][at]
        result[at] = (sums[0] - sums[1]) / (2 * STEP)
    return result
