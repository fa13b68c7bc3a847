"""Reads tensor bundles: PREFIX.index and the data files that it speaks of."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping

import numpy as np

from thalweg.base.errors import DataLossError, UnimplementedError
from thalweg.base.shapes import show
from thalweg.saving.bundle.entries import STRING, BundleEntry, Header, Slice, numpy_dtype
from thalweg.saving.bundle.objects import full_names
from thalweg.saving.bundle.ordered_code import slice_key
from thalweg.saving.bundle.strings import read_strings
from thalweg.saving.bundle.table import read_table
from thalweg.saving.crc32c import masked_crc32c
from thalweg.saving.files import open_regular
from thalweg.saving.tensor_file import Array, Stored, TensorFile

__all__ = ["MANIFEST", "MANIFEST_KEY", "OBJECTS", "BundleFile", "data_path"]

MANIFEST = "_THALWEG_CHECKPOINT"  # the tensor that holds what TensorFlow has no place for
MANIFEST_KEY = "thalweg.checkpoint"  # the same in the metadata of any checkpoint
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
MOST_TENSORS = 250_000
MOST_SHARDS = 100_000  # what the names of data files have digits for
_UNKNOWN = np.dtype(np.void)  # of tensors that cannot be read


class BundleFile(TensorFile):
    """The tensors of a bundle, by name.

    A checkpoint of TensorFlow 2's objects has names such as `layer/kernel/.ATTRIBUTES/...`. Its
    tensors can also be asked for by the names of their variables, which are in `aliases`.

    Args:
        prefix: of the files' names.

    Raises:
        NotFoundError: if one of the files is missing.
        DataLossError: if they are damaged.
        UnimplementedError: if they are of a kind that is not known here.
    """

    def __init__(self, prefix: str) -> None:
        self.path = prefix
        try:
            self._open(_mapped(f"{prefix}.index"))
        except DataLossError as error:
            raise DataLossError(f"{prefix!r} is not a whole checkpoint: {error}") from None
        except UnimplementedError as error:
            raise UnimplementedError(f"the checkpoint {prefix!r}: {error}") from None

    def _open(self, index: memoryview) -> None:
        self._entries: dict[str, BundleEntry] = {}
        self._slices: dict[bytes, BundleEntry] = {}
        header = None
        for key, value in read_table(index):
            if header is None:
                header = _header(key, value)
            elif key[:1] == b"\0":
                self._slices[key] = BundleEntry.parsed(value)
            else:
                self._entries[_name(key)] = BundleEntry.parsed(value)
            if len(self._entries) + len(self._slices) > MOST_TENSORS:
                raise DataLossError(f"it has more than {MOST_TENSORS:,} tensors")
        if header is None:
            raise DataLossError("its index is empty")
        self._shards = _Shards(self.path, header.shards)
        _check_places(self._entries, self._slices, self._shards)
        hidden = {MANIFEST, OBJECTS} & self._entries.keys()
        self.stored = {n: _stored(e) for n, e in self._entries.items() if n not in hidden}
        self.aliases = full_names(self._text(OBJECTS), self.stored)
        self.metadata = (
            {"thalweg.checkpoint": text.decode()} if (text := self._text(MANIFEST)) else {}
        )

    def _text(self, name: str) -> bytes:
        """A string that the bundle has beside the tensors."""
        entry = self._entries.get(name)
        if entry is None or entry.dtype != STRING or entry.shape:
            return b""
        text: bytes = self._tensor(name, entry).item()
        return text

    def _read(self, name: str) -> Array:
        entry = self._entries[name]
        if self.stored[name].dtype == _UNKNOWN:
            numpy_dtype(entry.dtype)  # says what it is
        try:
            return self._joined(name, entry) if entry.slices else self._tensor(name, entry)
        except DataLossError as error:
            raise DataLossError(f"{self.path!r} is damaged: {name!r}: {error}") from None

    def _tensor(self, name: str, entry: BundleEntry) -> Array:
        data = self._shards.data(entry)
        if entry.dtype == STRING:
            return read_strings(data, entry.shape, entry.crc)
        if masked_crc32c(data) != entry.crc:
            raise DataLossError("it has another checksum")
        dtype = numpy_dtype(entry.dtype)
        array = np.frombuffer(data, dtype).reshape(entry.shape)
        return array if array.flags.aligned else array.copy()

    def _joined(self, name: str, entry: BundleEntry) -> Array:
        """A tensor that lies in slices."""
        parts = []
        for part in entry.slices:
            found = self._slices.get(slice_key(name, part))
            if found is None:
                raise DataLossError(f"the slice {part.extents} is missing")
            place = _place(part, entry.shape)
            if found.dtype != entry.dtype or found.shape != _shape_of(place):
                raise DataLossError(f"the slice {part.extents} has the shape {show(found.shape)}")
            parts.append((place, found))
        if sum(found.count for _, found in parts) != entry.count:
            raise DataLossError("its slices do not make the whole")
        made = np.empty(entry.shape, numpy_dtype(entry.dtype))
        covered = np.zeros(entry.shape, bool)
        for place, found in parts:
            made[place] = self._tensor(name, found)
            covered[place] = True
        if not covered.all():
            raise DataLossError("its slices overlap")
        return made


class _Shards:
    """The data files of a bundle."""

    def __init__(self, prefix: str, count: int) -> None:
        if not 1 <= count < MOST_SHARDS:
            raise DataLossError(f"it has {count} data files")
        self._prefix, self._count = prefix, count
        self._data: dict[int, memoryview] = {}

    def file(self, shard: int) -> memoryview:
        """The bytes of a data file."""
        if shard >= self._count:
            raise DataLossError(f"there is no data file {shard} of {self._count}")
        if shard not in self._data:
            self._data[shard] = _mapped(data_path(self._prefix, shard, self._count))
        return self._data[shard]

    def data(self, entry: BundleEntry) -> memoryview:
        """The bytes of a tensor."""
        return self.file(entry.shard)[entry.offset : entry.offset + entry.size]


def data_path(prefix: str, shard: int, shards: int) -> str:
    """The path of a data file."""
    return f"{prefix}.data-{shard:05d}-of-{shards:05d}"


def _mapped(path: str) -> memoryview:
    """The bytes of a file; they are read when they are used."""
    file = open_regular(path)
    try:
        if not os.fstat(file).st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_READ))
    finally:
        os.close(file)


def _header(key: bytes, value: memoryview) -> Header:
    if key:
        raise DataLossError("its index has no header")
    return Header.parsed(value)


def _name(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise DataLossError(f"the name {key[:60]!r} is not text") from None


def _check_places(
    entries: Mapping[str, BundleEntry], slices: Mapping[bytes, BundleEntry], shards: _Shards
) -> None:
    """Tensors lie within their files, and none has another's bytes."""
    ends: dict[int, int] = {}
    for entry in sorted(_with_data(entries, slices), key=lambda e: (e.shard, e.offset, e.size)):
        if entry.offset < ends.get(entry.shard, 0) and entry.size:
            raise DataLossError("two tensors have the same bytes")
        ends[entry.shard] = max(ends.get(entry.shard, 0), entry.offset + entry.size)
    for shard, end in ends.items():
        if end > len(shards.file(shard)):
            raise DataLossError(
                f"data file {shard} has {len(shards.file(shard)):,} bytes, and should have {end:,}"
            )


def _with_data(
    entries: Mapping[str, BundleEntry], slices: Mapping[bytes, BundleEntry]
) -> Iterator[BundleEntry]:
    """The entries that have bytes of their own; their sizes are right."""
    for entry in (*entries.values(), *slices.values()):
        if entry.slices:
            continue
        stored = _stored(entry)
        least = entry.count if stored.dtype == object else entry.count * stored.dtype.itemsize
        exact = stored.dtype not in (object, _UNKNOWN)
        if entry.size < least or (exact and entry.size != least):
            raise DataLossError(
                f"a tensor of the shape {show(entry.shape)} has {entry.size:,} bytes"
            )
        yield entry


def _stored(entry: BundleEntry) -> Stored:
    try:
        return Stored(numpy_dtype(entry.dtype), entry.shape)
    except UnimplementedError:
        return Stored(_UNKNOWN, entry.shape)


def _place(part: Slice, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The place of a slice in the tensor."""
    if len(part.extents) != len(shape):
        raise DataLossError(f"a slice has {len(part.extents)} axes, of {len(shape)}")
    place = []
    for (start, length), extent in zip(part.extents, shape, strict=True):
        stop = extent if length < 0 else start + length
        if not 0 <= start <= stop <= extent:
            raise DataLossError(f"the slice {part.extents} is not within {show(shape)}")
        place.append(slice(start, stop))
    return tuple(place)


def _shape_of(place: tuple[slice, ...]) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in place)
