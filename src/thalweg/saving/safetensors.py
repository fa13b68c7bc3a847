"""Files of tensors in the safetensors format, and the checksums and strings that ours have.

A file is the length of its header (8 bytes, little-endian), the header, and the elements of all
tensors, one after the other. The header is JSON: by name the type, shape and place of each tensor,
and under `__metadata__` strings by name. See https://github.com/huggingface/safetensors, "Format".

Files that are written here have three entries of metadata more, which other readers ignore:

    thalweg.header_crc32c    CRC-32C of the header, with zeros in the place of these eight digits
    thalweg.crc32c           JSON: the CRC-32C of each tensor's bytes, by name
    thalweg.strings          JSON: the shape of each tensor of strings, by name: `2,3`

The format has no strings. A tensor of strings is one of bytes: the length of each string, in eight
bytes, then all strings.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

import numpy as np

from thalweg.base.dtypes import bfloat16
from thalweg.base.errors import DataLossError, DTypeError, UnimplementedError
from thalweg.base.shapes import show
from thalweg.base.text import text_array
from thalweg.saving.crc32c import crc32c
from thalweg.saving.files import open_regular, write_atomically
from thalweg.saving.header import Entry, parse_header, parse_strings
from thalweg.saving.tensor_file import MOST_RANK, Array, Stored, TensorFile

T = TypeVar("T")

__all__ = ["SafetensorsFile", "read_tensors", "write_tensors"]

HEADER_SUM, SUMS, STRINGS = "thalweg.header_crc32c", "thalweg.crc32c", "thalweg.strings"
_SEALED = f'{{"__metadata__":{{"{HEADER_SUM}":"'.encode()  # how the header of a file of ours begins
_NO_SUM = "0" * 8
_LENGTH_BYTES = 8
_TEXT = np.dtype(object)
_LENGTHS = np.dtype("<u8")  # of strings

_NUMPY: dict[str, Any] = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16,
    "F16": np.float16, "U32": np.uint32, "I32": np.int32, "F32": np.float32,
    "U64": np.uint64, "I64": np.int64, "F64": np.float64, "C64": np.complex64,
}  # fmt: skip
_NAMES = {np.dtype(kind).name: name for name, kind in _NUMPY.items()} | {"bfloat16": "BF16"}
_FURTHER = {
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}  # by their names in ml_dtypes


# -- reading


def read_tensors(path: str | os.PathLike[str]) -> SafetensorsFile:
    """The tensors of a safetensors file, by name.

    The file is mapped into memory: a tensor is read from the disk when it is used, and its
    checksum, if the file has any, is compared when it is first asked for. Arrays are read-only.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is damaged, or no safetensors file.
        UnimplementedError: if it has element types that are not known here.
    """
    return SafetensorsFile(path)


class SafetensorsFile(TensorFile):
    """The tensors of a safetensors file; see `read_tensors`.

    Attributes:
        metadata: the strings that whoever wrote the file has put beside the tensors.
        is_checked: whether it has checksums.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            self._data = _mapped(self.path)
            self._start, self._entries, metadata = _header(self._data)
            self.is_checked = bytes(self._data[8 : 8 + len(_SEALED)]) == _SEALED
            self._sums = _object(metadata, SUMS, _sum) if self.is_checked else {}
            shapes = _object(metadata, STRINGS, _shape)
            if (SUMS in metadata) != self.is_checked or (
                self.is_checked and self._sums.keys() != self._entries.keys()
            ):
                raise DataLossError("the checksums are not those of its tensors")
            self.stored = {n: _stored(e, shapes.get(n)) for n, e in self._entries.items()}
        except DataLossError as error:
            raise DataLossError(f"{self.path!r} is not a whole safetensors file: {error}") from None
        except UnimplementedError as error:
            raise UnimplementedError(f"{self.path!r}: {error}") from None
        self.metadata = {k: v for k, v in metadata.items() if k not in (HEADER_SUM, SUMS, STRINGS)}

    def _read(self, name: str) -> Array:
        entry, stored = self._entries[name], self.stored[name]
        data = self._data[self._start + entry.begin : self._start + entry.end]
        if (expected := self._sums.get(name)) is not None:
            if crc32c(data) != expected:
                raise DataLossError(f"{self.path!r} is damaged: {name!r} has another checksum")
            self._sums.pop(name, None)  # once is enough
        if stored.dtype == _TEXT:
            return self._strings(name, data)
        array = np.frombuffer(data, stored.dtype).reshape(stored.shape)
        return array if array.flags.aligned else array.copy()

    def _strings(self, name: str, data: memoryview) -> Array:
        shape = self.stored[name].shape
        try:
            return decode_strings(data, shape)
        except DataLossError as error:
            raise DataLossError(f"{self.path!r} is damaged: {name!r}: {error}") from None


def _mapped(path: str) -> memoryview:
    """The bytes of a file."""
    file = open_regular(path)
    try:
        if os.fstat(file).st_size < _LENGTH_BYTES:
            raise DataLossError(f"it has {os.fstat(file).st_size} bytes")
        return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(file)


def _header(data: memoryview) -> tuple[int, dict[str, Entry], dict[str, str]]:
    """Where the elements begin, the tensors' entries by name, and the metadata."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    left = len(data) - _LENGTH_BYTES
    if length > left:
        raise DataLossError(f"its header has {length:,} bytes, of {left:,} that there are")
    header = data[_LENGTH_BYTES : _LENGTH_BYTES + length]
    _check_seal(header)
    entries, metadata = parse_header(header)
    _check_places(entries, left - length)
    return _LENGTH_BYTES + length, entries, metadata


def _check_seal(header: memoryview) -> None:
    """Compare the checksum of a header, if it has one."""
    start, stop = len(_SEALED), len(_SEALED) + len(_NO_SUM)
    if bytes(header[:start]) != _SEALED:
        return
    found = crc32c(header[stop:], crc32c(_NO_SUM.encode(), crc32c(_SEALED)))
    if bytes(header[start:stop]) != f"{found:08x}".encode():
        raise DataLossError("its header has another checksum")


def _check_places(entries: Mapping[str, Entry], size: int) -> None:
    """Tensors fill the file, without holes, and none has another's bytes."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != end or entry.end < end:
            raise DataLossError(f"{name!r} begins at byte {entry.begin:,}, and not at {end:,}")
        end = entry.end
        needed = math.prod(entry.shape) * _numpy(entry.dtype).itemsize
        if needed != entry.end - entry.begin:
            raise DataLossError(
                f"{name!r} has {entry.end - entry.begin:,} bytes, and needs {needed:,}"
            )
    if end != size:
        raise DataLossError(f"its tensors have {end:,} bytes, of {size:,} that there are")


def _stored(entry: Entry, strings: tuple[int, ...] | None) -> Stored:
    if strings is None:
        return Stored(_numpy(entry.dtype), entry.shape)
    if entry.dtype != "U8" or math.prod(strings) * _LENGTHS.itemsize > entry.end - entry.begin:
        raise DataLossError(f"strings of the shape {show(strings)} do not fit in it")
    return Stored(_TEXT, strings)


def _numpy(name: str) -> Any:
    """The NumPy dtype of a type of the format."""
    if name in _NUMPY:
        return np.dtype(_NUMPY[name])
    if name == "BF16":
        return bfloat16.numpy
    if name in _FURTHER:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, _FURTHER[name]))
    raise UnimplementedError(f"the element type {name!r} is not known here")


def _object(metadata: Mapping[str, str], key: str, convert: Callable[[str], T]) -> dict[str, T]:
    """An entry of the metadata that is a JSON object of strings, which are converted."""
    try:
        found = parse_strings(metadata.get(key, "{}").encode())
        return {name: convert(value) for name, value in found.items()}
    except (ValueError, DataLossError):
        raise DataLossError(f"its metadata {key!r} is malformed") from None


def _sum(text: str) -> int:
    if len(text) != len(_NO_SUM):
        raise ValueError(f"{text!r} is not a checksum")
    return int(text, 16)


def _shape(text: str) -> tuple[int, ...]:
    """The shape that is written as `2,3`."""
    parts = text.split(",", MOST_RANK) if text else []
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is not a shape")
    return tuple(int(part) for part in parts)


# -- writing


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors to a safetensors file, which is whole or not there.

    Args:
        path: of the file.
        tensors: arrays by name, of numbers, booleans or strings.
        metadata: strings to put beside them, by name.

    Raises:
        DTypeError: for an element type that the format does not have.
        OSError: if the file cannot be written.
    """
    parts = [_Part(name, tensors[name]) for name in tensors]
    parts.sort(key=lambda part: (-part.data.dtype.itemsize, part.name))
    header = _sealed_header(parts, dict(metadata or {}))

    def write(file: BinaryIO) -> None:
        file.write(len(header).to_bytes(_LENGTH_BYTES, "little"))
        file.write(header)
        for part in parts:
            file.write(part.bytes.data)

    write_atomically(path, write)


class _Part:
    """A tensor to write."""

    def __init__(self, name: str, value: Any) -> None:
        array = np.asarray(value)
        self.name = name
        self.strings = array.shape if array.dtype.kind in "OUS" else None
        self.data = encode_strings(array) if self.strings is not None else _contiguous(array)
        self.type = _NAMES.get(self.data.dtype.name)
        if self.type is None:
            raise DTypeError(f"{name!r} is {array.dtype}, which safetensors files cannot hold")
        self.bytes = self.data.reshape(-1).view(np.uint8)


def _contiguous(array: Array) -> Array:
    """The array in the order of C and the order of bytes of the format."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _sealed_header(parts: list[_Part], metadata: dict[str, str]) -> bytes:
    sums = {part.name: f"{crc32c(part.bytes):08x}" for part in parts}
    strings = {p.name: ",".join(map(str, p.strings)) for p in parts if p.strings is not None}
    ours = {HEADER_SUM: _NO_SUM, SUMS: _json(sums)}
    if strings:
        ours[STRINGS] = _json(strings)
    content: dict[str, Any] = {"__metadata__": ours | metadata, **dict(_entries(parts))}
    header = _json(content).encode()
    header += b" " * (-len(header) % 8)  # elements begin at a multiple of eight bytes
    place = len(_SEALED)
    return header[:place] + f"{crc32c(header):08x}".encode() + header[place + len(_NO_SUM) :]


def _entries(parts: list[_Part]) -> Iterator[tuple[str, Any]]:
    end = 0
    for part in parts:
        begin, end = end, end + part.bytes.nbytes
        shape = list(part.data.shape)
        yield part.name, {"dtype": part.type, "shape": shape, "data_offsets": [begin, end]}


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


# -- strings


def encode_strings(array: Array) -> Array:
    """Strings as bytes: the length of each, then all of them."""
    flat = text_array(array).reshape(-1).tolist()
    lengths = np.array([len(item) for item in flat], _LENGTHS)
    return np.frombuffer(lengths.tobytes() + b"".join(flat), np.uint8)


def decode_strings(data: memoryview, shape: tuple[int, ...]) -> Array:
    """The strings of a tensor, from their lengths and what is in them."""
    count = math.prod(shape)
    head = count * _LENGTHS.itemsize
    lengths = np.frombuffer(data[:head], _LENGTHS)
    ends = [head]
    for length in lengths.tolist():
        ends.append(ends[-1] + length)
    if ends[-1] != len(data):
        raise DataLossError("its strings do not fill it")
    made = np.empty(count, object)
    for place in range(count):
        made[place] = bytes(data[ends[place] : ends[place + 1]])
    return made.reshape(shape)
