"""The driver's native code: a program on one thread, and the code it becomes on ARM."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest

from thalweg.backends.native.driver import driver, layouts
from thalweg.backends.native.driver.driver import load_driver
from thalweg.backends.native.driver.layouts import SERIAL, VERDICT
from thalweg.backends.native.llvm.jit import IrSource, Jit

# Appends [begin, end) to a list: args is its length, then its elements.
LOG = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {
  %length = load i64, ptr %args
  %first = add i64 %length, 1
  %second = add i64 %length, 2
  %at_first = getelementptr i64, ptr %args, i64 %first
  %at_second = getelementptr i64, ptr %args, i64 %second
  store i64 %begin, ptr %at_first
  store i64 %end, ptr %at_second
  store i64 %second, ptr %args
  ret void
}"""


def test_one_thread_runs_every_step_whole_and_in_order() -> None:
    jit = Jit()
    native = load_driver(jit)
    (kernel,) = jit.compile([IrSource.of(LOG)])
    log = np.zeros(20, np.int64)
    args = log.ctypes.data
    tasks_and_flags = [(5, 0), (7, SERIAL), (9, 0), (0, 0), (3, SERIAL), (99, 0)]
    steps = np.array([[kernel, args, *rest] for rest in tasks_and_flags], np.int64)
    program = np.array([steps.ctypes.data, 5, 0, 0, 1, 1, 0, 0, 0, 0], np.int64)
    native.run(program.ctypes.data)
    assert log[: log[0] + 1].tolist() == [8, 0, 5, 0, 7, 0, 9, 0, 3]


def test_a_verdict_ends_the_program_unless_it_is_0() -> None:
    jit = Jit()
    native = load_driver(jit)
    (kernel,) = jit.compile([IrSource.of(LOG)])
    for verdicts, expected in (([0, 1], [4, 0, 5, 0, 6]), ([0, 0], [6, 0, 5, 0, 6, 0, 7])):
        log, words = np.zeros(20, np.int64), np.array(verdicts, np.int64)
        args, at = log.ctypes.data, words.ctypes.data
        steps = np.array(
            [
                [kernel, args, 5, 0],
                [0, at, 0, VERDICT],
                [kernel, args, 6, 0],
                [0, at + 8, 0, VERDICT],
                [kernel, args, 7, 0],
            ],
            np.int64,
        )
        program = np.array([steps.ctypes.data, len(steps), 0, 0, 1, 1, 0, 0, 0, 0], np.int64)
        native.run(program.ctypes.data)
        assert log[: log[0] + 1].tolist() == expected


def test_an_empty_program() -> None:
    native = load_driver(Jit())
    nothing = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0], np.int64)
    native.run(nothing.ctypes.data)


def test_moves_are_made_after_every_time() -> None:
    jit = Jit()
    native = load_driver(jit)
    (kernel,) = jit.compile([IrSource.of(LOG)])
    log, step, word = np.zeros(20, np.int64), np.zeros(4, np.int64), np.full(1, 40, np.int64)
    step[:] = [kernel, log.ctypes.data, 5, 0]
    moves = np.array([[step.ctypes.data + 16] * 2 + [2], [word.ctypes.data] * 2 + [-1]], np.int64)
    program = np.array([step.ctypes.data, 1, moves.ctypes.data, 2, 3, 1, 0, 0, 0, 0], np.int64)
    native.run(program.ctypes.data)
    assert log[: log[0] + 1].tolist() == [6, 0, 5, 0, 7, 0, 9]
    assert (step[2], word[0]) == (11, 37)


def test_a_verdict_ends_all_times_and_makes_no_moves() -> None:
    jit = Jit()
    native = load_driver(jit)
    (kernel,) = jit.compile([IrSource.of(LOG)])
    log, verdicts, count = np.zeros(20, np.int64), np.array([0, 0, 9, 0]), np.zeros(1, np.int64)
    steps = np.array(
        [
            [kernel, log.ctypes.data, 5, 0],
            [0, verdicts.ctypes.data, 0, VERDICT],
            [kernel, log.ctypes.data, 6, 0],
        ],
        np.int64,
    )
    moves = np.array([[count.ctypes.data] * 2 + [1], [steps.ctypes.data + 40] * 2 + [8]], np.int64)
    program = np.array([steps.ctypes.data, 3, moves.ctypes.data, 2, 4, 1, 0, 0, 0, 0], np.int64)
    native.run(program.ctypes.data)
    assert log[: log[0] + 1].tolist() == [10, 0, 5, 0, 6, 0, 5, 0, 6, 0, 5]
    assert (count[0], steps[1, 1]) == (2, verdicts.ctypes.data + 16)


# Doubles the float that args points to.
DOUBLE = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {
  %x = load float, ptr %args
  %y = fmul float %x, 2.0
  store float %y, ptr %args
  ret void
}"""


def test_subnormals_are_zero_in_a_program_and_only_there() -> None:
    jit = Jit()
    native = load_driver(jit)
    (kernel,) = jit.compile([IrSource.of(DOUBLE)])
    least = np.finfo(np.float32).tiny
    for value, doubled in ((least / 2, 0.0), (least, 2 * least)):
        number = np.array([value, 0], np.float32)
        steps = np.array([[kernel, number.ctypes.data, 1, 0]], np.int64)
        program = np.array([steps.ctypes.data, 1, 0, 0, 1, 1, 0, 0, 0, 0], np.int64)
        native.run(program.ctypes.data)
        assert number[0] == doubled
    assert np.array([least / 2], np.float32) * np.float32(2) == least


def test_words_of_different_writers_lie_on_different_lines() -> None:
    team, seat = layouts.TeamLayout, layouts.SeatLayout
    lines = [word // layouts.LINE for word in (team.STAGE, team.DONE, team.PROGRAM, team.CPUS)]
    assert len(set(lines)) == 4
    assert team.THREADS < layouts.LINE  # what is shared in a stage comes with its number
    assert seat.TICKET // layouts.LINE != seat.ASLEEP // layouts.LINE
    assert max(team) == team.BYTES
    assert team.BYTES % layouts.LINE == seat.BYTES % layouts.LINE == 0


def test_on_arm_the_stages_order_memory() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this LLVM has no AArch64 back end")
    text = driver._source("aarch64").write()
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    assembly = target.create_target_machine().emit_assembly(module)
    assert {"ldar", "stlr", "ldaxr", "stlxr", "isb"} <= set(assembly.split())
