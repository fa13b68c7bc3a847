"""Reads frames as the page does."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[tuple[int, int, int], Any]]:
    """The numbers of a frame, and its pictures by layer, neuron and size."""
    (length,) = struct.unpack("<I", data[:4])
    assert length % 4 == 0
    head = json.loads(data[4 : 4 + length], parse_constant=lambda name: pytest_fail(name))
    pictures, at = {}, 4 + length
    for layer, neuron, size in head["maps"]:
        part = np.frombuffer(data, np.uint8, size * size, at)
        pictures[layer, neuron, size] = part.reshape(size, size)
        at += size * size
    assert at == len(data)
    return head, pictures


def pytest_fail(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
