"""Keys of slices: a tensor's name and a slice of it, in an encoding that keeps the order.

After TensorFlow's ordered_code.cc and saved_tensor_slice_util.cc.
"""

from __future__ import annotations

from thalweg.saving.bundle.entries import Slice

__all__ = ["slice_key"]

_HEADERS = [0, 0x8000, 0xC000, 0xE000, 0xF000, 0xF800, 0xFC00, 0xFE00, 0xFF00, 0xFF80, 0xFFC0]


def slice_key(name: str, part: Slice) -> bytes:
    """The key of a slice of the tensor of this name."""
    escaped = _escaped(name.encode())
    key = _number(0) + escaped + b"\0\x01" + _number(len(part.extents))
    return key + b"".join(_signed(start) + _signed(length) for start, length in part.extents)


def _escaped(text: bytes) -> bytes:
    special = {0: b"\0\xff", 255: b"\xff\0"}
    return b"".join(special.get(byte, bytes([byte])) for byte in text)


def _number(value: int) -> bytes:
    """A number of 0 or more: how many bytes it has, then these, the highest first."""
    length = (value.bit_length() + 7) // 8
    return bytes([length]) + value.to_bytes(length, "big")


def _signed(value: int) -> bytes:
    """Any number of 64 bits: as many leading ones as it has bytes, for one of 0 or more."""
    bits = (~value if value < 0 else value).bit_length()
    length = bits // 7 + 1
    data = bytearray((value & (1 << 80) - 1).to_bytes(10, "big")[10 - length :])
    data[0] ^= _HEADERS[length] >> 8
    if length > 1:
        data[1] ^= _HEADERS[length] & 255
    return bytes(data)
