"""Tensors of strings in a bundle: their lengths, a checksum of these, and then all strings."""

from __future__ import annotations

import math

import numpy as np

from thalweg.base.errors import DataLossError
from thalweg.base.text import text_array
from thalweg.protos.wire import read_varint, varint
from thalweg.saving.crc32c import crc32c, masked
from thalweg.saving.tensor_file import Array

__all__ = ["read_strings", "write_strings"]

_SUM_BYTES = 4


def read_strings(data: memoryview, shape: tuple[int, ...], crc: int) -> Array:
    """The strings of a tensor; `crc` is the masked checksum that it should have.

    Raises:
        DataLossError: if they are damaged.
    """
    place, lengths = 0, []
    for _ in range(math.prod(shape)):
        length, place = read_varint(data, place)
        lengths.append(length)
    start = place + _SUM_BYTES
    if sum(lengths) != len(data) - start:
        raise DataLossError("its strings do not fill it")
    found = crc32c(data[place:], _sum_of_lengths(lengths))
    if masked(found) != crc:
        raise DataLossError("it has another checksum")
    made = np.empty(len(lengths), object)
    for n, length in enumerate(lengths):
        made[n] = bytes(data[start : start + length])
        start += length
    return made.reshape(shape)


def write_strings(array: Array) -> tuple[bytes, int]:
    """The bytes of a tensor of strings, and their masked checksum."""
    items = text_array(array).reshape(-1).tolist()
    lengths = [len(item) for item in items]
    crc = _sum_of_lengths(lengths)
    rest = masked(crc).to_bytes(_SUM_BYTES, "little") + b"".join(items)
    return b"".join(map(varint, lengths)) + rest, masked(crc32c(rest, crc))


def _sum_of_lengths(lengths: list[int]) -> int:
    return crc32c(b"".join(n.to_bytes(4 if n < 1 << 32 else 8, "little") for n in lengths))
