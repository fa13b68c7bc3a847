"""Writes tensor bundles, of one data file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from thalweg.base.record import replace
from thalweg.saving.bundle.bundle import data_path
from thalweg.saving.bundle.entries import BundleEntry, Header, dtype_number
from thalweg.saving.bundle.strings import write_strings
from thalweg.saving.bundle.table import write_table
from thalweg.saving.crc32c import masked_crc32c
from thalweg.saving.files import remove, write_atomically

__all__ = ["write_bundle"]

Part: TypeAlias = tuple[Any, BundleEntry]


def write_bundle(prefix: str | os.PathLike[str], tensors: Mapping[str, Any]) -> None:
    """Write tensors as TensorFlow's checkpoints hold them.

    The index is written last, and one that was there is removed first: without it, the checkpoint
    is none. So it is whole, or absent.

    Args:
        prefix: of the files' names.
        tensors: arrays by name, of numbers, booleans or strings.

    Raises:
        DTypeError: for an element type that TensorFlow does not have.
        OSError: if the files cannot be written.
    """
    path = os.fspath(prefix)
    parts = [_part(np.asarray(tensors[name])) for name in sorted(tensors, key=str.encode)]
    remove(f"{path}.index")

    def write(file: BinaryIO) -> None:
        for data, _ in parts:
            file.write(data)

    write_atomically(data_path(path, 0, 1), write)
    table = write_table(_index(sorted(name.encode() for name in tensors), parts))
    write_atomically(f"{path}.index", lambda file: file.write(table))


def _part(array: Any) -> Part:
    """The bytes of a tensor, and its entry but for the place."""
    if array.dtype.kind in "OUS":
        data, crc = write_strings(array)
        return data, BundleEntry(
            dtype_number(np.dtype(object)), array.shape, size=len(data), crc=crc
        )
    plain = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    number = dtype_number(plain.dtype)
    flat = plain.reshape(-1).view(np.uint8)
    crc = masked_crc32c(flat)
    return flat.data, BundleEntry(number, plain.shape, size=flat.nbytes, crc=crc)


def _index(
    names: list[bytes], parts: list[tuple[Any, BundleEntry]]
) -> Iterator[tuple[bytes, bytes]]:
    yield b"", Header(1).message()
    offset = 0
    for name, (_, entry) in zip(names, parts, strict=True):
        yield name, replace(entry, offset=offset).message()
        offset += entry.size
