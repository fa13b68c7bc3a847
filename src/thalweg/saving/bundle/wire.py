"""The wire format of protocol buffers: https://protobuf.dev/programming-guides/encoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from thalweg.base.errors import DataLossError

__all__ = ["Value", "bytes_field", "fields", "fixed32_field", "number_field", "signed", "varint"]
__all__ += ["read_varint"]

# A number, or the bytes of a string, of packed numbers or of another message.
Value: TypeAlias = int | memoryview

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_BITS = 64


def fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message by their numbers, in order.

    Raises:
        DataLossError: if it is malformed.
    """
    place = 0
    while place < len(data):
        tag, place = read_varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = read_varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = read_varint(data, place)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise DataLossError(f"a field has the wire type {kind}")
        if length > len(data) - place:
            raise DataLossError("a field goes beyond the end of its message")
        part = data[place : place + length]
        yield number, part if kind == _BYTES else int.from_bytes(part, "little")
        place += length


def read_varint(data: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at a place, and the place behind it."""
    value = shift = 0
    for at in range(place, min(len(data), place + 10)):
        byte = data[at]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if value >> _MOST_BITS:
                break
            return value, at + 1
    raise DataLossError("a number is cut off, or too long")


def signed(value: int) -> int:
    """A number of 64 bits, read as one with a sign."""
    return value - (1 << 64) if value >> 63 else value


def varint(value: int) -> bytes:
    """A number as it is written."""
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number, which is left out if it is 0."""
    return varint(number << 3 | _VARINT) + varint(value) if value else b""


def fixed32_field(number: int, value: int) -> bytes:
    """A field that holds a number in four bytes."""
    return varint(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def bytes_field(number: int, value: bytes) -> bytes:
    """A field that holds bytes, or another message."""
    return varint(number << 3 | _BYTES) + varint(len(value)) + value
