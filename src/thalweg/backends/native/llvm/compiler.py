"""Object code from LLVM IR, made by several threads while others write more of it.

llvmlite lets in one thread at a time, and each of its calls waits for Python's lock when it is
done, which the thread that plans and writes texts gives up only every few milliseconds. LLVM itself
asks only that threads use different contexts and different descriptions of the machine. So all that
it does with a text is one native call here, which LLVM compiles, too: a thread needs Python's lock
once for each module.

Loading this file loads llvmlite, so it is imported when the first kernel is compiled, not before.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cache, cached_property
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from thalweg.backends.native.llvm.loader import Loaded
from thalweg.backends.native.llvm.target import Target
from thalweg.backends.native.llvm.version import CODEGEN_LEVEL, OPTION, PASSES
from thalweg.base import settings
from thalweg.base.errors import CompilerError
from thalweg.base.forks import ForkSafe

_MOST_THREADS = 4  # so many keep up with the one that writes the texts
_LOOK_S = 0.1  # after which a thread that waits for code looks again
_PATIENCE_S = 0.02  # for which a thread waits for the next text: to write one takes about as long


class Job:
    """A text that another thread compiles.

    Args:
        text: the module.
        keep: called with its object code by the thread that made it.
    """

    def __init__(self, text: str, keep: Callable[[bytes], None]) -> None:
        self._text, self._keep = text, keep
        self._code: bytes | None = None
        self._error: BaseException | None = None
        self._ended = threading.Event()

    def do(self, machine: _Machine) -> None:
        """Compile it; what goes wrong is raised where the result is wanted."""
        try:
            with _our_option():
                code = machine.object(self._text)
            self._keep(code)
            self._code = code
        except BaseException as error:
            self._error = error
        self._ended.set()

    def reset_in_child(self) -> None:
        """Let no thread of a parent hold the event on which others wait."""
        self._ended = threading.Event()

    def result(self) -> bytes:
        """The object code, when it is made.

        Raises:
            CompilerError: LLVM rejects the text.
        """
        while self._code is None:
            if self._error is not None:
                raise self._error
            self._ended.wait(_LOOK_S)  # the event may be another one after a fork
        return self._code


class Compiler(ForkSafe):
    """Compiles modules of IR. Safe to use from several threads, and after a fork.

    Args:
        target: the CPU to compile for.
    """

    fork_order = 3

    def __init__(self, target: Target) -> None:
        super().__init__()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._target = target
        self._idle = [_Machine(target)]
        self._make_conditions()
        self._busy = 0  # threads that compile right now
        self._quiesced = False
        self._waiting: deque[Job] = deque()
        self._threads: set[threading.Thread] = set()
        self._names = itertools.count()

    def load(self, objects: Mapping[str, bytes]) -> Loaded:
        """Object code in memory, by LLVM's own linker; see `loader.load`.

        Raises:
            CompilerError: it calls a function that does not exist.
        """
        with self._in_llvm():
            builder = llvm.JITLibraryBuilder().add_current_process()  # memcpy, libm, pthreads
            for name, code in objects.items():
                builder.add_object_img(code).export_symbol(name)
            try:
                library = builder.link(self._linker, f"kernels{next(self._names)}")
            except RuntimeError as error:
                raise CompilerError(f"kernels do not link: {error}") from error
            return Loaded(library, {name: library[name] for name in objects})

    def begin(self, text: str, keep: Callable[[bytes], None]) -> Job:
        """Have another thread compile a module, and call `keep` with its object code.

        Raises:
            CompilerError: a thread of the parent that has forked this process was in LLVM.
        """
        if self.is_lost:
            raise CompilerError(
                "another thread was compiling when this process was forked, and did not come to an "
                "end: nothing new can be compiled in the child"
            )
        job = Job(text, keep)
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
            self._staff()
        return job

    def quiesce(self, seconds: float) -> bool:
        """Wait until no thread is inside of LLVM; see `ForkSafe`."""
        self._changed.acquire()
        self._quiesced = True
        if not self._ended.wait_for(lambda: not self._busy, seconds):
            self._quiesced = False
            self._changed.release()
            return False
        return True

    def resume(self) -> None:
        """Compile what waits; in the child of a fork, by new threads."""
        self._quiesced = False
        alive = {thread for thread in self._threads if thread.is_alive()}
        if alive != self._threads:
            self._threads = alive
            for job in self._waiting:
                job.reset_in_child()
        self._staff()
        self._changed.release()

    def reset_in_child(self, is_lost: bool) -> None:
        """Forget a thread that is inside of LLVM for ever."""
        if is_lost:
            super().reset_in_child(is_lost)
            self._make_conditions()
            self._waiting.clear()

    def _make_conditions(self) -> None:
        self._changed = threading.Condition(self._lock)
        self._ended = threading.Condition(self._lock)

    @contextmanager
    def _in_llvm(self) -> Iterator[None]:
        """Let a fork wait for this thread."""
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._ended.notify_all()

    def _staff(self) -> None:
        """Start threads for what waits, unless there are enough of them."""
        while len(self._threads) < min(len(self._waiting), self._most):
            thread = threading.Thread(target=self._work)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the process ends, and starts no thread any more
                self._threads.discard(thread)
                self._work()

    def assembly(self, text: str) -> str:
        """The assembly text of a module, for people to read.

        Raises:
            CompilerError: LLVM rejects the text.
        """
        with ExitStack() as stack:
            stack.enter_context(self._in_llvm())
            stack.enter_context(_our_option())
            machine = stack.enter_context(self._machine())
            module = stack.enter_context(machine.optimised(text))
            return str(machine.description.emit_assembly(module))

    def _work(self) -> None:
        """Compile what waits, until nothing has for a while."""
        with self._machine() as machine:
            while self._compiled_one(machine):
                pass

    def _compiled_one(self, machine: _Machine) -> bool:
        """Compile what has waited longest; false if nothing comes, and the thread is to end."""
        with self._changed:
            if not self._changed.wait_for(self._has_work, _PATIENCE_S):
                self._threads.discard(threading.current_thread())
                return False
            job = self._waiting.popleft()
            self._busy += 1
        job.do(machine)
        with self._changed:
            self._busy -= 1
            self._ended.notify_all()
        return True

    def _has_work(self) -> bool:
        return bool(self._waiting) and not self._quiesced

    @cached_property
    def _linker(self) -> Any:
        with self._machine() as machine:
            return llvm.create_lljit_compiler(machine.description, use_jit_link=True)

    @cached_property
    def _most(self) -> int:
        """How many threads may work."""
        return min(settings.num_threads(), _MOST_THREADS)

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
            opt=CODEGEN_LEVEL,
            reloc="pic",
            codemodel="small",
            jit=True,
        )
        self._passes = llvm.create_pass_builder(
            self.description, llvm.create_pipeline_tuning_options()
        )
        self._manager = llvm.create_new_module_pass_manager()
        for name in PASSES:
            getattr(self._manager, f"add_{name}_pass")()
        self._layout = str(self.description.target_data)

    def object(self, text: str) -> bytes:
        """Object code of a module.

        Raises:
            CompilerError: LLVM rejects the text.
        """
        compiled = _native_compile()
        strings = [s.encode() for s in (text, self._target.triple, self._layout)]
        address = compiled and compiled(*strings, self._manager, self._passes, self.description)
        if not address:
            return self._object(text)  # which says what is wrong
        buffer = ctypes.cast(address, ffi.LLVMMemoryBufferRef)
        try:
            return ctypes.string_at(
                ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
            )
        finally:
            ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)

    def _object(self, text: str) -> bytes:
        """The same by llvmlite's own calls."""
        with self.optimised(text) as module:
            code: bytes = self.description.emit_object(module)
            return code

    @contextmanager
    def optimised(self, text: str) -> Iterator[Any]:
        """The module of a text, optimised.

        It has a context of its own, so that types and constants go when it goes; and it goes at
        once, before its context, which the garbage collector would not see to.
        """
        with closing(llvm.create_context()) as context, closing(self._parse(text, context)) as it:
            self._manager.run(it, self._passes)
            yield it

    def _parse(self, text: str, context: Any) -> Any:
        try:
            module = llvm.parse_assembly(text, context)
        except RuntimeError as error:
            raise _rejected(text, error) from error
        module.triple = self._target.triple
        module.data_layout = self._layout
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
        llvm.set_option("thalweg", f"{OPTION}={int(_option_users > 0)}")


# What `_Machine.object` needs of llvmlite's library.
_FUNCTIONS = {
    "ContextCreate": "ptr ()",
    "ParseAssembly": "ptr (ptr, ptr, ptr)",
    "SetTarget": "void (ptr, ptr)",
    "SetDataLayout": "void (ptr, ptr)",
    "VerifyModule": "i8 (ptr, ptr)",
    "RunNewModulePassManager": "void (ptr, ptr, ptr)",
    "TargetMachineEmitToMemory": "ptr (ptr, ptr, i32, ptr)",
    "DisposeString": "void (ptr)",
    "DisposeModule": "void (ptr)",
    "ContextDispose": "void (ptr)",
}

# The object code of a text, or null. What is wrong is said to nobody: `%problem` and `%report` are
# freed.
_COMPILE = """
define ptr @compile(ptr %text, ptr %triple, ptr %layout, ptr %manager, ptr %passes, ptr %machine) {
  %problem = alloca ptr
  %report = alloca ptr
  store ptr null, ptr %problem
  store ptr null, ptr %report
  %context = call ptr @ContextCreate()
  %module = call ptr @ParseAssembly(ptr %context, ptr %text, ptr %problem)
  %parsed = icmp ne ptr %module, null
  br i1 %parsed, label %verify, label %end
verify:
  call void @SetTarget(ptr %module, ptr %triple)
  call void @SetDataLayout(ptr %module, ptr %layout)
  %wrong = call i8 @VerifyModule(ptr %module, ptr %report)
  %right = icmp eq i8 %wrong, 0
  br i1 %right, label %make, label %dispose
make:
  call void @RunNewModulePassManager(ptr %manager, ptr %module, ptr %passes)
  %code = call ptr @TargetMachineEmitToMemory(ptr %machine, ptr %module, i32 1, ptr %problem)
  br label %dispose
dispose:
  %verified = phi ptr [null, %verify], [%code, %make]
  call void @DisposeModule(ptr %module)
  br label %end
end:
  %made = phi ptr [null, %0], [%verified, %dispose]
  call void @ContextDispose(ptr %context)
  %said = load ptr, ptr %problem
  call void @DisposeString(ptr %said)
  %reported = load ptr, ptr %report
  call void @DisposeString(ptr %reported)
  ret ptr %made
}
"""


_linking = threading.Lock()


def _native_compile() -> Any:
    """The native call, or None if this llvmlite has not the functions that it is written for."""
    with _linking:
        return _linked_compile()


@cache
def _linked_compile() -> Any:
    functions = {name: getattr(ffi.lib, f"LLVMPY_{name}", None) for name in _FUNCTIONS}
    if not all(_takes(functions[name], kind) for name, kind in _FUNCTIONS.items()):
        return None
    machine = _Machine(Target.host())
    declared = [f"declare {kind.replace('(', f'@{n}(', 1)}" for n, kind in _FUNCTIONS.items()]
    builder = llvm.JITLibraryBuilder().export_symbol("compile")
    builder.add_object_img(machine._object("\n".join([*declared, _COMPILE])))
    library = ctypes.CDLL(ffi.lib._name)  # the functions themselves, without llvmlite's lock
    for name in _FUNCTIONS:
        address = ctypes.cast(getattr(library, f"LLVMPY_{name}"), ctypes.c_void_p).value
        builder.import_symbol(name, address)
    linker = llvm.create_lljit_compiler(machine.description, use_jit_link=True)
    linked = builder.link(linker, "compile")
    strings, objects = [ctypes.c_char_p] * 3, [ctypes.c_void_p] * 3
    call: Any = ctypes.CFUNCTYPE(ctypes.c_void_p, *strings, *objects)(linked["compile"])
    call.code = linker, linked  # lives as long
    return call


def _takes(function: Any, kind: str) -> bool:
    """Whether llvmlite calls a function with as many arguments as a type has."""
    if function is None:
        return False
    types = kind[kind.index("(") + 1 : -1]
    # llvmlite says nothing of the arguments of some that have none or one
    return function.argtypes is None or len(function.argtypes) == len(types.split(","))


def _rejected(text: str, error: RuntimeError) -> CompilerError:
    return CompilerError(f"LLVM rejects this code: {error}\n{text}")
