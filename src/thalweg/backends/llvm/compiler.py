"""Object code from LLVM IR, made by several threads at once.

llvmlite lets in one thread at a time. LLVM itself asks only that threads use different contexts and
different descriptions of the machine, which they do here. So the call in which it makes machine
code, three quarters of the time, is made without llvmlite's lock.

Loading this file loads llvmlite, so it is imported when the first kernel is compiled, not before.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite.binding import ffi

from thalweg.backends.llvm.target import Target
from thalweg.base import settings
from thalweg.base.errors import CompilerError

# The IR arrives in vector form with its invariants hoisted, so little is left to do. On a tiled
# convolution this list takes 9 ms and LLVM's O3 24 ms, for machine code of the same speed.
_PASSES = ("sroa", "simplify_cfg", "loop_rotate", "instruction_combine", "simplify_cfg")
_CODEGEN_LEVEL = 2
# Pointers that move with a loop are written so, and looking for others takes LLVM as long as all
# else that it does to make code.
_OPTION = "-disable-lsr"
_MOST_THREADS = 4  # so many keep up with the one that writes the texts

VERSION = (_PASSES, _CODEGEN_LEVEL, _OPTION, llvmlite.__version__, llvm.llvm_version_info)


class Compiler:
    """Compiles modules of IR. Safe to use from several threads.

    Args:
        target: the CPU to compile for.
    """

    def __init__(self, target: Target) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._target = target
        self._idle = [_Machine(target)]

    def linker(self) -> Any:
        """What loads the object code."""
        with self._machine() as machine:
            return llvm.create_lljit_compiler(machine.description, use_jit_link=True)

    def objects(self, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
        """Object code of modules, each as it is ready.

        While the next text is being written, others are compiled.

        Args:
            texts: a name and a module for each.

        Raises:
            CompilerError: LLVM rejects a text.
        """
        from concurrent.futures import ThreadPoolExecutor, as_completed

        threads = min(settings.num_threads(), _MOST_THREADS)
        with _our_option(), ThreadPoolExecutor(threads) as pool:
            making = {pool.submit(self._object, text): name for name, text in texts}
            for made in as_completed(making):
                yield making[made], made.result()

    def assembly(self, text: str) -> str:
        """The assembly text of a module, for people to read.

        Raises:
            CompilerError: LLVM rejects the text.
        """
        with _our_option(), self._machine() as machine, machine.optimised(text) as module:
            return str(machine.description.emit_assembly(module))

    def _object(self, text: str) -> bytes:
        with self._machine() as machine, machine.optimised(text) as module:
            return _emitted(machine.description, module)

    @contextmanager
    def _machine(self) -> Iterator[_Machine]:
        """A machine that no other thread has."""
        try:
            machine = self._idle.pop()
        except IndexError:
            machine = _Machine(self._target)
        try:
            yield machine
        finally:
            self._idle.append(machine)


class _Machine:
    """LLVM's description of a CPU, and what optimises for it: for one thread at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.description = llvm.Target.from_triple(target.triple).create_target_machine(
            cpu=target.cpu,
            features=target.features,
            opt=_CODEGEN_LEVEL,
            reloc="pic",
            codemodel="small",
            jit=True,
        )
        self._passes = llvm.create_pass_builder(
            self.description, llvm.create_pipeline_tuning_options()
        )

    @contextmanager
    def optimised(self, text: str) -> Iterator[Any]:
        """The module of a text, optimised.

        It has a context of its own, so that types and constants go when it goes; and it goes at
        once, before its context, which the garbage collector would not see to.
        """
        with closing(llvm.create_context()) as context, closing(self._parse(text, context)) as it:
            manager = llvm.create_new_module_pass_manager()
            for name in _PASSES:
                getattr(manager, f"add_{name}_pass")()
            manager.run(it, self._passes)
            yield it

    def _parse(self, text: str, context: Any) -> Any:
        try:
            module = llvm.parse_assembly(text, context)
        except RuntimeError as error:
            raise _rejected(text, error) from error
        module.triple = self._target.triple
        module.data_layout = str(self.description.target_data)
        try:
            module.verify()
        except RuntimeError as error:
            module.close()
            raise _rejected(text, error) from error
        return module


_option_lock = threading.Lock()
_option_users = 0


@contextmanager
def _our_option() -> Iterator[None]:
    """LLVM's option for our own code, which others in the process may not want."""
    _use_option(1)
    try:
        yield
    finally:
        _use_option(-1)


def _use_option(more: int) -> None:
    global _option_users
    with _option_lock:
        _option_users += more
        llvm.set_option("thalweg", f"{_OPTION}={int(_option_users > 0)}")


def _emitted(machine: Any, module: Any) -> bytes:
    """Object code: what `machine.emit_object(module)` returns, and with the same calls."""
    with ffi.OutputString() as error:
        buffer = _emit(machine, module, 1, error)
        if not buffer:
            raise CompilerError(f"LLVM makes no machine code: {error}")
    try:
        return ctypes.string_at(
            ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        )
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _without_lock(name: str) -> Any:
    """A function of llvmlite's library as llvmlite calls it, but for the lock."""
    locked = getattr(ffi.lib, name)
    function = getattr(ctypes.CDLL(ffi.lib._name), name)
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


_emit = _without_lock("LLVMPY_TargetMachineEmitToMemory")


def _rejected(text: str, error: RuntimeError) -> CompilerError:
    return CompilerError(f"LLVM rejects this code: {error}\n{text}")
