"""Kernels that time others: what stands in their place in the rows of a traced program. LLVM IR.

They read the clock before and after, and note both in the log of the thread that runs them. So the
driver knows nothing of tracing, and a program that is not traced has nothing to skip.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from thalweg.backends.native.driver import layouts
from thalweg.backends.native.driver.chain import chain_kernel
from thalweg.backends.native.llvm.jit import Address, IrSource, Jit
from thalweg.base.record import Record

# What counts on at one pace, whatever the CPU's own, and alike on all CPUs: `rdtsc` on x86, and
# `cntvct_el0` on ARM. (LLVM before 20 read another register there, which a program may not.)
_CLOCK = "@llvm.readcyclecounter()"

_NOTE = """
@kernel = constant [3 x ptr] [ptr @timed, ptr @timed_chain, ptr @ticks]
declare i64 @llvm.readcyclecounter()

define internal i64 @ticks() nounwind {{
  %now = call i64 {CLOCK}
  ret i64 %now
}}

define internal void @note(ptr %logs, i64 %thread, i64 %unit, i64 %tasks, i64 %start) nounwind {{
  %stop = call i64 {CLOCK}
  %offset = mul i64 %thread, {log.BYTES}
  %log = getelementptr i8, ptr %logs, i64 %offset
  %at_room = getelementptr i8, ptr %log, i64 {log.ROOM}
  %at_events = getelementptr i8, ptr %log, i64 {log.EVENTS}
  %count = load i64, ptr %log
  %room = load i64, ptr %at_room
  %events = load ptr, ptr %at_events
  %more = add i64 %count, 1
  store i64 %more, ptr %log
  %fits = icmp ult i64 %count, %room
  br i1 %fits, label %keep, label %done
keep:
  %event = getelementptr [{EVENT_WORDS} x i64], ptr %events, i64 %count
  %at_start = getelementptr i8, ptr %event, i64 8
  %at_stop = getelementptr i8, ptr %event, i64 16
  %at_tasks = getelementptr i8, ptr %event, i64 24
  store i64 %unit, ptr %event
  store i64 %start, ptr %at_start
  store i64 %stop, ptr %at_stop
  store i64 %tasks, ptr %at_tasks
  br label %done
done:
  ret void
}}

define internal void @timed(ptr %given, i64 %begin, i64 %end, i64 %thread) nounwind {{
  %at_args = getelementptr i8, ptr %given, i64 {timed.ARGS}
  %at_logs = getelementptr i8, ptr %given, i64 {timed.LOGS}
  %at_unit = getelementptr i8, ptr %given, i64 {timed.UNIT}
  %kernel = load ptr, ptr %given
  %args = load ptr, ptr %at_args
  %logs = load ptr, ptr %at_logs
  %unit = load i64, ptr %at_unit
  %tasks = sub i64 %end, %begin
  %start = call i64 {CLOCK}
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 %thread)
  call void @note(ptr %logs, i64 %thread, i64 %unit, i64 %tasks, i64 %start)
  ret void
}}
"""

_PRELUDE = """
  %at_args = getelementptr i8, ptr %given, i64 {timed.ARGS}
  %at_logs = getelementptr i8, ptr %given, i64 {timed.LOGS}
  %at_unit = getelementptr i8, ptr %given, i64 {timed.UNIT}
  %args = load ptr, ptr %at_args
  %logs = load ptr, ptr %at_logs
  %first_unit = load i64, ptr %at_unit"""

_BEFORE = """
  %start = call i64 {CLOCK}"""

_AFTER = """
  %unit = add i64 %first_unit, %i
  call void @note(ptr %logs, i64 %thread, i64 %unit, i64 %tasks, i64 %start)"""


class Timing(Record):
    """The native code of tracing.

    `kernel` and `chain` are addresses of kernels that take the words of a `TimedLayout`; `ticks()`
    reads the clock. They live as long as `table`, their address.
    """

    kernel: int
    chain: int
    ticks: Callable[[], int]
    table: Address


def load_timing(jit: Jit) -> Timing:
    """Compile the code, or find it compiled."""
    (table,) = jit.compile([IrSource.of(_text())])
    kernel, chain, ticks = (ctypes.c_int64 * 3).from_address(table)
    return Timing(kernel, chain, ctypes.CFUNCTYPE(ctypes.c_int64)(ticks), table)


def _text() -> str:
    words = {
        "CLOCK": _CLOCK,
        "EVENT_WORDS": layouts.EVENT_WORDS,
        "log": layouts.LogLayout,
        "timed": layouts.TimedLayout,
    }
    prelude, before, after = (part.format(**words) for part in (_PRELUDE, _BEFORE, _AFTER))
    return _NOTE.format(**words) + chain_kernel("timed_chain", "given", prelude, before, after)
