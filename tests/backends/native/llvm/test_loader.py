"""Object code in memory: the loader against LLVM's own linker, and what it leaves to it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.backends.native.llvm.compiler import Compiler
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.llvm.loader import Loaded, load
from thalweg.backends.native.llvm.target import Target

LINUX = "x86_64-unknown-linux-gnu"

here = pytest.mark.skipif(
    sys.platform != "linux" or Target.host().architecture != "x86_64",
    reason="what it places runs on Linux on x86-64",
)
compiler = Compiler(Target.host())
unary = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def compiled(text: str) -> bytes:
    """Object code for this machine."""
    return compiler.begin(text, lambda code: None).result()


def made_for(
    triple: str, text: str = "define i64 @kernel(i64 %x) nounwind { ret i64 %x }"
) -> bytes:
    """Object code for some machine."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        opt=2, reloc="pic", codemodel="small", jit=True
    )
    module = llvm.parse_assembly(text)
    module.triple = triple
    code: bytes = machine.emit_object(module)
    return code


def found(loaded: Loaded | None, name: str = "kernel") -> int:
    assert loaded is not None
    return loaded.addresses[name]


# Constants of 4 to 64 bytes in sections of their own, a table that is found by a distance, memory
# that the C library sets, a function that it computes, and one that calls itself.
EVERYTHING = """
@table = internal constant [5 x i64] [i64 3, i64 1, i64 4, i64 1, i64 5]
declare double @lgamma(double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define internal i64 @down(i64 %x) nounwind noinline {
  %small = icmp slt i64 %x, 1
  br i1 %small, label %end, label %more
more:
  %less = sub i64 %x, 1
  %rest = call i64 @down(i64 %less)
  %sum = add i64 %rest, %x
  ret i64 %sum
end:
  ret i64 0
}
define i64 @kernel(i64 %x) nounwind {
  %room = alloca [4000 x i8]
  call void @llvm.memset.p0.i64(ptr %room, i8 1, i64 4000, i1 false)
  %at = getelementptr i8, ptr %room, i64 %x
  %set = load i8, ptr %at
  %one = zext i8 %set to i64
  %index = urem i64 %x, 5
  %in_table = getelementptr [5 x i64], ptr @table, i64 0, i64 %index
  %digit = load i64, ptr %in_table
  %float = sitofp i64 %x to double
  %near = fadd double %float, 2.5
  %gamma = call double @lgamma(double %near)
  %scaled = fmul double %gamma, 1000.0
  %round = fptosi double %scaled to i64
  %first = insertelement <4 x i64> poison, i64 %x, i32 0
  %all = shufflevector <4 x i64> %first, <4 x i64> poison, <4 x i32> zeroinitializer
  %weighted = mul <4 x i64> %all, <i64 3, i64 5, i64 7, i64 11>
  %across = call i64 @llvm.vector.reduce.add.v4i64(<4 x i64> %weighted)
  %deep = call i64 @down(i64 %x)
  %a = add i64 %one, %digit
  %b = add i64 %a, %round
  %c = add i64 %b, %across
  %d = add i64 %c, %deep
  ret i64 %d
}
declare i64 @llvm.vector.reduce.add.v4i64(<4 x i64>)
"""


@here
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20, unique=True), st.integers(0, 3999))
def test_code_does_what_it_does_where_llvm_places_it(numbers: list[int], argument: int) -> None:
    texts = {f"k{n}": EVERYTHING.replace("i64 3,", f"i64 {n},") for n in numbers[:2]}
    objects = {n: compiled(t.replace("@kernel", f"@{n}")) for n, t in texts.items()}
    ours, theirs = load(objects), compiler.load(objects)
    for name in objects:
        expected = unary(found(theirs, name))(argument)
        assert unary(found(ours, name))(argument) == expected


@here
def test_a_table_holds_the_addresses_of_functions() -> None:
    table = """
        define internal i64 @one(i64 %x) nounwind { ret i64 1 }
        define internal i64 @half(i64 %x) nounwind {
          %y = sdiv i64 %x, 2
          ret i64 %y
        }
        @kernel = constant [2 x ptr] [ptr @one, ptr @half]"""
    loaded = load({"kernel": compiled(table)})
    one, half = (ctypes.c_int64 * 2).from_address(found(loaded))
    assert (unary(one)(10), unary(half)(10)) == (1, 5)


@here
def test_objects_see_nothing_of_each_other() -> None:
    parts = """
        define i64 @helper() nounwind noinline {{ ret i64 {} }}
        define i64 @{}(i64 %x) nounwind {{
          %y = call i64 @helper()
          ret i64 %y
        }}"""
    objects = {name: compiled(parts.format(n, name)) for n, name in enumerate(("a", "b", "c"))}
    loaded = load(objects)
    assert [unary(found(loaded, name))(0) for name in objects] == [0, 1, 2]


@here
def test_code_cannot_be_written_over() -> None:
    loaded = load({"kernel": compiled("define i64 @kernel(i64 %x) nounwind { ret i64 %x }")})
    start = found(loaded)
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, access, *_ = line.split()
        low, high = (int(number, 16) for number in place.split("-"))
        if low <= start < high:
            assert access == "r-xp"
            return
    pytest.fail("it is not in memory")


COUNT = """
    @count = internal global i64 {}
    define i64 @kernel(i64 %x) nounwind {{
      %old = load i64, ptr @count
      %new = add i64 %old, %x
      store i64 %new, ptr @count
      ret i64 %new
    }}"""

UNSUPPORTED = {
    "data that is written": COUNT.format(7),
    "data that begins as zero": COUNT.format(0),
    "data of others": """
        @environ = external global ptr
        define i64 @kernel(i64 %x) nounwind {
          %at = load ptr, ptr @environ
          %there = icmp ne ptr %at, null
          %y = zext i1 %there to i64
          ret i64 %y
        }""",
    "a function that nobody has": """
        declare i64 @thalweg_has_no_such_function(i64)
        define i64 @kernel(i64 %x) nounwind {
          %y = call i64 @thalweg_has_no_such_function(i64 %x)
          ret i64 %y
        }""",
    "no such symbol": "define i64 @colonel(i64 %x) nounwind { ret i64 %x }",
    "code that can be unwound": "define i64 @kernel(i64 %x) uwtable { ret i64 %x }",
}


@pytest.mark.parametrize("text", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_is_for_llvm(text: str) -> None:
    assert load({"kernel": made_for(LINUX, text)}) is None


@pytest.mark.parametrize(
    "triple", ["aarch64-unknown-linux-gnu", "arm64-apple-darwin23", "x86_64-apple-darwin23"]
)
def test_code_of_other_machines_and_formats_is_for_llvm(triple: str) -> None:
    assert load({"kernel": made_for(triple)}) is None


@pytest.mark.parametrize("code", [b"", b"\x7fELF", b"\0" * 64, b"nothing that is object code" * 9])
def test_other_bytes_are_for_llvm(code: bytes) -> None:
    assert load({"kernel": code}) is None


def test_llvm_places_what_the_loader_leaves_to_it() -> None:
    jit = Jit()
    (address,) = jit.compile([IrSource.of(UNSUPPORTED["data that is written"])])
    assert [unary(address)(5) for _ in range(3)] == [12, 17, 22]


FROM_DISK = """
import sys
import numpy as np
before = set(sys.modules)
import thalweg as tf

x = tf.placeholder(tf.float32, [None, 8])
w = tf.Variable(tf.random_normal([8, 3], seed=1))
loss = tf.reduce_mean(tf.nn.softmax(tf.matmul(x, w)) ** 2)
step = tf.train.AdamOptimizer(0.01).minimize(loss)
with tf.Session() as session:
    for _ in range(3):
        print(session.run([loss, step], {x: np.ones((4, 8))})[0].tobytes().hex())
heavy = {"llvmlite.binding", "thalweg.kernels.schedules.choose", "tempfile"}
heavy.add("thalweg.backends.native.llvm.emit")
print(*sorted(heavy & set(sys.modules) - before), file=sys.stderr)
"""


@here
def test_a_program_whose_code_is_on_disk_loads_neither_llvm_nor_what_plans_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    command = [sys.executable, "-c", FROM_DISK]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stderr.split()) == 4
    assert not runs[1].stderr.split()
