"""Native code from LLVM IR, with a memory: in this process by text, on disk as object code.

Loading this file loads llvmlite, so it is imported when the first kernel is compiled, not before.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import llvmlite
import llvmlite.binding as llvm

from thalweg.backends.llvm.target import Target
from thalweg.base.errors import CompilerError

# The IR arrives in vector form with its invariants hoisted, so little is left to do. On a tiled
# convolution this list takes 9 ms and LLVM's O3 24 ms, for machine code of the same speed.
_PASSES = ("sroa", "simplify_cfg", "loop_rotate", "instruction_combine", "simplify_cfg")
_CODEGEN_LEVEL = 2
_VERSION = (_PASSES, _CODEGEN_LEVEL, llvmlite.__version__, llvm.llvm_version_info)

_KERNEL = re.compile(r"@kernel(?![\w.$-])")


class ObjectCache(Protocol):
    """Bytes by key; may forget."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keep the data under the key, if possible."""


@dataclass
class Stats:
    """Where kernels came from, and the seconds it took."""

    compiled: int = 0
    from_disk: int = 0
    from_memory: int = 0
    compile_seconds: float = 0.0
    link_seconds: float = 0.0


class Jit:
    """Compiles modules of IR and keeps their code in memory for as long as it lives itself.

    A module defines one function that is seen from outside, `@kernel`. Safe to use from several
    threads.

    Args:
        target: the CPU to compile for; by default this one.
        cache: where object code outlives the process, if anywhere.
    """

    def __init__(self, target: Target | None = None, cache: ObjectCache | None = None) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.target = target or Target.host()
        self.stats = Stats()
        self._cache = cache
        self._lock = threading.Lock()
        self._addresses: dict[str, int] = {}
        self._libraries: list[Any] = []
        self._names = itertools.count()
        self._machine = _target_machine(self.target)
        self._passes = llvm.create_pass_builder(
            self._machine, llvm.create_pipeline_tuning_options()
        )
        self._linker = llvm.create_lljit_compiler(self._machine, use_jit_link=True)

    def compile(self, sources: Sequence[str]) -> list[int]:
        """The address of each module's `@kernel`; the same text gives the same address.

        Raises:
            CompilerError: LLVM rejects a text, or it calls a function that does not exist.
        """
        names = [_name(source) for source in sources]
        with self._lock:
            known = self._addresses
            new = {
                name: text for name, text in zip(names, sources, strict=True) if name not in known
            }
            self.stats.from_memory += len(sources) - len(new)
            if new:
                self._link({name: self._object(name, text) for name, text in new.items()})
            return [known[name] for name in names]

    def assembly(self, source: str) -> str:
        """The assembly text of a module, for people to read."""
        with self._lock:
            return str(self._machine.emit_assembly(self._optimised(source)))

    def _object(self, name: str, source: str) -> bytes:
        """Object code that defines the kernel under `name`: from disk if it is there."""
        key = self._key(name)
        if self._cache and (found := self._cache.get(key)) is not None:
            self.stats.from_disk += 1
            return found
        start = time.perf_counter()
        module = self._optimised(_KERNEL.sub(f"@{name}", source))
        made = bytes(self._machine.emit_object(module))
        self.stats.compile_seconds += time.perf_counter() - start
        self.stats.compiled += 1
        if self._cache:
            self._cache.put(key, made)
        return made

    def _optimised(self, source: str) -> Any:
        module = self._parse(source)
        manager = llvm.create_new_module_pass_manager()
        for name in _PASSES:
            getattr(manager, f"add_{name}_pass")()
        manager.run(module, self._passes)
        return module

    def _parse(self, source: str) -> Any:
        try:
            # A context of its own, so that types and constants go when the module goes.
            module = llvm.parse_assembly(source, llvm.create_context())
            module.triple = self.target.triple
            module.data_layout = str(self._machine.target_data)
            module.verify()
        except RuntimeError as error:
            raise CompilerError(f"LLVM rejects this code: {error}\n{source}") from error
        return module

    def _key(self, name: str) -> str:
        """What object code depends on: the text (in the kernel's name), the CPU, the compiler."""
        return hashlib.sha256(repr((name, self.target, _VERSION)).encode()).hexdigest()

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


def _name(source: str) -> str:
    """A symbol for a kernel: object code on disk must not clash with any other's."""
    return f"k_{hashlib.sha256(source.encode()).hexdigest()[:32]}"


def _target_machine(target: Target) -> Any:
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=_CODEGEN_LEVEL,
        reloc="pic",
        codemodel="small",
        jit=True,
    )
