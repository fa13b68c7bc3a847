"""Messages between processes, over a socket: a header, JSON for what they say, bytes for arrays.

    magic "TwC1" | kind | head's bytes | arrays' bytes | number | head: JSON | one array | the next

The head is `[meta, [[dtype, shape, bytes], ...]]`. It is the same in every step of a training loop,
so both sides remember it; what changes is the number in the header. Nothing is pickled. All sizes
are checked before memory is taken for them.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np

from thalweg.base.dtypes import NAMES, as_dtype
from thalweg.base.errors import DataLossError, UnavailableError
from thalweg.base.record import Record

__all__ = ["MOST_BYTES", "ClosedError", "Connection", "Message", "address_of", "is_loopback"]

Array = np.ndarray[Any, Any]

MAGIC = b"TwC1"
HEADER = struct.Struct("<4sIIQq")
MOST_BYTES = 1 << 34  # of the arrays of a message
MOST_HEAD = 1 << 24  # bytes
MOST_AXES = 32
BUFFER = 1 << 17  # bytes that are read at a time
REMEMBERED = 4096  # bytes of a head that is worth remembering
STRING_LENGTH = np.dtype("<u4")  # of each string, before the strings themselves


class ClosedError(UnavailableError):
    """The other side has closed the connection, or is gone."""


class Message(Record):
    """What one side tells the other.

    Attributes:
        kind: a number below 2^32, on whose meaning both sides have agreed.
        meta: what JSON can hold. It may be shared with other messages: do not change it.
        arrays: of any element type, strings too.
        number: between -2^63 and 2^63; what differs from one message to the next alike.
    """

    kind: int
    meta: Any = None
    arrays: Sequence[Array] = ()
    number: int = 0


class Connection:
    """A socket that carries messages. One thread may send while another one receives.

    Args:
        connected: a connected stream socket, which belongs to the connection from now on.
        most_bytes: of the arrays of a message that is received.
    """

    def __init__(self, connected: socket.socket, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._socket = connected
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(BUFFER))
        self._start = self._end = 0  # of what has been read and not been taken

    @classmethod
    def open(cls, address: str, seconds: float, most_bytes: int = MOST_BYTES) -> Connection:
        """A connection to whoever listens at "host:port".

        Raises:
            UnavailableError: nobody does.
        """
        try:
            return cls(socket.create_connection(address_of(address), seconds), most_bytes)
        except OSError as error:
            raise UnavailableError(f"nothing listens at {address}: {error}") from None

    def fileno(self) -> int:
        """The socket's, so that it can be waited for."""
        return self._socket.fileno()

    @property
    def is_waiting(self) -> bool:
        """Whether a part of a message has been read already, which no `select` would tell of."""
        return self._start < self._end

    def settimeout(self, seconds: float | None) -> None:
        """How long to wait for the other side before a `TimeoutError`; None for ever."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """End it; whoever waits at the other side, or here, gets a `ClosedError`."""
        with suppress(OSError):  # it may be closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    # -- sending

    def send(self, message: Message) -> None:
        """Send a message. The arrays may be changed afterwards.

        Raises:
            ClosedError: the other side is gone.
            TimeoutError: it takes nothing. The connection is of no use any more.
        """
        arrays = [np.asarray(array, order="C") for array in message.arrays]
        bodies = [_bytes_of(array) for array in arrays]
        kinds = tuple([(a.dtype, a.shape, len(b)) for a, b in zip(arrays, bodies, strict=True)])
        head = _head(json.dumps(message.meta, separators=(",", ":")), kinds)
        size = sum([len(body) for body in bodies])
        header = HEADER.pack(MAGIC, message.kind, len(head), size, message.number)
        self._send([header + head, *[body for body in bodies if len(body)]])

    def _send(self, parts: list[Any]) -> None:
        try:
            left = sum([len(part) for part in parts])
            sent = self._socket.sendmsg(parts)
            for part in parts if sent < left else ():
                if sent >= len(part):
                    sent -= len(part)
                else:
                    self._socket.sendall(memoryview(part)[sent:])
                    sent = 0
        except TimeoutError:
            raise
        except OSError as error:
            raise ClosedError(f"the connection is closed: {error}") from None

    # -- receiving

    def receive(self) -> Message:
        """The next message.

        Raises:
            ClosedError: the other side is gone.
            DataLossError: what comes is no message, or larger than it may be.
            TimeoutError: nothing comes.
        """
        magic, kind, head_bytes, size, number = HEADER.unpack(self._take(HEADER.size))
        if magic != MAGIC:
            raise DataLossError(f"this is no message of Thalweg's: it begins with {magic!r}")
        if head_bytes > MOST_HEAD or size > self.most_bytes:
            raise DataLossError(f"a message of {head_bytes:,} + {size:,} bytes is too large")
        head = self._take(head_bytes)
        meta, kinds = (_remembered if head_bytes <= REMEMBERED else _parsed)(head)
        if sum([count for _, _, count in kinds]) != size:
            raise DataLossError("the arrays of a message do not fill it")
        return Message(kind, meta, [self._array(*one) for one in kinds], number)

    def _array(self, name: str, shape: tuple[int, ...], count: int) -> Array:
        if name == "string":
            return _strings(self._take(count), shape)
        array = np.empty(shape, as_dtype(name).numpy)
        if count:
            self._read_into(array.reshape(-1).view(np.uint8).data)
        return array

    def _take(self, count: int) -> bytes:
        """The next bytes."""
        if self._end - self._start >= count:
            self._start += count
            return bytes(self._buffer[self._start - count : self._start])
        if count > len(self._buffer):
            target = bytearray(count)
            self._read_into(memoryview(target))
            return bytes(target)
        self._fill(count)
        return self._take(count)

    def _fill(self, count: int) -> None:
        """Read until so many bytes are there, which the buffer has room for."""
        there = self._end - self._start
        self._buffer[:there] = bytes(self._buffer[self._start : self._end])
        self._start, self._end = 0, there
        while self._end < count:
            self._end += self._receive(self._buffer[self._end :])

    def _read_into(self, target: memoryview) -> None:
        """Fill memory with the next bytes: large arrays do not pass through the buffer."""
        there = min(len(target), self._end - self._start)
        target[:there] = self._buffer[self._start : self._start + there]
        self._start += there
        while there < len(target):
            there += self._receive(target[there:])

    def _receive(self, target: memoryview) -> int:
        try:
            count = self._socket.recv_into(target)
        except TimeoutError:
            raise
        except OSError as error:
            raise ClosedError(f"the connection is closed: {error}") from None
        if not count:
            raise ClosedError("the other side has closed the connection")
        return count


def address_of(address: str) -> tuple[str, int]:
    """Host and port of "host:port", "[host]:port" or "grpc://host:port".

    Raises:
        DataLossError: it is no address.
    """
    host, colon, port = address.removeprefix("grpc://").rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise DataLossError(f"{address!r} is no address of the form 'host:port'")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host's name or address."""
    return host in ("localhost", "::1") or host.startswith("127.")


# -- what a head says


@lru_cache(maxsize=1024)
def _head(meta: str, kinds: tuple[tuple[Any, tuple[int, ...], int], ...]) -> bytes:
    listed = [[as_dtype(dtype).name, shape, count] for dtype, shape, count in kinds]
    return f"[{meta},{json.dumps(listed, separators=(',', ':'))}]".encode()


Kinds = list[tuple[str, tuple[int, ...], int]]


def _parsed(head: bytes) -> tuple[Any, Kinds]:
    """What a message means, and the element type, shape and bytes of each of its arrays.

    Raises:
        DataLossError: the head is damaged.
    """
    try:
        meta, listed = json.loads(head)
        return meta, [_checked(*one) for one in listed]
    except (ValueError, TypeError, RecursionError):
        raise DataLossError("the head of a message is damaged") from None


_remembered = lru_cache(maxsize=1024)(_parsed)


def _checked(name: Any, shape: Any, count: Any) -> tuple[str, tuple[int, ...], int]:
    whole = [count, *shape]
    if name not in NAMES or len(whole) > MOST_AXES or any(type(n) is not int for n in whole):
        raise DataLossError(f"a message has an array of the type {name!r} and shape {shape!r}")
    elements, width = math.prod(shape), as_dtype(name).numpy.itemsize
    if name == "string":
        fits = count >= elements * STRING_LENGTH.itemsize
    else:
        fits = count == elements * width
    if min(whole) < 0 or not fits:
        raise DataLossError(f"an array {name} {shape} of a message has {count} bytes")
    return name, tuple(shape), count


def _bytes_of(array: Array) -> Any:
    """An array's memory; for strings their lengths, and then the strings."""
    if array.dtype.hasobject:
        items = array.reshape(-1).tolist()
        lengths = np.array([len(item) for item in items], STRING_LENGTH)
        return lengths.tobytes() + b"".join(items)
    return array.reshape(-1).view(np.uint8).data if array.size else b""


def _strings(data: bytes, shape: tuple[int, ...]) -> Array:
    made = np.empty(math.prod(shape), object)
    start = made.size * STRING_LENGTH.itemsize
    lengths = np.frombuffer(data[:start], STRING_LENGTH).tolist()
    if sum(lengths) != len(data) - start:
        raise DataLossError("the strings of a message do not fill it")
    for n, length in enumerate(lengths):
        made[n] = data[start : start + length]
        start += length
    return made.reshape(shape)
