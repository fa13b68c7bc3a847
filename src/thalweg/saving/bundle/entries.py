"""What an index says of the tensors of a bundle: the messages of tensor_bundle.proto."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thalweg.base.dtypes import bfloat16
from thalweg.base.errors import DataLossError, DTypeError, UnimplementedError
from thalweg.base.record import Record
from thalweg.base.shapes import show
from thalweg.protos.wire import VARINT, delimited, fixed32, signed, tag, values, varint, whole
from thalweg.saving.tensor_file import MOST_RANK

__all__ = ["STRING", "BundleEntry", "Header", "Slice", "dtype_number", "numpy_dtype"]

STRING = 7
_NUMBERS = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "object",
    8: "complex64", 9: "int64", 10: "bool", 11: "int8", 12: "uint8", 13: "int32",
    14: "bfloat16", 15: "int16", 16: "uint16", 17: "uint16", 18: "complex128", 19: "float16",
    22: "uint32", 23: "uint64", 24: "float8_e5m2", 25: "float8_e4m3fn", 29: "int4", 30: "uint4",
}  # fmt: skip
_QUANTISED = {11, 12, 13, 15, 16}  # read as the integers that they are
_BY_NAME = {name: number for number, name in _NUMBERS.items() if number not in _QUANTISED}
_OF_ML_DTYPES = {"float8_e5m2", "float8_e4m3fn", "int4", "uint4"}


def numpy_dtype(number: int) -> Any:
    """The NumPy dtype of an element type.

    Raises:
        UnimplementedError: for one that is no type of numbers or strings.
    """
    name = _NUMBERS.get(number)
    if name is None:
        raise UnimplementedError(f"TensorFlow's element type number {number} is not known here")
    if name == "bfloat16":
        return bfloat16.numpy
    if name in _OF_ML_DTYPES:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)


def dtype_number(dtype: np.dtype[Any]) -> int:
    """The number of an element type.

    Raises:
        DTypeError: if TensorFlow has no such type.
    """
    if dtype.name not in _BY_NAME:
        raise DTypeError(f"TensorFlow has no element type {dtype}")
    return _BY_NAME[dtype.name]


class Header(Record):
    """How a bundle is made."""

    shards: int

    @staticmethod
    def parsed(data: memoryview) -> Header:
        """A header from its message."""
        found = dict(values(data))
        shards = found.get(1, 0)
        if not isinstance(shards, int):
            raise DataLossError("its header is malformed")
        if found.get(2, 0) != 0:
            raise UnimplementedError("it was written on a big-endian machine")
        return Header(shards)

    def message(self) -> bytes:
        """The header as a message, of the format's version 1."""
        return whole(1, self.shards) + delimited(3, whole(1, 1))


class Slice(Record):
    """A part of a tensor: for each axis where it begins, and its length; -1 for all of the axis."""

    extents: tuple[tuple[int, int], ...]

    @staticmethod
    def parsed(data: memoryview) -> Slice:
        """A slice from its message."""
        extents = []
        for number, value in values(data):
            if number == 1:
                found = {k: v for k, v in values(_message(value)) if isinstance(v, int)}
                extents.append((signed(found.get(1, 0)), signed(found.get(2, -1 % 2**64))))
        return Slice(tuple(extents))

    def message(self) -> bytes:
        """The slice as a message."""
        return b"".join(delimited(1, self._extent(*extent)) for extent in self.extents)

    @staticmethod
    def _extent(start: int, length: int) -> bytes:
        if length < 0:
            return b""
        return whole(1, start) + tag(2, VARINT) + varint(length)  # a length of 0, too


class BundleEntry(Record):
    """Where a tensor is, or which slices it is made of.

    Attributes:
        dtype: the number of its element type.
        shape: of the tensor.
        shard: the number of the data file.
        offset: of its first byte there.
        size: in bytes.
        crc: the masked CRC-32C of these bytes.
        slices: what it is cut into; then there is nothing where it is said to be.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: tuple[Slice, ...] = ()

    @property
    def count(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @staticmethod
    def parsed(data: memoryview) -> BundleEntry:
        """An entry from its message."""
        numbers = dict.fromkeys((1, 3, 4, 5, 6), 0)
        shape: tuple[int, ...] = ()
        slices = []
        for number, value in values(data):
            if number == 2:
                shape = _shape(_message(value))
            elif number == 7:
                slices.append(Slice.parsed(_message(value)))
            elif number in numbers and isinstance(value, int):
                numbers[number] = signed(value)
        dtype, shard, offset, size, crc = numbers.values()
        if min(shard, offset, size) < 0:
            raise DataLossError("its place or size is negative")
        return BundleEntry(dtype, shape, shard, offset, size, crc, tuple(slices))

    def message(self) -> bytes:
        """The entry as a message."""
        shape = b"".join(delimited(2, whole(1, extent)) for extent in self.shape)
        return (
            whole(1, self.dtype)
            + delimited(2, shape)
            + whole(3, self.shard)
            + whole(4, self.offset)
            + whole(5, self.size)
            + fixed32(6, self.crc)
            + b"".join(delimited(7, part.message()) for part in self.slices)
        )


def _shape(data: memoryview) -> tuple[int, ...]:
    extents = []
    for number, value in values(data):
        if number == 2:
            found = dict(values(_message(value))).get(1, 0)
            extents.append(signed(found) if isinstance(found, int) else -1)
        elif number == 3 and value:
            raise DataLossError("its shape is not known")
    if len(extents) > MOST_RANK or any(extent < 0 for extent in extents):
        raise DataLossError(f"its shape is {show(tuple(extents[:MOST_RANK]))}")
    return tuple(extents)


def _message(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise DataLossError("a number stands in the place of a message")
    return value
