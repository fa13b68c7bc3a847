"""Object code put where it can be called: what a linker does, for code such as kernels are.

A program whose code is on disk needs nothing else of LLVM, and to load LLVM would take a third of
its start. So code is placed here if it is ELF for x86-64, reads no data but its own, writes none of
it, and throws nothing. All there is to fill in then are distances in it, addresses in its tables,
and calls of functions that the process has. Any other code is for LLVM's own linker.

After the System V ABI (the format of object files) and its x86-64 supplement (relocations).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from thalweg.base.record import Record

_HEADER = struct.Struct("<7s9xHH20xQ10xHHH")
_OURS = (b"\x7fELF\x02\x01\x01", 1, 62)  # 64 bits, little-endian, version 1; an object; x86-64
_SECTION = struct.Struct("<IIQ8xQQIIQ8x")
_SYMBOL = struct.Struct("<I2xHQ8x")  # its name, its section, its offset there
_RELOCATION = struct.Struct("<QIIq")  # offset, type, symbol, addend

_PROGRAM, _SYMBOLS, _RELOCATIONS = 1, 2, 4  # types of sections
_WRITABLE, _LOADED = 1, 2  # flags of sections
_UNDEFINED = 0  # the section of a symbol that others define
_ADDRESS, _DISTANCE, _CALL = 1, 2, 4  # R_X86_64_64, R_X86_64_PC32 and R_X86_64_PLT32

_JUMP = b"\xff\x25\0\0\0\0"  # to the address in the eight bytes that follow
_LINE = 64  # bytes: code and constants do not share a line of the caches

_process = ctypes.CDLL(None)


class _UnsupportedError(Exception):
    """The code is for LLVM's linker."""


class Loaded(Record, eq=False):
    """Code in memory, for as long as this lives.

    Attributes:
        memory: what holds it.
        addresses: of the symbols that were wanted.
    """

    memory: object
    addresses: Mapping[str, int]


def load(objects: Mapping[str, bytes]) -> Loaded | None:
    """Place objects so that their code can be called.

    Args:
        objects: object code by the name of the symbol that is wanted of it. Of what other objects
            define it sees nothing.

    Returns:
        The code; None if it is for LLVM's linker: in another format or for another CPU, in need of
        something not mentioned above, or of a function that the process does not have.
    """
    image = _Image()
    try:
        places = {name: _Object(code, image).place(name) for name, code in objects.items()}
    except _UnsupportedError:
        return None
    memory = mmap.mmap(-1, len(image.content), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory.write(image.at(start))
    if _process.mprotect(
        ctypes.c_void_p(start), ctypes.c_size_t(len(memory)), mmap.PROT_READ | mmap.PROT_EXEC
    ):
        return None  # LLVM's linker says why, or knows another way
    return Loaded(memory, {name: start + place for name, place in places.items()})


class _Image:
    """What memory is to hold.

    Attributes:
        content: without the addresses that depend on where it will lie.
        pointers: where these are, and to which place in it each points.
    """

    def __init__(self) -> None:
        self.content = bytearray()
        self.pointers: dict[int, int] = {}

    def append(self, data: bytes) -> int:
        """The place of data that is added at the end."""
        self.content += bytes(-len(self.content) % _LINE)
        place = len(self.content)
        self.content += data
        return place

    def at(self, start: int) -> bytearray:
        """The content for memory that begins at an address."""
        for place, target in self.pointers.items():
            struct.pack_into("<Q", self.content, place, start + target)
        return self.content


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    offset: int
    size: int
    link: int  # of symbols: the section of their names; of relocations: that of the symbols
    info: int  # of relocations: the section that they are for
    alignment: int


class _Object:
    """Object code, and where its sections lie in the image that they are added to."""

    def __init__(self, code: bytes, image: _Image) -> None:
        *kind, offset, size, count, names = _HEADER.unpack_from(code.ljust(_HEADER.size))
        if tuple(kind) != _OURS or size != _SECTION.size:
            raise _UnsupportedError
        self._code, self._image = code, image
        table = code[offset : offset + size * count]
        self._sections = [_Section(*entry) for entry in _SECTION.iter_unpack(table)]
        self._names = names
        self._starts = {
            number: self._placed(section)
            for number, section in enumerate(self._sections)
            if section.flags & _LOADED
        }
        self._jumps: dict[str, int] = {}
        for section in self._sections:
            if section.type == _RELOCATIONS and section.info in self._starts:
                self._relocate(section)

    def place(self, name: str) -> int:
        """Where a symbol is in the image."""
        for section in self._sections:
            if section.type == _SYMBOLS:
                for at, owner, offset in self._entries(section, _SYMBOL):
                    if owner in self._starts and self._string(section.link, at) == name:
                        return self._starts[owner] + offset
        raise _UnsupportedError

    def _placed(self, section: _Section) -> int:
        """The place of a section that is now in the image."""
        constant = not section.flags & _WRITABLE or self._is_written_once(section)
        if section.type != _PROGRAM or section.alignment > _LINE or not constant:
            raise _UnsupportedError
        return self._image.append(self._content(section))

    def _is_written_once(self, section: _Section) -> bool:
        return self._string(self._names, section.name).startswith(".data.rel.ro")

    def _relocate(self, relocations: _Section) -> None:
        start = self._starts[relocations.info]
        symbols = [*self._entries(self._sections[relocations.link], _SYMBOL)]
        names = self._sections[relocations.link].link
        for offset, kind, number, addend in self._entries(relocations, _RELOCATION):
            place = start + offset
            name, section, value = symbols[number]
            if section in self._starts:
                target = self._starts[section] + value
            elif section == _UNDEFINED and kind == _CALL:
                target = self._jump(self._string(names, name))
            else:
                raise _UnsupportedError
            if kind == _ADDRESS:
                self._image.pointers[place] = target + addend
            elif kind in (_DISTANCE, _CALL):
                struct.pack_into("<i", self._image.content, place, target + addend - place)
            else:
                raise _UnsupportedError

    def _jump(self, name: str) -> int:
        """The place of a jump to a function of the process, which may lie too far for a call."""
        if name not in self._jumps:
            try:
                function = ctypes.cast(_process[name], ctypes.c_void_p).value
            except AttributeError:
                raise _UnsupportedError from None
            self._jumps[name] = self._image.append(_JUMP + struct.pack("<Q", function))
        return self._jumps[name]

    def _entries(self, section: _Section, layout: struct.Struct) -> Iterator[tuple[int, ...]]:
        return layout.iter_unpack(self._content(section))

    def _content(self, section: _Section) -> bytes:
        return self._code[section.offset : section.offset + section.size]

    def _string(self, section: int, at: int) -> str:
        """A name in a section of names."""
        start = self._sections[section].offset + at
        return self._code[start : self._code.index(0, start)].decode()
