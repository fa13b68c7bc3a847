"""Compiling and linking: native results, and the caches in memory and on disk."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from thalweg.backends.native.cache.disk_cache import DiskCache
from thalweg.backends.native.llvm import compiler
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.base.errors import CompilerError

unary = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def adds(number: int) -> str:
    return f"""
        define i64 @kernel(i64 %x) {{
          %y = add i64 %x, {number}
          ret i64 %y
        }}"""


def call(address: int, argument: int) -> int:
    return int(unary(address)(argument))


def test_compiles_and_calls() -> None:
    jit = Jit()
    one, two = jit.compile([IrSource.of(adds(1)), IrSource.of(adds(2))])
    assert (call(one, 10), call(two, 10)) == (11, 12)
    assert (jit.stats.compiled, jit.stats.from_disk, jit.stats.from_memory) == (2, 0, 0)
    assert jit.stats.compile_seconds > 0
    assert jit.compile([]) == []


def test_the_same_text_is_the_same_code() -> None:
    jit = Jit()
    first, again = jit.compile([IrSource.of(adds(1)), IrSource.of(adds(1))])
    (later,) = jit.compile([IrSource.of(adds(1))])
    assert first == again == later
    assert (jit.stats.compiled, jit.stats.from_memory) == (1, 2)


def test_code_is_freed_when_nobody_uses_it_and_other_code_was_made_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thalweg.base.bounded_dict.MAX_ENTRIES", 4)
    jit = Jit()
    (used,) = jit.compile([IrSource.of(adds(1))])
    unused = weakref.ref(jit.compile([IrSource.of(adds(2))])[0]._code)
    for n in range(3, 20):
        assert call(jit.compile([IrSource.of(adds(n))])[0], 1) == n + 1
    assert unused() is None
    assert len(jit._code) <= 5
    assert call(used, 1) == 2
    assert jit.compile([IrSource.of(adds(1))]) == [used]
    assert jit.stats.compiled == 19
    (again,) = jit.compile([IrSource.of(adds(2))])
    assert call(again, 1) == 3
    assert jit.stats.compiled == 20


def test_only_the_kernel_itself_is_renamed() -> None:
    source = """
        @kernel.table = internal constant [2 x i64] [i64 5, i64 7]
        define i64 @kernel(i64 %x) {
          %small = icmp slt i64 %x, 2
          br i1 %small, label %read, label %recurse
        read:
          %at = getelementptr [2 x i64], ptr @kernel.table, i64 0, i64 %x
          %found = load i64, ptr %at
          ret i64 %found
        recurse:
          %less = sub i64 %x, 2
          %inner = call i64 @kernel(i64 %less)
          ret i64 %inner
        }"""
    jit = Jit()
    (address,) = jit.compile([IrSource.of(source)])
    assert [call(address, x) for x in range(4)] == [5, 7, 5, 7]


def test_calls_into_the_c_library_resolve() -> None:
    source = """
        declare double @tgamma(double)
        declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
        define double @kernel(double %x, ptr %to, i64 %bytes) {
          call void @llvm.memset.p0.i64(ptr %to, i8 1, i64 %bytes, i1 false)
          %y = call double @tgamma(double %x)
          ret double %y
        }"""
    jit = Jit()
    (address,) = jit.compile([IrSource.of(source)])
    function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_void_p, ctypes.c_int64)(
        address
    )
    memory = ctypes.create_string_buffer(5000)
    assert function(5.0, ctypes.addressof(memory), 4999) == 24.0
    assert memory.raw == b"\1" * 4999 + b"\0"


@pytest.mark.parametrize(
    "bad",
    [
        "define i64 @kernel(i64 %x) { ret i32 0 }",
        "define i64 @kernel(i64 %x) {\n br label %a\na:\n %y = add i64 %z, 1\n"
        " br label %b\nb:\n %z = add i64 %x, 1\n ret i64 %y\n}",
    ],
    ids=["syntax", "dominance"],
)
def test_rejected_code_is_shown(bad: str) -> None:
    jit = Jit()
    with pytest.raises(CompilerError, match=r"LLVM rejects this code(?s:.*)define i64 @k_"):
        jit.compile([IrSource.of(bad)])
    (address,) = jit.compile([IrSource.of(adds(3))])
    assert call(address, 1) == 4


def test_an_unresolved_function_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    jit = Jit()
    source = """
        declare i64 @thalweg_has_no_such_function(i64)
        define i64 @kernel(i64 %x) {
          %y = call i64 @thalweg_has_no_such_function(i64 %x)
          ret i64 %y
        }"""
    with pytest.raises(CompilerError, match="do not link"):
        jit.compile([IrSource.of(source)])
    assert "thalweg_has_no_such_function" in capfd.readouterr().err


def test_assembly_uses_whole_registers() -> None:
    target = Target.host()
    lanes = target.vector_bits // 32
    source = f"""
        define void @kernel(ptr %p) {target.attributes} {{
          %x = load <{lanes} x float>, ptr %p, align 4
          %y = fadd <{lanes} x float> %x, %x
          store <{lanes} x float> %y, ptr %p, align 4
          ret void
        }}"""
    register = {512: "zmm", 256: "ymm"}.get(target.vector_bits)
    assert register is None or register in Jit(target).assembly(source)


@pytest.mark.skipif(Target.host().architecture != "x86_64", reason="x86-64 levels")
def test_a_restricted_target_leaves_wide_registers_alone() -> None:
    target = Target.host().restricted("x86-64-v2")
    source = f"""
        define void @kernel(ptr %p) {target.attributes} {{
          %x = load <16 x float>, ptr %p, align 4
          %y = fadd <16 x float> %x, %x
          store <16 x float> %y, ptr %p, align 4
          ret void
        }}"""
    text = Jit(target).assembly(source)
    assert "xmm" in text
    assert "ymm" not in text
    assert "zmm" not in text


def test_disk_cache_survives_the_jit(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    Jit(cache=cache).compile([IrSource.of(adds(1)), IrSource.of(adds(2))])
    jit = Jit(cache=cache)
    one, two, three = jit.compile(
        [IrSource.of(adds(1)), IrSource.of(adds(2)), IrSource.of(adds(3))]
    )
    assert [call(address, 0) for address in (one, two, three)] == [1, 2, 3]
    assert (jit.stats.compiled, jit.stats.from_disk) == (1, 2)


def test_a_corrupted_object_is_compiled_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    Jit(cache=cache).compile([IrSource.of(adds(1))])
    (entry,) = tmp_path.iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 255
    entry.write_bytes(content)
    jit = Jit(cache=cache)
    (address,) = jit.compile([IrSource.of(adds(1))])
    assert call(address, 1) == 2
    assert (jit.stats.compiled, jit.stats.from_disk) == (1, 0)


@pytest.mark.skipif(Target.host().architecture != "x86_64", reason="x86-64 levels")
def test_objects_of_another_cpu_are_not_used(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    Jit(cache=cache).compile([IrSource.of(adds(1))])
    jit = Jit(Target.host().restricted("x86-64"), cache)
    jit.compile([IrSource.of(adds(1))])
    assert jit.stats.from_disk == 0


ANOTHER_PROCESS = """
import sys
import weakref
from pathlib import Path
from thalweg.backends.native.llvm.jit import Jit, IrSource
from thalweg.backends.native.cache.disk_cache import DiskCache
jit = Jit(cache=DiskCache(Path(sys.argv[1]), 1 << 20))
texts = ["define i64 @kernel(i64 %x) { ret i64 " + str(n) + " }" for n in range(5)]
jit.compile([IrSource.of(text) for text in texts])
print(jit.stats.compiled, jit.stats.from_disk)
"""


def test_disk_cache_across_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ANOTHER_PROCESS, str(tmp_path)]
    outputs = [subprocess.check_output(command, text=True).split() for _ in range(2)]
    assert outputs == [["5", "0"], ["0", "5"]]


def test_threads_share_a_jit() -> None:
    jit = Jit()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: jit.compile([IrSource.of(adds(n % 10))])[0], range(100)))
    assert [call(address, 0) for address in found] == [n % 10 for n in range(100)]
    assert (jit.stats.compiled, jit.stats.from_memory) == (10, 90)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_code_goes_with_its_jit() -> None:
    def executable() -> int:
        gc.collect()
        return sum(" r-xp " in line for line in Path("/proc/self/maps").read_text().splitlines())

    Jit().compile([IrSource.of(adds(1))])
    before = executable()
    jits = [Jit() for _ in range(10)]
    for jit in jits:
        jit.compile([IrSource.of(adds(1))])
    assert executable() > before
    jit = jits[0]
    jits.clear()
    del jit
    assert executable() <= before


COLUMN_SUM = """
    define float @kernel(ptr %x, i64 %rows, i64 %width) {
    entry:
      br label %body
    body:
      %i = phi i64 [ 0, %entry ], [ %next, %body ]
      %sum = phi float [ 0.0, %entry ], [ %more, %body ]
      %offset = mul i64 %i, %width
      %at = getelementptr float, ptr %x, i64 %offset
      %value = load float, ptr %at
      %more = fadd float %sum, %value
      %next = add i64 %i, 1
      %last = icmp eq i64 %next, %rows
      br i1 %last, label %done, label %body
    done:
      ret float %more
    }"""


def test_what_others_compile_is_as_it_was() -> None:
    """An option of LLVM belongs to the whole process: it is set for our own code alone."""
    jit = Jit()

    def compiled_by_others() -> str:
        machine = llvm.Target.from_default_triple().create_target_machine(opt=2)
        return str(machine.emit_assembly(llvm.parse_assembly(COLUMN_SUM)))

    before = compiled_by_others()
    ours = jit.assembly(COLUMN_SUM)
    jit.compile([IrSource.of(COLUMN_SUM)])
    with pytest.raises(CompilerError):
        jit.compile([IrSource.of("nonsense")])
    assert compiled_by_others() == before
    assert "imul" in ours or not jit.target.triple.startswith("x86_64")
    assert "imul" not in before


STEPS = [COLUMN_SUM.replace("add i64 %i, 1", f"add i64 %i, {n}") for n in range(1, 60)]


def ignore(_: bytes) -> None:
    """Nobody wants to keep the code."""


def test_one_native_call_makes_the_code_that_llvmlite_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LLVM makes the code of several modules at once, which llvmlite's lock prevents."""

    def codes(_: int) -> list[bytes]:
        made = compiler.Compiler(Target.host())
        return [begun.result() for begun in [made.begin(text, ignore) for text in STEPS]]

    with ThreadPoolExecutor(3) as pool:  # compilers side by side, of several threads each
        found = list(pool.map(codes, range(9)))
    assert compiler._native_compile() is not None
    monkeypatch.setattr(compiler, "_native_compile", lambda: None)
    alone = codes(0)
    assert len(set(alone)) == len(STEPS)
    assert found == [alone] * 9


def test_an_llvmlite_with_other_functions_is_called_as_it_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler._linked_compile.cache_clear()
    monkeypatch.setitem(compiler._FUNCTIONS, "ParseAssembly", "ptr (ptr, ptr)")
    assert compiler._native_compile() is None
    jit = Jit()
    (address,) = jit.compile([IrSource.of(adds(3))])
    compiler._linked_compile.cache_clear()
    monkeypatch.setitem(compiler._FUNCTIONS, "Unheard", "ptr (ptr, ptr)")
    assert compiler._native_compile() is None
    compiler._linked_compile.cache_clear()
    assert call(address, 4) == 7


@pytest.mark.parametrize("text", ["nonsense", "define i32 @kernel() {\n ret i64 1\n}"])
def test_what_is_wrong_with_a_text_is_said(text: str) -> None:
    made = compiler.Compiler(Target.host())
    with pytest.raises(CompilerError, match="LLVM rejects this code"):
        made.begin(text, ignore).result()
    assert made.begin(adds(1), ignore).result()  # it goes on


def test_what_was_begun_is_not_made_again(tmp_path: Path) -> None:
    jit, written = Jit(cache=DiskCache(tmp_path, 1 << 20)), []

    def source(number: int) -> IrSource:
        def write() -> str:
            written.append(number)
            return adds(number)

        return IrSource(f"adds {number}", write)

    jit.begin([source(1), source(2)])
    jit.begin([source(2), source(3)])
    assert written == [1, 2, 3]
    addresses = jit.compile([source(3), source(1)])
    assert [call(address, 1) for address in addresses] == [4, 2]
    assert written == [1, 2, 3]
    assert jit.stats.compiled == 2
    jit.begin([source(1)])
    assert call(jit.compile([source(2)])[0], 1) == 3
    assert written == [1, 2, 3]
    later = Jit(cache=DiskCache(tmp_path, 1 << 20))
    later.begin([source(1)])
    assert call(later.compile([source(1)])[0], 1) == 2
    assert (later.stats.from_disk, written) == (1, [1, 2, 3])


def test_a_module_that_was_begun_in_vain_can_be_compiled_again() -> None:
    jit, texts = Jit(), iter(["nonsense", adds(5)])
    source = IrSource("adds 5", lambda: next(texts))
    jit.begin([source])
    with pytest.raises(CompilerError):
        jit.compile([source])
    assert call(jit.compile([source])[0], 1) == 6


def test_the_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiler.Compiler(Target.host())
    monkeypatch.setattr(compiler, "_PATIENCE_S", 0.001)
    begun = [made.begin(text, ignore) for text in STEPS]
    threads = list(made._threads)
    assert 1 <= len(threads) <= made._most
    assert all(one.result() for one in begun)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not made._threads
    assert made.begin(adds(1), ignore).result()  # others are started


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_compiles_with_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_PATIENCE_S", 60.0)  # the parent's are still there
    made = compiler.Compiler(Target.host())
    assert made.begin(adds(1), ignore).result()
    child = os.fork()
    if not child:
        code = b""
        try:
            code = made.begin(adds(2), ignore).result()
        finally:
            os._exit(0 if code else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    monkeypatch.setattr(compiler, "_PATIENCE_S", 0.001)
    made.begin(adds(3), ignore).result()
