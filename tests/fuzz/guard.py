"""Guarded memory: arrays that end, or begin, exactly where memory that may be touched does.

With `use_guards`, everything that native code sees in this process lies like that: feeds, results,
constants, variables, each temporary by itself, what chains keep for an image, row numbers, the
words of the arguments, and staged copies, which are on the stack otherwise. Feeds and constants
cannot be written. What has not been written reads as NaN, or as another odd number. Programs run
on one thread, and each kernel notes that it begins, so that whoever finds the process dead can tell
which one it was.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native import backend as native
from thalweg.backends.native import compiled, parts
from thalweg.backends.native.llvm import emit
from thalweg.backends.protocol import BackendSettings
from thalweg.backends.state import address_of
from thalweg.kernels.memory import NOTHING, Arena, Lives
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.printer import show_nest
from thalweg.kernels.values import Value
from thalweg.session import feeds

Array = np.ndarray[Any, Any]
Side = Literal["end", "begin"]

NOTES = "THALWEG_TEST_NOTES"  # the environment variable with the folder of `Notes`

PAGE = mmap.PAGESIZE
UNWRITTEN = 0xFF  # in every byte: NaN in all floating types, -1 in the others
_NOTHING, _READ, _WRITE = 0, 1, 2  # what mprotect allows
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _protect(address: int, size: int, allowed: int) -> None:
    if size and _libc.mprotect(address, size, allowed):
        raise OSError(ctypes.get_errno(), "mprotect")


def _pages(size: int) -> int:
    """The size of the pages that so many bytes take."""
    return -(-size // PAGE) * PAGE


class Guards:
    """Makes arrays with a page that cannot be touched on either side; one of them touches it.

    Args:
        side: where an array lies directly at it.
    """

    def __init__(self, side: Side) -> None:
        self._side = side

    def place(self, size: int) -> int:
        """Where something of that size lies within its pages."""
        return _pages(size) - size if self._side == "end" else 0

    def empty(self, shape: Any, dtype: Any = float, alignment: int = 1) -> Array:
        """An array of odd numbers."""
        kind = np.dtype(dtype)
        extents = (shape,) if isinstance(shape, int | np.integer) else tuple(map(int, shape))
        size = math.prod(extents) * kind.itemsize
        whole = mmap.mmap(-1, _pages(size) + 2 * PAGE)  # lives as long as the array
        raw = np.frombuffer(whole, np.uint8)
        first = PAGE + self.place(size)
        array = raw[first : first + size]
        array.fill(UNWRITTEN)
        start = address_of(raw)
        _protect(start, PAGE, _NOTHING)
        _protect(start + len(raw) - PAGE, PAGE, _NOTHING)
        return np.asarray(array.view(kind).reshape(extents))

    def zeros(self, shape: Any, dtype: Any = float) -> Array:
        array = self.empty(shape, dtype)
        array.fill(0)
        return array

    def copy(self, source: Any, dtype: Any = None) -> Array:
        """A copy of an array or a list."""
        given = np.asarray(source, dtype)
        array = self.empty(given.shape, given.dtype)
        np.copyto(array, given)
        return array

    def constant(self, source: Any) -> Array:
        """A copy that cannot be written."""
        array = self.copy(source)
        _protect(address_of(array) // PAGE * PAGE, _pages(max(array.nbytes, 1)), _READ)
        return array


class GuardedArena(Arena):
    """An arena with nothing to touch but its values.

    Attributes:
        blocks: where each value's pages begin, and how many bytes they are.
    """

    blocks: tuple[tuple[int, int], ...] = ()


class Apart:
    """Places values in memory, each on pages of its own with others between.

    Chains of one program share memory otherwise; here each has a place of its own.
    """

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._used = 0

    def temporaries(self, lives: Lives, bytes_of: Callable[[Value], int]) -> Arena:
        """What `plan_memory` does, for the values that all threads share."""
        return self._placed(lives, bytes_of, 0)

    def private(self, lives: Lives, bytes_of: Callable[[Value], int]) -> Arena:
        """The same for those of a chain."""
        arena = self._placed(lives, bytes_of, self._used)
        self._used = max(self._used, arena.size)
        return arena

    def begin(self) -> None:
        """Another program."""
        self._used = 0

    def _placed(self, lives: Lives, bytes_of: Callable[[Value], int], start: int) -> Arena:
        offsets: dict[Value, int] = {}
        blocks = []
        end = start + PAGE
        for value in lives:
            size = bytes_of(value)
            offsets[value] = end + self._guards.place(size)
            blocks.append((end, _pages(size)))
            end += _pages(size) + PAGE
        return GuardedArena(offsets, end, tuple(blocks)) if blocks else NOTHING


class ArenaMemory:
    """The memory of a program's temporaries."""

    def __init__(self, size: int, blocks: Sequence[tuple[int, int]]) -> None:
        self._raw = np.frombuffer(mmap.mmap(-1, max(_pages(size), PAGE)), np.uint8)
        self._blocks = blocks
        self.address = address_of(self._raw)
        _protect(self.address, len(self._raw), _NOTHING)
        for first, length in blocks:
            _protect(self.address + first, length, _READ | _WRITE)

    def forget(self) -> None:
        """Make everything unwritten."""
        for first, length in self._blocks:
            self._raw[first : first + length] = UNWRITTEN


def _bind_arena(program: Any) -> None:
    """What a program does before each run."""
    own = getattr(program, "_guarded", None)
    if own is None:
        first = program._memory.size
        blocks = [*getattr(program._memory, "blocks", ())]
        for part in program._parts:
            blocks += [(first + at, size) for at, size in getattr(part.private, "blocks", ())]
        own = program._guarded = ArenaMemory(program.arena_bytes, blocks)
        for place, offset in program._temporaries:
            program._words[place] = own.address + offset
    own.forget()


class Notes:
    """Which kernel began last, in files that outlive the process.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._names = (folder / "names").open("a")
        with (folder / "last").open("w+b") as file:
            file.write(bytes(8))
            file.flush()
            self._last = np.frombuffer(mmap.mmap(file.fileno(), 8), np.int64)
        self._count = 0

    def instruction(self, what: str) -> str:
        """The instruction that notes that something begins."""
        self._count += 1
        self._names.write(what.replace("\n", "\x1f") + "\n")
        self._names.flush()
        to = f"ptr inttoptr (i64 {address_of(self._last)} to ptr)"
        return f"  store volatile i64 {self._count}, {to}"


def last_kernel(folder: Path) -> str:
    """What was running in the process that left these notes."""
    last, names = folder / "last", folder / "names"
    number = int.from_bytes(last.read_bytes(), "little") if last.exists() else 0
    if not number:
        return "no kernel had begun"
    return names.read_text().splitlines()[number - 1].replace("\x1f", "\n")


_HEAD = re.compile(r"(define void @kernel\([^{]*\{\n(?:\w+:\n)?)")
_STACK = re.compile(r"(%[\w.]+) = alloca \[(\d+) x (\w+)\], align 64")
_BYTES = {"half": 2, "bfloat": 2, "float": 4, "double": 8}
_kept: list[Array] = []  # for as long as there may be code that uses it


def _guarded_text(guards: Guards, notes: Notes | None, nest: Nest, text: str) -> str:
    """A kernel's code with its arrays on the stack elsewhere, which notes that it begins."""

    def elsewhere(found: re.Match[str]) -> str:
        name, count, element = found.groups()
        size = _BYTES.get(element) or max(int(element.strip("i")) // 8, 1)
        _kept.append(guards.empty(int(count) * size, np.uint8))
        return f"{name} = inttoptr i64 {address_of(_kept[-1])} to ptr"

    text = _STACK.sub(elsewhere, text)
    if notes is None:
        return text
    begins = notes.instruction(f"{', '.join(nest.ops)}\n{show_nest(nest)}")
    return _HEAD.sub(lambda found: f"{found[1]}{begins}\n", text)


def use_guards(side: Side) -> None:
    """Guard all memory that native code sees in this process from now on.

    The environment variable NOTES names a folder for `Notes`, if there is to be one.
    """
    guards = Guards(side)
    apart = Apart(guards)
    folder = os.environ.get(NOTES)
    notes = Notes(Path(folder)) if folder else None
    replace = setattr  # what is replaced has other types
    replace(memory, "empty", guards.empty)
    replace(memory, "zeros", guards.zeros)
    replace(memory, "array", guards.copy)
    replace(memory, "aligned_empty", guards.empty)
    replace(memory, "aligned_zeros", guards.zeros)
    replace(compiled, "_aligned", guards.constant)
    replace(native, "plan_memory", apart.temporaries)
    replace(parts, "plan_memory", apart.private)
    replace(native.NativeProgram, "_bind_arena", _bind_arena)
    replace(native, "parts_for", _preceded(parts.parts_for, apart.begin))
    for name in ("feed_array", "rows_array"):
        replace(feeds, name, _followed(getattr(feeds, name), guards.constant))
    own_emit = emit.emit

    def emit_guarded(nest: Nest, *rest: Any) -> str:
        return _guarded_text(guards, notes, nest, own_emit(nest, *rest))

    replace(emit, "emit", emit_guarded)
    own_init = native.NativeBackend.__init__

    def init_alone(backend: native.NativeBackend, settings: BackendSettings) -> None:
        own_init(
            backend, BackendSettings(1, settings.use_winograd)
        )  # stack arrays, which are guarded, serve one thread

    replace(native.NativeBackend, "__init__", init_alone)


def _preceded(function: Callable[..., Any], first: Callable[[], None]) -> Callable[..., Any]:
    def both(*args: Any) -> Any:
        first()
        return function(*args)

    return both


def _followed(function: Callable[..., Any], then: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args: then(function(*args))
