"""What kernels have the processor fetch ahead: lines that they read, and none outside of arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.native.llvm.emit import emit
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.team import shared_team
from thalweg.backends.state import address_of, aligned_empty
from thalweg.base.shapes import known
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.model import LINE
from thalweg.kernels.schedules.prefetch import LINES
from thalweg.kernels.schedules.schedule import Schedule, tasks

Array = np.ndarray[Any, Any]

# A call of the intrinsic becomes one of this function, which writes the address down.
CALL = re.compile(r"call void @llvm\.prefetch\.p0\(ptr (%\w+), i32 [01], i32 3, i32 1\)")
NOTE = """
define internal void @note(ptr %line) noinline {{
  %count = load i64, ptr inttoptr (i64 {notes} to ptr)
  %next = add i64 %count, 1
  store i64 %next, ptr inttoptr (i64 {notes} to ptr)
  %at = getelementptr i64, ptr inttoptr (i64 {notes} to ptr), i64 %next
  %number = ptrtoint ptr %line to i64
  store i64 %number, ptr %at
  ret void
}}
"""


def fetched(nest: Nest, schedule: Schedule, memory: list[Array]) -> list[int]:
    """The addresses that a kernel has fetched ahead, when one thread runs it on this memory."""
    jit = Jit()
    notes = np.zeros(100_000, np.int64)
    text = CALL.sub(r"call void @note(ptr \1)", emit(nest, schedule, jit.target))
    assert "@llvm.prefetch.p0(ptr %" not in text
    (address,) = jit.compile([IrSource.of(text + NOTE.format(notes=address_of(notes)))])
    words = np.array([*map(address_of, memory), *nest.numbers], np.int64)
    table = np.array([[address, address_of(words), tasks(schedule), 0]], np.int64)
    shared_team().run(table, 1, 1)
    return [int(number) for number in notes[1 : notes[0] + 1]]


def largest(program: Any) -> tuple[Nest, Schedule]:
    """The kernel with the most arithmetic."""
    assert isinstance(program, NativeProgram)
    step = max(program.steps, key=lambda step: step.cost.flops)
    return step.nest, step.schedule


@pytest.mark.parametrize("units", [64, 72])
def test_weights_are_fetched_while_their_gradient_is_summed(units: int) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 60])
        w = tf.Variable(tf.zeros([60, units]))
        loss = tf.reduce_sum(tf.tanh(tf.matmul(x, w)))
        step = tf.train.AdamOptimizer().minimize(loss)
        _, program = session.program(step, {x: np.ones((48, 60), np.float32)})
    assert isinstance(program, NativeProgram)
    (nest,), (schedule,) = zip(
        *[(s.nest, s.schedule) for s in program.steps if len(s.nest.stores) == 3], strict=True
    )
    memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
    for array in memory:
        array.fill(1)
    lines = fetched(nest, schedule, memory)
    for store in nest.stores:
        first, size = address_of(memory[store.slot]), memory[store.slot].nbytes
        own = {(line - first) // LINE for line in lines if first <= line < first + size}
        # A vector that begins in the middle of a line is fetched with that line.
        assert own >= set(range(size // LINE)) if units % 16 == 0 else len(own) > size // LINE // 2
    assert all(any(_inside(line, array) for array in memory) for line in lines)


def _rows(schedule: Schedule) -> int:
    """Of a tile."""
    return max(size for axis, size in schedule.tile.items() if axis is not schedule.vector)


def _inside(line: int, array: Array) -> bool:
    return address_of(array) <= line < address_of(array) + array.nbytes


@pytest.mark.parametrize("batch", [5, 24, 31])
def test_the_next_rows_of_a_mini_batch_are_fetched(batch: int) -> None:
    """The kernel reads the rows where they lie: it says early where the next ones begin."""
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.placeholder(tf.float32, [None, 256])
        rows = tf.placeholder(tf.int64, [None])
        w = tf.Variable(tf.zeros([256, 10]))
        y = tf.matmul(tf.gather(table, rows), w)
        feeds = {table: np.ones((99, 256), np.float32), rows: np.zeros(batch, np.int64)}
        _, program = session.program(y, feeds)
    nest, schedule = largest(program)
    memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
    for array in memory:
        array.fill(1)
    number = next(n for n, array in enumerate(memory) if array.dtype == np.int64)
    source = next(array for array in memory if array.shape == (99, 256))
    memory[number][:] = np.random.default_rng(0).integers(0, 99, batch)
    lines = fetched(nest, schedule, memory)
    assert lines
    assert all(_inside(line, source) for line in lines)
    places = [(line - address_of(source)) // LINE for line in lines]
    row_lines = 256 * 4 // LINE
    assert {place % row_lines for place in places} == set(range(LINES))
    tile = _rows(schedule)
    later = set(memory[number][min(tile, batch - 1) :].tolist())
    if batch >= tile:  # a smaller one has no full tile, and nothing comes after it
        assert later <= {place // row_lines for place in places}


def test_the_parts_of_rows_that_the_next_tile_reads_are_fetched() -> None:
    """A product of few columns is cut into parts of its rows, so that rows are left unfinished."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 1024])
        y = tf.matmul(x, tf.Variable(tf.zeros([1024, 10])))
        _, program = session.program(y, {x: np.ones((60, 1024), np.float32)})
    nest, schedule = largest(program)
    memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in nest.slots]
    for array in memory:
        array.fill(1)
    source = next(array for array in memory if array.shape == (60, 1024))
    lines = fetched(nest, schedule, memory)
    assert lines
    assert all(_inside(line, source) for line in lines)
    places = {(line - address_of(source)) // LINE for line in lines}
    # Each of the four parts of a row is sixteen lines long; the first tile's are not fetched.
    assert {place % 16 for place in places} == set(range(LINES))
    assert {place // 64 for place in places} >= set(range(_rows(schedule), 60))


def test_short_sums_fetch_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 8])
        y = tf.matmul(x, tf.Variable(tf.zeros([8, 64]))) + tf.matmul(x, tf.zeros([8, 64]))
        _, program = session.program(y, {x: np.ones((48, 8), np.float32)})
    assert isinstance(program, NativeProgram)
    target = Jit().target
    for step in program.steps:
        assert "llvm.prefetch" not in emit(step.nest, step.schedule, target)


@pytest.mark.parametrize("rows", [1, 5])
def test_what_is_taken_over_one_value_has_no_rows_to_fetch(rows: int) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 1])
        got = session.run(tf.argmax(x, 1), {x: np.ones((rows, 1), np.float32)})
    np.testing.assert_array_equal(got, np.zeros(rows))


@pytest.mark.parametrize("batch", [20, 37])
def test_the_next_mini_batch_of_a_loop_is_fetched_while_the_gradient_is_summed(batch: int) -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.random((200, 64), np.float32), rng.random((200, 10), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        x, y = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.float32, [None, 10])
        z = tf.matmul(x, tf.Variable(tf.zeros([64, 10])))
        loss = tf.reduce_sum(tf.square(z - y))
        step = tf.train.GradientDescentOptimizer(1e-6).minimize(loss)
        session.run_steps(step, 3, batches={x: rows, y: labels}, batch_size=batch)
        entries = list(session._planner._entries.values())
    steps = [s for e in entries if isinstance(e.program, NativeProgram) for s in e.program.steps]
    (update,) = [s for s in steps if "int64+" in s.nest.structure and _updates(s)]
    memory = [aligned_empty(known(v.shape), v.dtype.numpy) for v in update.nest.slots]
    for array in memory:
        array.fill(1)
    (numbers,) = [array for array in memory if array.dtype == np.int64]
    assert numbers.shape == (2 * batch,)  # this step's and the next one's
    numbers[:batch], numbers[batch:] = 0, rng.permutation(batch)
    source = next(array for array in memory if array.shape == (batch, 64))
    lines = [n for n in fetched(update.nest, update.schedule, memory) if _inside(n, source)]
    every = {address_of(source) + n * LINE for n in range(source.nbytes // LINE)}
    assert {line // LINE * LINE for line in lines} == every


def _updates(step: Any) -> bool:
    """Whether a step of a program updates the weights."""
    return any("GradientDescent" in name for name in step.nest.ops)
