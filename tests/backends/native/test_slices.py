"""Loops and branches of rows: they go where words lead, nest, pause, and can be interrupted."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from thalweg.backends.native.driver.layouts import BRANCH, CLAIMS_BIT, MOVES, REPEAT, VERDICT
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.slices import MOST_FUEL, SLICE_SECONDS, Slices
from thalweg.backends.native.table import Move, Row, make_program
from thalweg.backends.native.team import ProgramTable, Team

Words = npt.NDArray[np.int64]

# Adds a word to elements of an array: args is the address of the array, then that of the word.
ADD = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {
entry:
  %at_word = getelementptr ptr, ptr %args, i64 1
  %array = load ptr, ptr %args
  %word = load ptr, ptr %at_word
  %number = load i64, ptr %word
  br label %body
body:
  %i = phi i64 [ %begin, %entry ], [ %next, %body ]
  %at = getelementptr i64, ptr %array, i64 %i
  %old = load i64, ptr %at
  %new = add i64 %old, %number
  store i64 %new, ptr %at
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %body, label %done
done:
  ret void
}"""

# Whether two words are unlike, as a byte: args are the addresses of byte and words.
UNLIKE = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {
  %at_a = getelementptr ptr, ptr %args, i64 1
  %at_b = getelementptr ptr, ptr %args, i64 2
  %byte = load ptr, ptr %args
  %word_a = load ptr, ptr %at_a
  %word_b = load ptr, ptr %at_b
  %a = load i64, ptr %word_a
  %b = load i64, ptr %word_b
  %unlike = icmp ne i64 %a, %b
  %wide = zext i1 %unlike to i8
  store i8 %wide, ptr %byte
  ret void
}"""

jit = Jit()
add, unlike = jit.compile([IrSource.of(text) for text in (ADD, UNLIKE)])
THREADS = [1, 2, 3]


@pytest.fixture(scope="module")
def team() -> Team:
    return Team(2)


def at(words: npt.NDArray[np.generic], number: int = 0) -> int:
    return int(words.ctypes.data) + number * words.itemsize


class Table:
    """Rows, and the arrays that they point to."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.kept: list[npt.NDArray[np.generic]] = []
        self._one = np.ones(1, np.int64)

    def call(self, kernel: int, *addresses: int, tasks: int = 1) -> Words:
        """Run a kernel; the words of its arguments."""
        args = np.array(addresses, np.int64)
        self.kept.append(args)
        self.rows.append((kernel, at(args), tasks, 2 << CLAIMS_BIT))
        return args

    def move(self, *moves: Move) -> None:
        words = np.array(moves, np.int64)
        self.kept.append(words)
        self.rows.append((0, at(words), len(moves), MOVES))

    def jump(self, to: int) -> None:
        """Always go to a row."""
        self.rows.append((to, at(self._one), 0, REPEAT))

    def program(self) -> ProgramTable:
        return make_program(self.rows, ())


def nested(inner: int, outer: int, size: int) -> tuple[Table, Words, Words]:
    """For i in range(outer): for j in range(inner): total += j, sums[i] += total."""
    table = Table()
    zero, i, j = np.zeros((3, 1), np.int64)
    sums, total = np.zeros((outer + 1, size), np.int64), np.zeros(size, np.int64)
    table.kept += [zero, i, j, sums, total]
    table.move((at(i), at(zero), 0))
    entry = len(table.rows)
    table.jump(0)
    body = len(table.rows)
    table.move((at(j), at(zero), 0))
    within = len(table.rows)
    table.jump(0)
    table.call(add, at(total), at(j), tasks=size)
    place = table.call(add, at(sums), at(total), tasks=size)
    table.move((at(j), at(j), 1))
    table.rows[within] = (len(table.rows), *table.rows[within][1:])
    table.rows.append((within + 1, at(j), inner, REPEAT))
    table.move((at(i), at(i), 1), (at(place), at(place), 8 * size))
    table.rows[entry] = (len(table.rows), *table.rows[entry][1:])
    table.rows.append((body, at(i), outer, REPEAT))
    table.move((at(place), at(place), -8 * size * outer))
    return table, sums, total


def summed(inner: int, outer: int, size: int) -> Words:
    total, sums = 0, np.zeros((outer + 1, size), np.int64)
    for i in range(outer):
        for j in range(inner):
            total += j
            sums[i] += total
    return sums


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(("inner", "outer"), [(3, 4), (0, 2), (2, 0), (1, 1), (40, 25)])
def test_nested_loops(team: Team, threads: int, inner: int, outer: int) -> None:
    """Each begins afresh, and a loop of no times does nothing."""
    for size in (1, 5, 300):
        table, sums, total = nested(inner, outer, size)
        program = table.program()
        slices = Slices(team, threads)
        for _ in range(3):
            sums[:], total[:] = 0, 0
            slices.run_program(program, threads)
            np.testing.assert_array_equal(sums, summed(inner, outer, size))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("fuel", [1, 2, 3, 7])
def test_a_program_that_pauses_goes_on_where_it_was(team: Team, threads: int, fuel: int) -> None:
    table, sums, _ = nested(4, 5, 20)
    program = table.program()
    pauses = -1
    while pauses < 0 or program.is_paused:
        program.refuel(fuel)
        team.run_program(program, threads)
        pauses += 1
    np.testing.assert_array_equal(sums, summed(4, 5, 20))
    assert pauses == (5 + 5 * 4 - 1) // fuel  # one jump backwards for each time of a loop


def test_pauses_in_a_program_that_is_repeated(team: Team) -> None:
    table, sums, total = nested(3, 2, 10)
    program = make_program(table.rows, [(at(sums, 0), at(sums, 0), 1000)])
    program.repeat(5)
    for threads in THREADS:
        sums[:], total[:] = 0, 0
        pauses = -1
        while pauses < 0 or program.is_paused:
            program.refuel(2)
            team.run_program(program, threads)
            pauses += 1
        assert pauses == (5 * (2 + 2 * 3) - 1) // 2
        assert total.tolist() == [5 * 2 * 3] * 10
        assert sums[0, 0] - sums[0, 1] == 5000


def branches(values: Sequence[int]) -> tuple[Table, Words, Words]:
    """For x in values: if x != 7: a += 1 else: b += x."""
    table, size = Table(), 64
    sequence, seven = np.array(values, np.int64), np.full(1, 7, np.int64)
    zero, one, n = np.array([[0], [1], [0]], np.int64)
    a, b, byte = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(1, np.uint8)
    pointer = np.array([at(byte)], np.int64)
    table.kept += [sequence, seven, zero, one, n, a, b, byte, pointer]
    compared = table.call(unlike, at(byte), at(sequence), at(seven))
    choice = len(table.rows)
    table.rows.append((choice + 3, at(pointer), 0, BRANCH))
    table.call(add, at(a), at(one), tasks=size)
    table.jump(choice + 4)
    added = table.call(add, at(b), at(sequence), tasks=size)
    words = [at(n), at(compared, 1), at(added, 1)]
    table.move(*[(word, word, by) for word, by in zip(words, (1, 8, 8), strict=True)])
    table.rows.append((0, at(n), len(values), REPEAT))
    return table, a, b


@pytest.mark.parametrize("threads", THREADS)
def test_branches_in_a_loop(team: Team, threads: int) -> None:
    values = [3, 7, 7, 1, 7, 8, 7, 9]
    table, a, b = branches(values)
    Slices(team, threads).run_program(table.program(), threads)
    assert (a == 4).all()
    assert (b == 28).all()


@pytest.mark.parametrize("threads", THREADS)
def test_a_verdict_ends_a_loop(team: Team, threads: int) -> None:
    table = Table()
    verdicts, one, cells = np.array([0, 0, 5, 0]), np.ones(1, np.int64), np.zeros(50, np.int64)
    never = np.zeros(1, np.int64)
    table.kept += [verdicts, one, cells, never]
    table.call(add, at(cells), at(one), tasks=50)
    table.rows.append((0, at(verdicts), 0, VERDICT))
    table.rows.append((0, 0, 1, MOVES))
    table.rows.append((0, at(never), 1, REPEAT))
    steps = np.array(table.rows, np.int64)
    move = np.array([at(steps, 5), at(steps, 5), 8])  # the verdict that is looked at
    steps[2, 1] = at(move)
    Slices(team, threads).run_program(ProgramTable(steps, len(steps)), threads)
    assert cells.tolist() == [3] * 50


def endless() -> Table:
    """A loop that never ends."""
    table, cells, one = Table(), np.zeros(10, np.int64), np.ones(1, np.int64)
    table.kept += [cells, one]
    table.call(add, at(cells), at(one), tasks=10)
    table.jump(0)
    return table


@pytest.mark.parametrize("threads", THREADS)
def test_a_loop_that_never_ends_can_be_interrupted(team: Team, threads: int) -> None:
    """By a signal; and the next run begins at the beginning."""

    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    table = endless()
    program, slices = table.program(), Slices(team, threads)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(2):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            start = time.perf_counter()
            with pytest.raises(StopError):
                slices.run_program(program, threads)
            assert time.perf_counter() - start < 0.2 + 40 * SLICE_SECONDS  # on a busy machine
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert program.is_paused
    finite, sums, _ = nested(3, 4, 5)
    slices.run_program(finite.program(), threads)
    np.testing.assert_array_equal(sums, summed(3, 4, 5))


def test_others_run_while_a_loop_goes_on(team: Team) -> None:
    """Between two slices, another thread's program may have the workers."""
    table, sums, _ = nested(200, 200, 3)
    program, slices = table.program(), Slices(team, 2)
    thread = threading.Thread(target=lambda: slices.run_program(program, 2))
    thread.start()
    other, others, _ = nested(20, 20, 3)
    Slices(team, 2).run_program(other.program(), 2)
    thread.join()
    np.testing.assert_array_equal(sums, summed(200, 200, 3))
    np.testing.assert_array_equal(others, summed(20, 20, 3))


def test_fuel_stays_within_bounds(team: Team) -> None:
    table, _, _ = nested(300, 300, 1)
    slices = Slices(team, 2)
    for _ in range(3):
        slices.run_program(table.program(), 1)
    assert 1 <= slices._fuel <= MOST_FUEL
