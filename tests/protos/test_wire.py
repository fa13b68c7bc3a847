"""The wire format of messages: against Google's own library, and bytes that are no message."""

from __future__ import annotations

import pytest
from google.protobuf import wrappers_pb2 as google
from hypothesis import given
from hypothesis import strategies as some

from thalweg.base.errors import DataLossError
from thalweg.protos import wire

NUMBERS = some.integers(-(1 << 63), (1 << 63) - 1)


@given(NUMBERS)
def test_whole_numbers_are_written_and_read_as_google_s_library_does(number: int) -> None:
    theirs = google.Int64Value(value=number).SerializeToString()
    assert wire.whole(1, number) == theirs
    read = {n: wire.signed(v) for n, v in wire.values(memoryview(theirs)) if isinstance(v, int)}
    assert read == ({1: number} if number else {})


@given(some.integers(0, (1 << 64) - 1))
def test_varints_have_no_sign_when_they_are_read(number: int) -> None:
    data = google.UInt64Value(value=number).SerializeToString()[1:] or b"\0"
    assert wire.varint(number) == data
    assert wire.read_varint(memoryview(data + b"rest"), 0) == (number, len(data))


def test_each_wire_type_has_its_value() -> None:
    data = wire.whole(1, 300) + wire.fixed32(2, 1 << 31) + wire.delimited(3, b"ab")
    data += wire.double(4, 1.0)
    found = [(number, kind, value) for number, kind, value in wire.fields(memoryview(data))]
    assert [(number, kind) for number, kind, _ in found] == [
        (1, wire.VARINT),
        (2, wire.FIXED32),
        (3, wire.BYTES),
        (4, wire.FIXED64),
    ]
    one = 0x3FF << 52  # the bits of 1.0
    assert dict(wire.values(memoryview(data))) == {1: 300, 2: 1 << 31, 3: b"ab", 4: one}


def test_zeros_are_left_out_as_they_are_the_default() -> None:
    assert wire.whole(1, 0) == wire.fixed32(1, 0) == b""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "no varint of 64 bits at byte 0"),
        (b"\x08", "no varint of 64 bits at byte 1"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "no varint of 64 bits at byte 1"),
        (b"\x08" + b"\xff" * 11, "no varint of 64 bits at byte 1"),
        (b"\x00\x01", "a field with the number 0"),
        (b"\x0b", "a field of the wire type 3"),
        (b"\x0a\x03ab", "ends within its field 1"),
        (b"\x0d\x00\x00\x00", "ends within its field 1"),
        (b"\x0a" + wire.varint(1 << 63), "ends within its field 1"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataLossError, match=message):
        list(wire.values(memoryview(data)))


@given(some.binary(max_size=40))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        fields = list(wire.fields(memoryview(data)))
    except DataLossError:
        return
    assert sum(len(v) for _, _, v in fields if isinstance(v, memoryview)) <= len(data)
