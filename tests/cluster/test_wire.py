"""Messages arrive as they were sent, and what is no message is an error."""

from __future__ import annotations

import socket
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from thalweg.base.dtypes import bfloat16
from thalweg.base.errors import DataLossError
from thalweg.base.text import text_array
from thalweg.cluster.wire import (
    HEADER,
    MAGIC,
    ClosedError,
    Connection,
    Message,
    address_of,
    is_loopback,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NUMBERS = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "?"]).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0, max_side=4))
)


def pair() -> tuple[Connection, Connection]:
    a, b = socket.socketpair()
    return Connection(a), Connection(b)


@given(PLAIN, st.lists(NUMBERS, max_size=4), st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=50, deadline=None)
def test_a_message_arrives(meta: Any, sent: list[Any], number: int) -> None:
    a, b = pair()
    a.send(Message(3, meta, sent, number))
    got = b.receive()
    assert (got.kind, got.meta, got.number) == (3, meta, number)
    assert len(got.arrays) == len(sent)
    for one, other in zip(got.arrays, sent, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == np.ascontiguousarray(other).tobytes()
    a.close()
    b.close()


def test_arrays_larger_than_every_buffer_arrive() -> None:
    a, b = pair()
    big = np.random.default_rng(0).normal(size=(500, 2001))[:, ::2]
    text = text_array([["a", "äö"], ["", "x" * 300_000]])
    half = np.arange(5, dtype=np.float32).astype(bfloat16.numpy)
    thread = threading.Thread(target=a.send, args=(Message(1, "x" * 200_000, [big, text, half]),))
    thread.start()
    got = b.receive()
    thread.join()
    assert got.meta == "x" * 200_000
    assert np.array_equal(got.arrays[0], big)
    assert np.array_equal(got.arrays[1], text)
    assert np.array_equal(got.arrays[2], half)
    assert got.arrays[2].dtype == half.dtype
    a.close()
    b.close()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n", "begins with b'GET '"),
        (HEADER.pack(MAGIC, 0, 2**31, 0, 0), "too large"),
        (HEADER.pack(MAGIC, 0, 2, 2**60, 0) + b"[]", "too large"),
        (HEADER.pack(MAGIC, 0, 2, 0, 0) + b"[]", "damaged"),
        (HEADER.pack(MAGIC, 0, 4, 0, 0) + b"\xff\xfe[]", "damaged"),
        (HEADER.pack(MAGIC, 0, 9, 4, 0) + b"[null,[]]", "do not fill"),
    ],
)
def test_what_is_no_message_is_an_error(data: bytes, says: str) -> None:
    a, b = socket.socketpair()
    a.sendall(data)
    with pytest.raises(DataLossError, match=says):
        Connection(b).receive()
    a.close()
    b.close()


@pytest.mark.parametrize(
    "listed",
    ['["object",[1],8]', '["float32",[2],4]', '["float32",[-1],4]', '["float32",[true],4]',
     '["float32",[1.0],4]', '["string",[2],4]', '["float32",[1]]', '["float32",[4],16,1]'],
)  # fmt: skip
def test_an_array_that_cannot_be_is_an_error(listed: str) -> None:
    a, b = socket.socketpair()
    head = f"[null,[{listed}]]".encode()
    a.sendall(HEADER.pack(MAGIC, 0, len(head), 4, 0) + head + bytes(64))
    with pytest.raises(DataLossError):
        Connection(b).receive()
    a.close()
    b.close()


def test_strings_that_do_not_fill_their_bytes_are_an_error() -> None:
    a, b = socket.socketpair()
    head = b'[null,[["string",[1],6]]]'
    a.sendall(HEADER.pack(MAGIC, 0, len(head), 6, 0) + head + b"\xff\xff\x00\x00ab")
    with pytest.raises(DataLossError, match="strings"):
        Connection(b).receive()
    a.close()
    b.close()


def test_a_closed_connection_says_so() -> None:
    a, b = pair()
    a.close()
    with pytest.raises(ClosedError):
        b.receive()
    with pytest.raises(ClosedError):
        b.send(Message(0, None, [np.zeros(10**7)]))
    b.close()


def test_addresses() -> None:
    assert address_of("grpc://worker:2222") == ("worker", 2222)
    assert address_of("[::1]:80") == ("::1", 80)
    assert is_loopback("127.0.0.5")
    assert is_loopback("localhost")
    assert not is_loopback("10.0.0.1")
    for bad in ("worker", ":80", "worker:http", "worker:70000"):
        with pytest.raises(DataLossError, match="host:port"):
            address_of(bad)
