"""Reads headers of safetensors files in memory that is bounded, whatever they hold.

A general JSON parser makes objects of everything it meets, and a list takes thirty times the memory
of its text. So only what a header may have is parsed: one entry at a time, each of bounded length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from thalweg.base.errors import DataLossError
from thalweg.saving.tensor_file import MOST_RANK

__all__ = ["Entry", "parse_header", "parse_strings"]

MOST_BYTES = 100_000_000  # of a header: the format's own limit
MOST_TENSORS = 250_000
MOST_ENTRY = 4096  # bytes of an entry
MOST_METADATA = 16 << 20  # bytes of all keys and strings

# Possessive, so that no memory is needed to go back.
_KEY = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+")\s*:\s*', re.S)
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.S)
_ENTRY = re.compile(rb"\{[^{}]*+\}")
_OPEN, _NEXT = re.compile(rb"\{\s*"), re.compile(rb"\s*([,}])")


class Entry(NamedTuple):
    """A tensor: its type by the format's name, its shape, and where its bytes begin and end."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def parse_header(header: memoryview) -> tuple[dict[str, Entry], dict[str, str]]:
    """The entries and the metadata of a header.

    Raises:
        DataLossError: if it is malformed, or larger than any that is of use.
    """
    if len(header) > MOST_BYTES:
        raise DataLossError(f"its header has {len(header):,} bytes, more than {MOST_BYTES:,}")
    if bytes(header[:1]) != b"{":
        raise DataLossError("its header does not begin with '{'")
    scanner = _Scanner(header)
    entries: dict[str, Entry] = {}
    metadata: dict[str, str] = {}
    seen_metadata = False
    for key in scanner.members():
        if key == "__metadata__" and not seen_metadata:
            seen_metadata, metadata = True, scanner.strings()
        elif key == "__metadata__" or key in entries:
            raise DataLossError(f"its header has {key!r} twice")
        elif len(entries) == MOST_TENSORS:
            raise DataLossError(f"it has more than {MOST_TENSORS:,} tensors")
        else:
            entries[key] = _entry(key, scanner.take(_ENTRY))
    if bytes(header[scanner.at :]).strip(b" "):
        raise DataLossError("its header has something after its end")
    return entries, metadata


def parse_strings(text: bytes) -> dict[str, str]:
    """A JSON object of strings.

    Raises:
        DataLossError: if it is none.
    """
    scanner = _Scanner(memoryview(text))
    made = scanner.strings()
    if scanner.at != len(text):
        raise DataLossError("its metadata has something after its end")
    return made


class _Scanner:
    """A place in a text."""

    def __init__(self, text: memoryview) -> None:
        self._text = text
        self.at = 0

    def take(self, pattern: re.Pattern[bytes], most: int = MOST_ENTRY, group: int = 0) -> Any:
        """What the pattern matches here, decoded from JSON; goes on behind it."""
        found = pattern.match(self._text, self.at, self.at + most)
        if found is None:
            raise DataLossError(f"its header is malformed at byte {self.at:,}")
        self.at = found.end()
        return _decoded(found[group])

    def members(self) -> Iterator[str]:
        """The keys of an object; whoever takes one takes its value before the next."""
        self._skip(_OPEN)
        if bytes(self._text[self.at : self.at + 1]) == b"}":
            self.at += 1
            return
        while True:
            key = self.take(_KEY, group=1)
            yield key
            if self._skip(_NEXT)[1] == b"}":
                return

    def strings(self) -> dict[str, str]:
        """An object of strings."""
        start, made = self.at, dict[str, str]()
        for key in self.members():
            if key in made:
                raise DataLossError(f"its metadata has {key!r} twice")
            made[key] = self.take(_TEXT, MOST_METADATA)
            if self.at - start > MOST_METADATA:
                raise DataLossError(f"its metadata has more than {MOST_METADATA:,} bytes")
        return made

    def _skip(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self._text, self.at)
        if found is None:
            raise DataLossError(f"its header is malformed at byte {self.at:,}")
        self.at = found.end()
        return found


def _decoded(text: bytes) -> Any:
    try:
        made = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
        if isinstance(made, str):
            made.encode()  # half a surrogate pair is no text
        return made
    except (ValueError, RecursionError):
        raise DataLossError(f"its header has a malformed value {text[:60]!r}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key appears twice")
    return made


def _entry(name: str, fields: Any) -> Entry:
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise DataLossError(f"the entry of {name!r} has other keys than it should")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or not _are_counts(shape) or len(shape) > MOST_RANK:
        raise DataLossError(f"{name!r} has a malformed type or shape")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise DataLossError(f"{name!r} has a malformed place")
    return Entry(dtype, tuple(shape), *offsets)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)
