"""Arrays for the kernels' tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def random(*shape: int, seed: int = 0) -> Array:
    """Normally distributed numbers, float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
