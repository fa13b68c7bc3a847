"""Native code from LLVM IR, with a memory: in this process by text, on disk as object code.

Loading this file loads llvmlite, so it is imported when the first kernel is compiled, not before.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import llvmlite.binding as llvm

from thalweg.backends.llvm.compiler import VERSION, Compiler
from thalweg.backends.llvm.target import Target
from thalweg.base.errors import CompilerError
from thalweg.base.record import Record

_KERNEL = re.compile(r"@kernel(?![\w.$-])")


class ObjectCache(Protocol):
    """Bytes by key; may forget."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keep the data under the key, if possible."""


class Stats(Record, frozen=False):
    """Where kernels came from, and the seconds it took."""

    compiled: int = 0
    from_disk: int = 0
    from_memory: int = 0
    compile_seconds: float = 0.0
    link_seconds: float = 0.0


class Source(Record):
    """A module of IR that is written only if its code is not known yet.

    Attributes:
        key: what the text follows from, for this compiler; equal keys stand for equal texts.
        write: makes the text.
    """

    key: str
    write: Callable[[], str]

    @staticmethod
    def of(text: str) -> Source:
        """A text that is its own key."""
        return Source(text, lambda: text)


class Jit:
    """Compiles modules of IR and keeps their code in memory for as long as it lives itself.

    A module defines one function that is seen from outside, `@kernel`. Safe to use from several
    threads.

    Args:
        target: the CPU to compile for; by default this one.
        cache: where object code outlives the process, if anywhere.
    """

    def __init__(self, target: Target | None = None, cache: ObjectCache | None = None) -> None:
        self.target = target or Target.host()
        self.stats = Stats()
        self._cache = cache
        self._lock = threading.Lock()
        self._addresses: dict[str, int] = {}
        self._libraries: list[Any] = []
        self._names = itertools.count()
        self._compiler = Compiler(self.target)
        self._linker = self._compiler.linker()

    def compile(self, sources: Sequence[Source]) -> list[int]:
        """The address of each module's `@kernel`; the same key gives the same address.

        Raises:
            CompilerError: LLVM rejects a text, or it calls a function that does not exist.
        """
        names = [_name(source.key) for source in sources]
        with self._lock:
            known = self._addresses
            new = {n: source for n, source in zip(names, sources, strict=True) if n not in known}
            self.stats.from_memory += len(sources) - len(new)
            if new:
                self._link(self._objects(new))
            return [known[name] for name in names]

    def assembly(self, source: str) -> str:
        """The assembly text of a module, for people to read."""
        return self._compiler.assembly(source)

    def _objects(self, sources: Mapping[str, Source]) -> dict[str, bytes]:
        """Object code that defines each kernel under its name: from disk if it is there."""
        found = {name: self._cached(name) for name in sources}
        missing = {name: source for name, source in sources.items() if found[name] is None}
        made = self._made(missing) if missing else {}
        return {name: code for name, code in found.items() if code is not None} | made

    def _made(self, sources: Mapping[str, Source]) -> dict[str, bytes]:
        """Object code of kernels that nobody has compiled yet."""
        start = time.perf_counter()
        texts = ((n, _KERNEL.sub(f"@{n}", source.write())) for n, source in sources.items())
        made: dict[str, bytes] = {}
        for name, code in self._compiler.objects(texts):
            made[name] = code
            if self._cache:
                self._cache.put(self._key(name), code)
        self.stats.compiled += len(made)
        self.stats.compile_seconds += time.perf_counter() - start
        return made

    def _cached(self, name: str) -> bytes | None:
        found = self._cache.get(self._key(name)) if self._cache else None
        self.stats.from_disk += found is not None
        return found

    def _key(self, name: str) -> str:
        """What object code depends on: the key (in the kernel's name), the CPU, the compiler."""
        return hashlib.sha256(repr((name, self.target, VERSION)).encode()).hexdigest()

    def _link(self, objects: dict[str, bytes]) -> None:
        start = time.perf_counter()
        builder = llvm.JITLibraryBuilder().add_current_process()  # memcpy, libm, pthreads
        for name, code in objects.items():
            builder.add_object_img(code).export_symbol(name)
        try:
            library = builder.link(self._linker, f"kernels{next(self._names)}")
        except RuntimeError as error:
            raise CompilerError(f"kernels do not link: {error}") from error
        self._libraries.append(library)
        self._addresses.update((name, library[name]) for name in objects)
        self.stats.link_seconds += time.perf_counter() - start


def _name(key: str) -> str:
    """A symbol for a kernel: object code on disk must not clash with any other's."""
    return f"k_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
