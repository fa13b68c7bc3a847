"""The native code that picks a mini-batch: a kernel like the others, a task for each row."""

from __future__ import annotations

from typing import Any

import numpy as np

# The arguments of the kernel: words, and after them the addresses of `PLACES` words.
SOURCE, ORDER, ROW_BYTES, ROWS, BUFFER, BUFFER_ROW_BYTES, PLACES, FIRST_PLACE = range(8)

LANES = 16  # elements converted at a time


def pick(source: np.dtype[Any], target: np.dtype[Any]) -> str:
    """The kernel for rows of one element type that are needed as another, a wider one."""
    same = source == target
    transfer = _COPY if same else _convert(source, target)
    return _PICK.replace("{SAME}", "true" if same else "false") + transfer


# Rows that lie one after the other are taken where they are: their address goes into the places.
# Otherwise that of the buffer does, into which they are copied. Whether they do is for every thread
# to see, and the one that has the first row writes the address. While a row is copied the next one
# is fetched, since the processor cannot guess where it is.
_PICK = f"""
define void @kernel(ptr %args, i64 %begin, i64 %end) nounwind {{
entry:
  %at_order = getelementptr i64, ptr %args, i64 {ORDER}
  %at_bytes = getelementptr i64, ptr %args, i64 {ROW_BYTES}
  %at_rows = getelementptr i64, ptr %args, i64 {ROWS}
  %at_buffer = getelementptr i64, ptr %args, i64 {BUFFER}
  %at_buffer_bytes = getelementptr i64, ptr %args, i64 {BUFFER_ROW_BYTES}
  %source = load ptr, ptr %args
  %order = load ptr, ptr %at_order
  %bytes = load i64, ptr %at_bytes
  %rows = load i64, ptr %at_rows
  %buffer = load ptr, ptr %at_buffer
  %buffer_bytes = load i64, ptr %at_buffer_bytes
  %first = load i64, ptr %order
  %first_offset = mul i64 %first, %bytes
  %lying = getelementptr i8, ptr %source, i64 %first_offset
  br label %check
check:
  %n = phi i64 [ 0, %entry ], [ %next_n, %compare ]
  %unchecked = icmp ult i64 %n, %rows
  br i1 %unchecked, label %compare, label %chosen
compare:
  %at_n = getelementptr i64, ptr %order, i64 %n
  %row_n = load i64, ptr %at_n
  %expected = add i64 %first, %n
  %next_n = add i64 %n, 1
  %follows = icmp eq i64 %row_n, %expected
  %in_row = and i1 %follows, {{SAME}}
  br i1 %in_row, label %check, label %chosen
chosen:
  %data = phi ptr [ %lying, %check ], [ %buffer, %compare ]
  %copies = phi i1 [ false, %check ], [ true, %compare ]
  %writes = icmp eq i64 %begin, 0
  br i1 %writes, label %write, label %written
write:
  %at_places = getelementptr i64, ptr %args, i64 {PLACES}
  %places = load i64, ptr %at_places
  %table = getelementptr i64, ptr %args, i64 {FIRST_PLACE}
  br label %write_head
write_head:
  %p = phi i64 [ 0, %write ], [ %next_p, %write_body ]
  %unwritten = icmp ult i64 %p, %places
  br i1 %unwritten, label %write_body, label %written
write_body:
  %at_place = getelementptr i64, ptr %table, i64 %p
  %place = load ptr, ptr %at_place
  store ptr %data, ptr %place
  %next_p = add i64 %p, 1
  br label %write_head
written:
  br i1 %copies, label %copy, label %done
copy:
  %i = phi i64 [ %begin, %written ], [ %next, %copied ]
  %at_row = getelementptr i64, ptr %order, i64 %i
  %row = load i64, ptr %at_row
  %offset = mul i64 %row, %bytes
  %from = getelementptr i8, ptr %source, i64 %offset
  %to_offset = mul i64 %i, %buffer_bytes
  %to = getelementptr i8, ptr %buffer, i64 %to_offset
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %ahead, label %copied
ahead:
  %at_next = getelementptr i64, ptr %order, i64 %next
  %next_row = load i64, ptr %at_next
  %next_offset = mul i64 %next_row, %bytes
  %next_from = getelementptr i8, ptr %source, i64 %next_offset
  br label %fetch
fetch:
  %byte = phi i64 [ 0, %ahead ], [ %next_byte, %fetch ]
  %line = getelementptr i8, ptr %next_from, i64 %byte
  call void @llvm.prefetch.p0(ptr %line, i32 0, i32 3, i32 1)
  %next_byte = add i64 %byte, 64
  %within = icmp ult i64 %next_byte, %bytes
  %near = icmp ult i64 %next_byte, 4096
  %fetches = and i1 %within, %near
  br i1 %fetches, label %fetch, label %copied
copied:
  call void @transfer(ptr %to, ptr %from, i64 %buffer_bytes)
  br i1 %more, label %copy, label %done
done:
  ret void
}}
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
"""

_COPY = """
define internal void @transfer(ptr %to, ptr %from, i64 %bytes) nounwind {
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  ret void
}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

# As many elements at a time as fit, then one by one.
_CONVERT = """
define internal void @transfer(ptr %to, ptr %from, i64 %bytes) nounwind {{
entry:
  %count = udiv i64 %bytes, {size}
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %many ], [ %following, %one ]
  %next = add i64 %i, {LANES}
  %following = add i64 %i, 1
  %at_from = getelementptr {source}, ptr %from, i64 %i
  %at_to = getelementptr {target}, ptr %to, i64 %i
  %fits = icmp ule i64 %next, %count
  br i1 %fits, label %many, label %few
many:
  %x = load <{LANES} x {source}>, ptr %at_from, align {source_size}
  %y = {how} <{LANES} x {source}> %x to <{LANES} x {target}>
  store <{LANES} x {target}> %y, ptr %at_to, align {size}
  br label %head
few:
  %left = icmp ult i64 %i, %count
  br i1 %left, label %one, label %done
one:
  %x1 = load {source}, ptr %at_from
  %y1 = {how} {source} %x1 to {target}
  store {target} %y1, ptr %at_to
  br label %head
done:
  ret void
}}
"""
_FLOATS = {2: "half", 4: "float", 8: "double"}


def _convert(source: np.dtype[Any], target: np.dtype[Any]) -> str:
    return _CONVERT.format(
        LANES=LANES,
        source=_type(source),
        target=_type(target),
        source_size=source.itemsize,
        size=target.itemsize,
        how=_conversion(source.kind, target.kind),
    )


def _type(dtype: np.dtype[Any]) -> str:
    return _FLOATS[dtype.itemsize] if dtype.kind == "f" else f"i{8 * dtype.itemsize}"


def _conversion(source: str, target: str) -> str:
    """The instruction for kinds of element types, as NumPy names them."""
    if source == "f":
        return "fpext"
    signed = source == "i"
    if target == "f":
        return "sitofp" if signed else "uitofp"
    return "sext" if signed else "zext"
