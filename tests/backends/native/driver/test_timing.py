"""Kernels that time others: what they note, and the code that they become on ARM."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest

from thalweg.backends.native.driver import timing
from thalweg.backends.native.driver.driver import load_driver
from thalweg.backends.native.driver.layouts import EVENT_WORDS, SERIAL, LogLayout
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.tracing import Clock

COUNT = """
define void @kernel(ptr %args, i64 %begin, i64 %end, i64 %thread) {
  %old = load i64, ptr %args
  %tasks = sub i64 %end, %begin
  %new = add i64 %old, %tasks
  store i64 %new, ptr %args
  ret void
}"""


@pytest.mark.parametrize("room", [8, 2])
def test_calls_are_noted_until_the_log_is_full(room: int) -> None:
    jit = Jit()
    native, code = load_driver(jit), timing.load_timing(jit)
    (kernel,) = jit.compile([IrSource.of(COUNT)])
    counter, events = np.zeros(1, np.int64), np.zeros((room, EVENT_WORDS), np.int64)
    log = np.zeros(LogLayout.BYTES // 8, np.int64)
    log[LogLayout.ROOM // 8], log[LogLayout.EVENTS // 8] = room, events.ctypes.data
    blocks = [
        np.array([kernel, counter.ctypes.data, log.ctypes.data, unit], np.int64) for unit in (5, 9)
    ]
    rows = [(code.kernel, blocks[n].ctypes.data, 3 + n, SERIAL) for n in (0, 1, 0)]
    steps = np.array(rows, np.int64)
    before = code.ticks()
    program = np.array([steps.ctypes.data, 3, 0, 0, 1, 1, 0, 0, 0, 0], np.int64)
    native.run(program.ctypes.data)
    after = code.ticks()
    assert counter[0] == 3 + 4 + 3
    assert log[LogLayout.COUNT // 8] == 3
    kept = events[: min(room, 3)]
    assert kept[:, 0].tolist() == [5, 9, 5][:room]
    assert kept[:, 3].tolist() == [3, 4, 3][:room]
    times = [before, *kept[:, 1:3].ravel().tolist(), after]
    assert times == sorted(times)


def test_the_clock_tells_the_time_of_ticks() -> None:
    import time

    code = timing.load_timing(Jit())
    clock = Clock(code.ticks)
    ticks, expected = [], []
    for _ in range(5):
        time.sleep(0.01)
        early = time.perf_counter()
        ticks.append(code.ticks())
        expected.append((early, time.perf_counter()))
    for seconds, (early, late) in zip(clock.seconds(np.array(ticks)), expected, strict=True):
        assert early - 1e-4 <= seconds <= late + 1e-4


def test_code_for_arm_reads_its_counter() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this LLVM has no AArch64 back end")
    module = llvm.parse_assembly(timing._text(), llvm.create_context())
    module.verify()
    assembly = target.create_target_machine().emit_assembly(module)
    assert assembly.lower().count("cntvct_el0") >= 4
