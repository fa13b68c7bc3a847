"""Arrays that the records' samples are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

VALUES = np.arange(1, 25, dtype=np.float32) * np.float32(0.25)
CUBE = VALUES.reshape(2, 3, 4)
TABLE = VALUES[:6].reshape(2, 3)


def wave(*shape: int, step: float = 0.7) -> np.ndarray[Any, Any]:
    """Numbers without ties or patterns, as sample inputs."""
    values = np.sin(step * np.arange(1, np.prod(shape) + 1))
    return np.asarray(values.reshape(shape), np.float32)
