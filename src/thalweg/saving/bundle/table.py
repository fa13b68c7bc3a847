"""Sorted tables of keys and values: LevelDB's format, in which TensorFlow keeps the index.

    blocks of entries; an empty block; the block of handles; the footer

An entry has its key's length in common with the key before, the length of the rest, the length of
the value, the rest of the key, and the value. Some entries, the restarts, have nothing in common;
their places end a block. A handle is a block's place and size. Behind each block stand how it is
compressed, in a byte, and a masked CRC-32C. The footer has handles of the last two blocks.
See https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from thalweg.base.errors import DataLossError, UnimplementedError
from thalweg.protos.wire import read_varint, varint
from thalweg.saving.crc32c import masked_crc32c

__all__ = ["read_table", "write_table"]

_MARK = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER = 48  # bytes
_TRAILER = struct.Struct("<BI")  # how a block is compressed, and its checksum
_RAW, _SNAPPY = 0, 1
_BLOCK_BYTES = 1 << 18  # after which the writer ends a block
_RESTART = 16  # entries from one restart to the next
_MOST_KEYS = 16 << 20  # bytes of all keys together, beyond four times the file's


def read_table(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The keys and values of a table, in the order of the keys.

    Raises:
        DataLossError: if it is damaged, or no table.
        UnimplementedError: if it is compressed.
    """
    if len(data) < _FOOTER or bytes(data[-len(_MARK) :]) != _MARK:
        raise DataLossError("it does not end as an index does")
    footer = data[-_FOOTER:]
    _, place = _handle(footer, 0)
    handles, _ = _handle(footer, place)
    last, left = None, _MOST_KEYS + 4 * len(data)
    for _, value in _entries(_block(data, handles)):
        handle, _ = _handle(value, 0)
        for key, entry in _entries(_block(data, handle)):
            if last is not None and key <= last:
                raise DataLossError(f"the key {key[:60]!r} is not in its place")
            left -= len(key)
            if left < 0:
                raise DataLossError("its keys are longer than those of any index that is of use")
            yield key, entry
            last = key


def _handle(data: memoryview, place: int) -> tuple[tuple[int, int], int]:
    """A block's place and size, and what follows."""
    offset, place = read_varint(data, place)
    size, place = read_varint(data, place)
    return (offset, size), place


def _block(data: memoryview, handle: tuple[int, int]) -> memoryview:
    """The content of a block, as its checksum says."""
    offset, size = handle
    if offset + size + _TRAILER.size > len(data) - _FOOTER:
        raise DataLossError("a block goes beyond the end")
    compression, crc = _TRAILER.unpack_from(data, offset + size)
    if crc != masked_crc32c(data[offset : offset + size + 1]):
        raise DataLossError(f"the block at byte {offset:,} has another checksum")
    if compression == _SNAPPY:
        raise UnimplementedError("its index is compressed, which TensorFlow has long ceased to do")
    if compression != _RAW:
        raise DataLossError(f"the block at byte {offset:,} is of no known kind")
    return data[offset : offset + size]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    if len(block) < 4:
        raise DataLossError("a block is too short")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise DataLossError("a block is shorter than its list of restarts")
    key, place = b"", 0
    while place < end:
        shared, place = read_varint(block, place)
        unshared, place = read_varint(block, place)
        length, place = read_varint(block, place)
        if shared > len(key) or unshared + length > end - place:
            raise DataLossError("an entry goes beyond the end of its block")
        key = key[:shared] + bytes(block[place : place + unshared])
        place += unshared
        yield key, block[place : place + length]
        place += length


def write_table(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A table of keys and values, which come in the order of the keys."""
    made, handles = bytearray(), _TableBlock()
    block = _TableBlock()
    for key, value in entries:
        block.add(key, value)
        if len(block.content) >= _BLOCK_BYTES:
            handles.add(block.last, _written(made, block))
            block = _TableBlock()
    if block.count:
        handles.add(block.last, _written(made, block))
    footer = _written(made, _TableBlock()) + _written(made, handles)
    return bytes(made) + footer.ljust(_FOOTER - len(_MARK), b"\0") + _MARK


class _TableBlock:
    """A block that is being written."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.count = 0
        self.last = b""
        self._restarts = [0]

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry."""
        shared = 0
        if self.count % _RESTART:
            shared = _common(self.last, key)
        elif self.count:
            self._restarts.append(len(self.content))
        rest = key[shared:]
        self.content += varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        self.last = key
        self.count += 1

    def finished(self) -> bytes:
        """The entries and their restarts."""
        restarts = [*self._restarts, len(self._restarts)]
        return bytes(self.content) + struct.pack(f"<{len(restarts)}I", *restarts)


def _written(made: bytearray, block: _TableBlock) -> bytes:
    """Append a block; its handle."""
    place, content = len(made), block.finished()
    made += content + _TRAILER.pack(_RAW, masked_crc32c(content + bytes([_RAW])))
    return varint(place) + varint(len(content))


def _common(a: bytes, b: bytes) -> int:
    """How many bytes two keys begin with in common."""
    for place, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return place
    return min(len(a), len(b))
