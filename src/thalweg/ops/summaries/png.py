"""Images as PNG.

Source: the PNG specification, w3.org/TR/png.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["encode_png"]

Array = np.ndarray[Any, Any]
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG's colour types by channels: grey, RGB, and with alpha
_UP = 2  # the filter that takes the row above away: smooth images get smaller


def encode_png(pixels: Array) -> bytes:
    """The PNG of an image.

    Args:
        pixels: uint8[height, width, channels]; 1 channel for grey, 3 for RGB, 2 and 4 with alpha.
    """
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    rows = pixels.reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = _UP
    filtered[:, 1:] = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    data = zlib.compress(filtered.tobytes())
    parts = _chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
