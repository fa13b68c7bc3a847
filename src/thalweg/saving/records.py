"""Files of records, as TensorFlow frames them: TFRecord files, and TensorBoard's event files.

    uint64 length, uint32 masked crc32c of the length, data, uint32 masked crc32c of the data

All numbers are little-endian. Source: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from thalweg.base.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from thalweg.base.record import Record
from thalweg.saving.crc32c import masked_crc32c

__all__ = [
    "TFRecordCompressionType",
    "TFRecordOptions",
    "TFRecordWriter",
    "framed",
    "open_records",
    "read_records",
    "tf_record_iterator",
]

PathLike = str | os.PathLike[str]
_CHUNK = 1 << 20  # bytes that are asked for at a time: a length may be a lie


def framed(data: bytes) -> bytes:
    """A record as it stands in a file."""
    length = struct.pack("<Q", len(data))
    checks = masked_crc32c(length), masked_crc32c(data)
    return length + struct.pack("<I", checks[0]) + data + struct.pack("<I", checks[1])


class Source(Protocol):
    """What records are read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        ...


def read_records(source: Source, name: str, growing: bool = False) -> Iterator[bytes]:
    """The records of a file.

    Args:
        source: of the bytes.
        name: of the file, for errors.
        growing: whether the file may end within a record, which is then being written, or never
            will be, as its writer was killed. The records end there.

    Raises:
        DataLossError: if a checksum is wrong, or the file ends within a record.
    """
    at = 0
    while head := _read(source, 12):
        record = _body(source, head, f"{name}: the record at byte {at}")
        if record is None:
            if growing:
                return
            raise DataLossError(f"{name}: the record at byte {at} is cut off")
        at += 16 + len(record)
        yield record


def _body(source: Source, head: bytes, where: str) -> bytes | None:
    """The record behind its length; None if it is cut off."""
    if len(head) < 12:
        return None
    length, check = struct.unpack("<QI", head)
    if masked_crc32c(head[:8]) != check:
        raise DataLossError(f"{where} has a length that does not fit its checksum")
    data, tail = _read(source, length), _read(source, 4)
    if len(data) < length or len(tail) < 4:
        return None
    if masked_crc32c(data) != struct.unpack("<I", tail)[0]:
        raise DataLossError(f"{where} does not fit its checksum")
    return data


def _read(source: Source, size: int) -> bytes:
    """The next bytes, in pieces: memory is taken for what is there, not for what is announced."""
    data = source.read(min(size, _CHUNK))
    if len(data) < _CHUNK or len(data) == size:
        return data
    whole = bytearray(data)
    while len(whole) < size and (data := source.read(min(size - len(whole), _CHUNK))):
        whole += data
    return bytes(whole)


def open_records(path: PathLike) -> BinaryIO:
    """A file of records, opened to be read.

    Raises:
        NotFoundError: if there is none.
    """
    try:
        return open(path, "rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"{os.fspath(path)}: {error.strerror}") from None


# -- TFRecord files


class TFRecordCompressionType(IntEnum):
    """How a TFRecord file is compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


class TFRecordOptions(Record):
    """How TFRecord files are written and read.

    Attributes:
        compression_type: a `TFRecordCompressionType`, or its name: "", "ZLIB" or "GZIP".
    """

    compression_type: Any = None

    @property
    def window_bits(self) -> int | None:
        """The format as zlib wants it told; None if nothing is compressed.

        Raises:
            InvalidArgumentError: if there is no such compression.
        """
        kind = self.compression_type
        name = kind.name if isinstance(kind, TFRecordCompressionType) else kind or "NONE"
        if name not in _WINDOWS:
            raise InvalidArgumentError(
                f"a TFRecord file is compressed by ZLIB or GZIP, not {kind!r}"
            )
        return _WINDOWS[name]


_WINDOWS = {"NONE": None, "ZLIB": zlib.MAX_WBITS, "GZIP": zlib.MAX_WBITS | 16}


def _window_bits(options: Any) -> int | None:
    if isinstance(options, TFRecordOptions):
        return options.window_bits
    return TFRecordOptions(options).window_bits


class TFRecordWriter:
    """Writes a TFRecord file.

        with tf.python_io.TFRecordWriter("train.tfrecords") as writer:
            writer.write(example.SerializeToString())

    Args:
        path: of the file, which is replaced if there is one.
        options: `TFRecordOptions`, or how the file is compressed: "ZLIB" or "GZIP".
    """

    def __init__(self, path: PathLike, options: Any = None) -> None:
        window = _window_bits(options)
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115  `close` closes it
        self._compressor = None if window is None else zlib.compressobj(wbits=window)

    def write(self, record: bytes) -> None:
        """Append a record.

        Raises:
            InvalidArgumentError: if it is not bytes.
            FailedPreconditionError: after `close`.
        """
        if not isinstance(record, bytes | bytearray | memoryview):
            raise InvalidArgumentError(f"a record is bytes, not {type(record).__name__}")
        if self._file.closed:
            raise FailedPreconditionError("the writer is closed")
        data = framed(bytes(record))
        self._file.write(data if self._compressor is None else self._compressor.compress(data))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._compressor is not None:
            self._file.write(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._file.closed:
            return
        if self._compressor is not None:
            self._file.write(self._compressor.flush())
        self._file.close()

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def tf_record_iterator(path: PathLike, options: Any = None) -> Iterator[bytes]:
    """The records of a TFRecord file, one after the other.

    Args:
        path: of the file.
        options: `TFRecordOptions`, or how the file is compressed: "ZLIB" or "GZIP".

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is damaged or cut off.
    """
    window = _window_bits(options)
    with open_records(path) as file:
        source = file if window is None else _Inflated(file, window, os.fspath(path))
        yield from read_records(source, os.fspath(path))


class _Inflated:
    """Reads what is compressed in a file.

    Args:
        file: that is compressed.
        window: the format, as zlib wants it told.
        name: of the file, for errors.
    """

    def __init__(self, file: BinaryIO, window: int, name: str) -> None:
        self._file, self._window, self._name = file, window, name
        self._inflater = zlib.decompressobj(wbits=window)
        self._waiting = b""  # of the file, not yet decompressed

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        parts = bytearray()
        while len(parts) < size and (part := self._more(size - len(parts))) is not None:
            parts += part
        return bytes(parts)

    def _more(self, size: int) -> bytes | None:
        """Some more bytes, perhaps none; None at the end."""
        waiting = self._waiting or self._file.read(_CHUNK)
        if self._inflater.eof and waiting:  # another one begins
            self._inflater = zlib.decompressobj(wbits=self._window)
        try:
            made = self._inflater.decompress(waiting, size)
        except zlib.error as error:
            raise DataLossError(f"{self._name}: {error}") from None
        self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
        return made if made or waiting else None
