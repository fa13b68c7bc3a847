"""CRC-32C, the checksum of TensorFlow's files and of ours, in native code.

The polynomial is Castagnoli's, 0x1EDC6F41, which x86-64 (SSE 4.2) and ARM64 have an instruction
for. Other processors look eight bytes up in eight tables (Kounavis and Berry, A Systematic Approach
to Building High Performance, Software-based, CRC Generators, 2005: "slicing by 8").

The instruction takes three cycles, and a processor can begin one in each. So what is long is cut
into three parts, which are summed at the same time. The checksum of the whole follows from theirs,
since it is linear: a part that n bytes follow counts as its own checksum times x^8n, modulo the
polynomial (zlib's `crc32_combine`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from thalweg.backends.state import address_of

if TYPE_CHECKING:
    from thalweg.backends.native.llvm.jit import Jit
    from thalweg.backends.native.llvm.target import Target

__all__ = ["crc32c", "masked", "masked_crc32c"]

# An object with the buffer protocol; `collections.abc.Buffer` needs Python 3.12.
BytesLike: TypeAlias = Any

_ONES = 0xFFFFFFFF
_POLYNOMIAL = 0x82F63B78  # with the lowest power in the highest bit, as all that follows
_LONG = 1 << 20  # bytes from which on three parts pay for their combination, which takes 20 us


def crc32c(data: BytesLike, start: int = 0) -> int:
    """The CRC-32C of some bytes.

    Args:
        data: a contiguous object with the buffer protocol, such as bytes or an array of numbers.
        start: the checksum of what comes before, if the data goes on from there.

    Returns:
        an unsigned number of 32 bits: `crc32c(b + c) == crc32c(c, crc32c(b))`.
    """
    code = _shared_code()
    return _checksum(code, data, start ^ _ONES) ^ _ONES


def masked_crc32c(data: BytesLike) -> int:
    """The checksum as TensorFlow stores it, masked: data may itself hold checksums."""
    return masked(crc32c(data))


def masked(crc: int) -> int:
    """A checksum, masked."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ONES


class _Code:
    """The native functions: `one(data, bytes, crc)`, and `three(data, words, crcs)`."""

    def __init__(self, jit: Jit) -> None:
        from thalweg.backends.native.llvm.jit import IrSource

        (self._table,) = jit.compile([IrSource.of(_text(jit.target))])
        one, three = (ctypes.c_int64 * 2).from_address(self._table)
        word = ctypes.c_int64
        self.one: Callable[..., int] = ctypes.CFUNCTYPE(ctypes.c_uint32, word, word, word)(one)
        self.three: Callable[..., None] = ctypes.CFUNCTYPE(None, word, word, word)(three)


@cache
def _shared_code() -> _Code:
    from thalweg.backends.native.shared import shared_jit

    return _Code(shared_jit())


def _checksum(code: _Code, data: BytesLike, crc: int) -> int:
    """The checksum's register after some bytes, from that before."""
    array = np.frombuffer(data, np.uint8)
    at, length = address_of(array), array.nbytes
    if length >= _LONG:
        words = length // 24
        crcs = np.array([crc, 0, 0], np.uint32)
        code.three(at, words, address_of(crcs))
        first, second, third = crcs.tolist()
        crc = _times_power(_times_power(first, 8 * words) ^ second, 8 * words) ^ third
        at, length = at + 24 * words, length - 24 * words
    return code.one(at, length, crc)


def _times_power(crc: int, zeros: int) -> int:
    """The register after so many bytes of zeros: its polynomial times x^(8 * zeros)."""
    return _product(crc, _power(zeros))


@lru_cache(maxsize=64)
def _power(count: int) -> int:
    """x^(8 * count) modulo the polynomial, by repeated squaring."""
    result, square = 1 << 31, 1 << 23  # 1 and x^8
    while count:
        if count & 1:
            result = _product(result, square)
        square = _product(square, square)
        count >>= 1
    return result


def _product(a: int, b: int) -> int:
    """The product of two polynomials modulo the checksum's."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


# -- code

# What a step is on each kind of processor: `@step8` takes eight bytes and `@step1` one.
_X86 = """
declare i64 @llvm.x86.sse42.crc32.64.64(i64, i64)
declare i32 @llvm.x86.sse42.crc32.32.8(i32, i8)
define internal i32 @step8(i32 %crc, i64 %data) alwaysinline nounwind {
  %wide = zext i32 %crc to i64
  %next = call i64 @llvm.x86.sse42.crc32.64.64(i64 %wide, i64 %data)
  %narrow = trunc i64 %next to i32
  ret i32 %narrow
}
define internal i32 @step1(i32 %crc, i8 %data) alwaysinline nounwind {
  %next = call i32 @llvm.x86.sse42.crc32.32.8(i32 %crc, i8 %data)
  ret i32 %next
}
"""

_ARM = """
declare i32 @llvm.aarch64.crc32cx(i32, i64)
declare i32 @llvm.aarch64.crc32cb(i32, i32)
define internal i32 @step8(i32 %crc, i64 %data) alwaysinline nounwind {
  %next = call i32 @llvm.aarch64.crc32cx(i32 %crc, i64 %data)
  ret i32 %next
}
define internal i32 @step1(i32 %crc, i8 %data) alwaysinline nounwind {
  %wide = zext i8 %data to i32
  %next = call i32 @llvm.aarch64.crc32cb(i32 %crc, i32 %wide)
  ret i32 %next
}
"""

_TABLES = """
@tables = internal constant [2048 x i32] [{entries}]
define internal i32 @entry(i64 %at) alwaysinline nounwind {{
  %p = getelementptr i32, ptr @tables, i64 %at
  %value = load i32, ptr %p
  ret i32 %value
}}
define internal i32 @step8(i32 %crc, i64 %data) alwaysinline nounwind {{
  %wide = zext i32 %crc to i64
  %x0 = xor i64 %wide, %data
{steps}
  ret i32 %y8
}}
define internal i32 @step1(i32 %crc, i8 %data) alwaysinline nounwind {{
  %low = trunc i32 %crc to i8
  %byte = xor i8 %low, %data
  %at = zext i8 %byte to i64
  %found = call i32 @entry(i64 %at)
  %shifted = lshr i32 %crc, 8
  %next = xor i32 %found, %shifted
  ret i32 %next
}}
"""

_TABLE_STEP = """
  %b{n} = and i64 %x{n}, 255
  %i{n} = add i64 %b{n}, {first}
  %t{n} = call i32 @entry(i64 %i{n})
  %y{m} = xor i32 {before}, %t{n}
  %x{m} = lshr i64 %x{n}, 8
"""

_LOOPS = """
@kernel = constant [2 x ptr] [ptr @one, ptr @three]

define internal i64 @word(ptr %data, i64 %byte) alwaysinline nounwind {
  %p = getelementptr i8, ptr %data, i64 %byte
  %value = load i64, ptr %p, align 1
  ret i64 %value
}

define internal i32 @one(ptr %data, i64 %length, i64 %start) nounwind {
entry:
  %first = trunc i64 %start to i32
  %whole = and i64 %length, -8
  br label %words
words:
  %at = phi i64 [ 0, %entry ], [ %at_next, %take ]
  %crc = phi i32 [ %first, %entry ], [ %crc_next, %take ]
  %more = icmp ult i64 %at, %whole
  br i1 %more, label %take, label %bytes
take:
  %word = call i64 @word(ptr %data, i64 %at)
  %crc_next = call i32 @step8(i32 %crc, i64 %word)
  %at_next = add i64 %at, 8
  br label %words
bytes:
  %b = phi i64 [ %at, %words ], [ %b_next, %take_byte ]
  %c = phi i32 [ %crc, %words ], [ %c_next, %take_byte ]
  %more_bytes = icmp ult i64 %b, %length
  br i1 %more_bytes, label %take_byte, label %done
take_byte:
  %pb = getelementptr i8, ptr %data, i64 %b
  %byte = load i8, ptr %pb
  %c_next = call i32 @step1(i32 %c, i8 %byte)
  %b_next = add i64 %b, 1
  br label %bytes
done:
  ret i32 %c
}

define internal void @three(ptr %data, i64 %words, ptr %crcs) nounwind {
entry:
  %part = shl i64 %words, 3
  %data1 = getelementptr i8, ptr %data, i64 %part
  %data2 = getelementptr i8, ptr %data1, i64 %part
  %p1 = getelementptr i32, ptr %crcs, i64 1
  %p2 = getelementptr i32, ptr %crcs, i64 2
  %first0 = load i32, ptr %crcs
  %first1 = load i32, ptr %p1
  %first2 = load i32, ptr %p2
  br label %loop
loop:
  %at = phi i64 [ 0, %entry ], [ %next, %take ]
  %c0 = phi i32 [ %first0, %entry ], [ %n0, %take ]
  %c1 = phi i32 [ %first1, %entry ], [ %n1, %take ]
  %c2 = phi i32 [ %first2, %entry ], [ %n2, %take ]
  %more = icmp ult i64 %at, %part
  br i1 %more, label %take, label %done
take:
  %w0 = call i64 @word(ptr %data, i64 %at)
  %w1 = call i64 @word(ptr %data1, i64 %at)
  %w2 = call i64 @word(ptr %data2, i64 %at)
  %n0 = call i32 @step8(i32 %c0, i64 %w0)
  %n1 = call i32 @step8(i32 %c1, i64 %w1)
  %n2 = call i32 @step8(i32 %c2, i64 %w2)
  %next = add i64 %at, 8
  br label %loop
done:
  store i32 %c0, ptr %crcs
  store i32 %c1, ptr %p1
  store i32 %c2, ptr %p2
  ret void
}
"""


def _text(target: Target) -> str:
    """The functions for a processor."""
    if target.architecture == "x86_64" and target.has("sse4.2"):
        return _X86 + _LOOPS
    if target.architecture == "aarch64" and target.has("crc"):
        return _ARM + _LOOPS
    return _table_steps() + _LOOPS


def _table_steps() -> str:
    """The steps by tables: number k says what a byte does that k others follow."""
    table = [_times_power(byte, 1) for byte in range(256)]
    entries = list(table)
    for _ in range(7):
        table = [_times_power(entry, 1) for entry in table]
        entries += table
    steps = (
        _TABLE_STEP.format(n=n, m=n + 1, first=256 * (7 - n), before=f"%y{n}" if n else "0")
        for n in range(8)
    )
    return _TABLES.format(entries=", ".join(f"i32 {e}" for e in entries), steps="".join(steps))
