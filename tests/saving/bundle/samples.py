"""What bundles are made of, here and by TensorFlow: every dtype, and special shapes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

NUMPY = ["float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool"]
NUMPY += ["uint16", "complex128", "float16", "uint32", "uint64"]
ML_DTYPES = ["bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"]


def samples() -> dict[str, Any]:
    """Arrays by name."""
    made: dict[str, Any] = {}
    for name in NUMPY:
        made[f"numbers/{name}"] = np.arange(6).reshape(2, 3).astype(name)
    for name in ML_DTYPES:
        made[f"numbers/{name}"] = np.arange(6).reshape(2, 3).astype(getattr(ml_dtypes, name))
    made["words"] = np.array([[b"a", b"", b"longer"], ["ü".encode(), b"x" * 200, b"z"]], object)
    made["word"] = np.array(b"one", object)
    made["scalar"] = np.float32(1.5)
    made["empty"] = np.zeros((0, 3), np.float32)
    made["deep/er/name"] = np.ones((2, 1, 2, 1, 2), np.float32)
    return made


def described(array: Any) -> list[Any]:
    """Dtype, shape, and bytes in hexadecimal digits: what can be compared as JSON."""
    plain = np.asarray(array)
    if plain.dtype.kind in "OS":
        return ["string", list(plain.shape), [item.hex() for item in plain.reshape(-1).tolist()]]
    return [plain.dtype.name, list(plain.shape), plain.tobytes().hex()]
