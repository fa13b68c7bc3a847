"""The format of an entry of the disk cache: what it says of itself, and what it holds.

    mark, version    that it is an entry, in this format
    lengths          of the key and of the data, in bytes
    digest           SHA-256 of all the rest
    key              what it was put under; it begins with the kind of the data
    data

An entry that was cut off, damaged, written in another format or put in another's place does not
fit its key, and is none. The digest tells of accidents; against other users, only entries that
are this user's own are read at all (`disk_cache`).
"""

from __future__ import annotations

import hashlib
import struct

_MARK, _VERSION = b"thalweg\0", 1
_HEAD = struct.Struct("<8sIIQ32s")
OVERHEAD = _HEAD.size  # bytes beside key and data


def seal(key: str, data: bytes) -> bytes:
    """The entry for data under a key."""
    name = key.encode()
    head = _HEAD.pack(_MARK, _VERSION, len(name), len(data), bytes(32))
    digest = hashlib.sha256(head)
    digest.update(name)
    digest.update(data)
    return b"".join((head[:-32], digest.digest(), name, data))


def unseal(key: str, content: bytes) -> bytes | None:
    """The data of an entry, if that is what the content is, whole and under this key."""
    name = key.encode()
    start = OVERHEAD + len(name)
    expected = _HEAD.pack(_MARK, _VERSION, len(name), max(len(content) - start, 0), bytes(32))
    if content[: OVERHEAD - 32] != expected[:-32] or content[OVERHEAD:start] != name:
        return None
    digest = hashlib.sha256(expected)
    digest.update(memoryview(content)[OVERHEAD:])
    return content[start:] if digest.digest() == content[OVERHEAD - 32 : OVERHEAD] else None
