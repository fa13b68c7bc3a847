"""Native code from LLVM IR, with a memory: in this process by text, on disk as object code.

LLVM is loaded when something has to be compiled, and not where all the code is on disk.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from thalweg.backends.native.llvm import version
from thalweg.backends.native.llvm.loader import Loaded, load
from thalweg.backends.native.llvm.target import Target
from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.forks import ForkSafe
from thalweg.base.record import Record

if TYPE_CHECKING:
    from thalweg.backends.native.llvm.compiler import Compiler, Job

_KERNEL = re.compile(r"@kernel(?![\w.$-])")


class ObjectCache(Protocol):
    """Bytes by key; may forget."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keep the data under the key, if possible."""


class Stats(Record, frozen=False):
    """Where kernels came from, and the seconds it took their user: to write them, and to wait."""

    compiled: int = 0
    from_disk: int = 0
    from_memory: int = 0
    compile_seconds: float = 0.0
    link_seconds: float = 0.0


class IrSource(Record):
    """A module of IR that is written only if its code is not known yet.

    Attributes:
        key: what the text follows from, for this compiler; equal keys stand for equal texts.
        write: makes the text.
    """

    key: str
    write: Callable[[], str]

    @staticmethod
    def of(text: str) -> IrSource:
        """A text that is its own key."""
        return IrSource(text, lambda: text)


class Address(int):
    """Where code is. It stays there for as long as this number lives."""

    _code: Loaded

    @staticmethod
    def of(name: str, code: Loaded) -> Address:
        """The address of a symbol."""
        address = Address(code.addresses[name])
        address._code = code
        return address


class Jit(ForkSafe):
    """Compiles modules of IR, and keeps the code that is in use or was made lately in memory.

    A module defines one thing that is seen from outside, `@kernel`: a function, or a table of some.
    Safe to use from several threads, in signal handlers and after forks.

    Args:
        target: the CPU to compile for; by default this one.
        cache: where object code outlives the process, if anywhere.
    """

    fork_order = 2

    def __init__(self, target: Target | None = None, cache: ObjectCache | None = None) -> None:
        super().__init__()
        self.target = target or Target.host()
        self.stats = Stats()
        self._cache = cache
        self._begun: dict[str, bytes | Job] = {}
        # All code there is, by kernel, and the latest, which may be wanted again.
        self._code: WeakValueDictionary[str, Loaded] = WeakValueDictionary()
        self._latest: dict[str, Loaded] = BoundedDict()

    def begin(self, sources: Iterable[IrSource]) -> None:
        """Let other threads compile modules that will be wanted soon, as far as nobody has."""
        with self._lock:
            for source in sources:
                self._begin(_name(source.key), source)

    def compile(self, sources: Sequence[IrSource]) -> list[Address]:
        """The address of each module's `@kernel`; the same key gives the same while it is in use.

        Raises:
            CompilerError: LLVM rejects a text, or it calls a function that does not exist.
        """
        names = [_name(source.key) for source in sources]
        with self._lock:
            known = {name: code for name in names if (code := self._code.get(name))}
            new = {n: source for n, source in zip(names, sources, strict=True) if n not in known}
            self.stats.from_memory += len(sources) - len(new)
            for name, source in new.items():
                self._begin(name, source)
            # What a signal handler has linked meanwhile is no longer among those begun.
            done = {name: self._finished(name) for name in new if name in self._begun}
            if done:
                known.update(dict.fromkeys(done, self._link(done)))
            return [Address.of(name, known.get(name) or self._code[name]) for name in names]

    def assembly(self, source: str) -> str:
        """The assembly text of a module, for people to read."""
        return self._compiler.assembly(source)

    @cached_property
    def _compiler(self) -> Compiler:
        from thalweg.backends.native.llvm.compiler import Compiler

        return Compiler(self.target)

    def _begin(self, name: str, source: IrSource) -> None:
        if name in self._code or name in self._begun:
            return
        found = self._cached(name)
        self._begun[name] = self._making(name, source) if found is None else found

    def _making(self, name: str, source: IrSource) -> Job:
        """Object code that defines the kernel under its name, when it is made."""

        def keep(code: bytes) -> None:
            if self._cache:
                self._cache.put(self._key(name), code)

        with self._compiling():
            return self._compiler.begin(_KERNEL.sub(f"@{name}", source.write()), keep)

    def _finished(self, name: str) -> bytes:
        """The object code of a kernel that was begun."""
        begun = self._begun.pop(name)
        if isinstance(begun, bytes):
            return begun
        with self._compiling():
            code = begun.result()
        self.stats.compiled += 1
        return code

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """Notes how long it took."""
        start = time.perf_counter()
        yield
        self.stats.compile_seconds += time.perf_counter() - start

    def _cached(self, name: str) -> bytes | None:
        found = self._cache.get(self._key(name)) if self._cache else None
        if found is None or name.encode() not in found:  # it defines another kernel
            return None
        self.stats.from_disk += 1
        return found

    def _key(self, name: str) -> str:
        """What object code depends on: the key (in the kernel's name), the CPU, the compiler."""
        parts = (name, self.target, version.of_code())
        return f"code_{hashlib.sha256(repr(parts).encode()).hexdigest()}"

    def _link(self, objects: dict[str, bytes]) -> Loaded:
        start = time.perf_counter()
        code = load(objects) or self._compiler.load(objects)
        for name in objects:
            self._code[name] = self._latest[name] = code
        self.stats.link_seconds += time.perf_counter() - start
        return code


def _name(key: str) -> str:
    """A symbol for a kernel: object code on disk must not clash with any other's."""
    return f"k_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
