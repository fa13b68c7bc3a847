"""The wire format of protocol buffers: a message is a sequence of numbered fields.

    varint(number << 3 | wire type), then the value: a varint, 4 or 8 bytes, or a length and bytes

Source: protobuf.dev/programming-guides/encoding. Whatever is read is hostile until it is checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from thalweg.base.errors import DataLossError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
_LONGEST = 10  # bytes of a varint

Value = int | memoryview


def varint(number: int) -> bytes:
    """A whole number, seven bits a byte; a negative one as 64 bits of two's complement."""
    if 0 <= number < 128:
        return _SHORT[number]
    number &= 0xFFFF_FFFF_FFFF_FFFF
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


_SHORT = [bytes([n]) for n in range(128)]


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """The varint at a place, as a number without a sign, and the place behind it.

    Raises:
        DataLossError: if it does not end, or has more than 64 bits.
    """
    number = 0
    for n, byte in enumerate(data[at : at + _LONGEST]):
        number |= (byte & 127) << 7 * n
        if byte < 128:
            if number >> 64:
                break
            return number, at + n + 1
    raise DataLossError(f"a message has no varint of 64 bits at byte {at}")


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """The fields of a message in order: number, wire type, and value.

    A varint is a number without a sign; any other value is a view of its bytes.

    Raises:
        DataLossError: if the bytes are no message.
    """
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise DataLossError(f"a message has a field with the number {number}")
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise DataLossError(f"a message has a field of the wire type {kind}")
        if size > len(data) - at:
            raise DataLossError(f"a message ends within its field {number}")
        yield number, kind, data[at : at + size]
        at += size


def values(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order: number, and value; one of 4 or 8 bytes is a number, too.

    Raises:
        DataLossError: if the bytes are no message.
    """
    for number, kind, value in fields(data):
        if kind in _SIZES:
            assert isinstance(value, memoryview)
            value = int.from_bytes(value, "little")
        yield number, value


def signed(number: int) -> int:
    """A number of 64 bits, read as one with a sign."""
    return number - (1 << 64) if number >> 63 else number


def tag(number: int, kind: int) -> bytes:
    """What stands before a value."""
    return varint(number << 3 | kind)


def delimited(number: int, data: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return tag(number, BYTES) + varint(len(data)) + data


def whole(number: int, value: int) -> bytes:
    """A field that holds a whole number as a varint; nothing if it is 0, the default."""
    return tag(number, VARINT) + varint(value) if value else b""


def fixed32(number: int, value: int) -> bytes:
    """A field that holds a number without a sign in four bytes; nothing if it is 0."""
    return tag(number, FIXED32) + struct.pack("<I", value) if value else b""


def double(number: int, value: float) -> bytes:
    """A field that holds a double."""
    return tag(number, FIXED64) + struct.pack("<d", value)
