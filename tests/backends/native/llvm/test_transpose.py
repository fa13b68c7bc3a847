"""Blocks of memory that lie across a tile's vectors, and are transposed in registers."""

from __future__ import annotations

import itertools
import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tf
from tests.kernels.arrays import Array, random
from tests.kernels.schedules.test_schedule import Runner, heaviest
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.native.llvm.emit import emit
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.choose import alternatives, complete, lanes_for
from thalweg.kernels.schedules.schedule import Machine, Schedule

MACHINES = [Machine(128, 16), Machine(256, 16), Machine(512, 32)]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: str(machine.vector_bits))
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_whatever_the_tile_what_is_transposed_is_the_same(machine: Machine, dynamic: bool) -> None:
    """Vectors along either axis, so that blocks are read or written; with rests of all kinds."""
    run = Runner(heaviest(lambda x: tf.transpose(x) + 1.0, (67, 83), dynamic=dynamic))
    (wanted,) = run(Schedule(run.nest.axes))
    chosen = alternatives(run.nest, Schedule(run.nest.axes), machine, 10**6)
    assert len([s for s in chosen if s.vector and len(s.tile) == 2]) == 4
    lanes = lanes_for(run.nest, machine)
    for vector, other in itertools.permutations(run.nest.axes):
        for vectors, rows in itertools.product((1, 2), (2, 3, 4, 7, 8)):
            tile = {vector: vectors * lanes, other: rows}
            schedule = complete(run.nest, Schedule(run.nest.axes, vector, lanes, tile))
            np.testing.assert_array_equal(run(schedule)[0], wanted, err_msg=str(schedule))


def test_a_transposition_moves_blocks_and_no_single_elements() -> None:
    nest = heaviest(lambda x: tf.transpose(x) + 1.0, (64, 96), dynamic=False)
    best, *_ = alternatives(nest, Schedule(nest.axes), MACHINES[1], 1)
    text = emit(nest, best, Target.host())
    assert "gather" not in text
    assert "scatter" not in text


TYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int8, np.bool_]


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    kind=st.sampled_from(TYPES),
    data=st.data(),
)
def test_transpositions_of_any_shape_and_type(
    shape: list[int], kind: Any, data: st.DataObject
) -> None:
    axes = data.draw(st.permutations(range(len(shape))))
    array = (np.arange(np.prod(shape)).reshape(shape) % 7).astype(kind)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(kind, [None] * len(shape))
        got = session.run(tf.transpose(x, axes), {x: array})
    np.testing.assert_array_equal(got, array.transpose(axes))


def gradient_step(inputs: int, optimizer: Any, x: Array, dy: Array, w: Array) -> tuple[Nest, Array]:
    """The kernel that takes a weight's gradient and updates it, and the weights after a step."""
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [None, inputs])
        weights = tf.Variable(w)
        loss = tf.reduce_sum(tf.matmul(a, weights) * dy)
        train = optimizer.minimize(loss)
        _, program = session.program(train, {a: x})
        assert isinstance(program, NativeProgram)
        step = max(program.steps, key=lambda step: step.cost.flops)
        session.run(train, {a: x})
        return step.nest, session.run(weights)


@pytest.mark.parametrize("inputs", [784, 300, 45])
@pytest.mark.parametrize("outputs", [10, 3, 2])
def test_few_outputs_are_updated_by_blocks(inputs: int, outputs: int) -> None:
    """Vectors run along the inputs, where all lanes are in use; memory runs along the outputs."""
    x, dy, w = random(100, inputs), random(100, outputs, seed=1), random(inputs, outputs, seed=2)
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    nest, got = gradient_step(inputs, optimizer, x, dy, w)
    rows, columns = nest.axes
    best, *_ = alternatives(nest, Schedule(nest.axes), MACHINES[1], 1)
    assert best.vector is rows
    assert best.tile_of(columns) > 1
    wanted = w - 0.5 * (x.T.astype(np.float64) @ dy)
    # The usual bound of a sum: each of its 100 terms, and the update, rounded once.
    bound = 102 * np.finfo(np.float32).eps * (np.abs(x.T) @ np.abs(dy) + np.abs(w))
    assert (np.abs(got - wanted) <= bound).all()


def test_what_an_optimizer_keeps_is_turned_too() -> None:
    x, dy, w = random(64, 200), random(64, 10, seed=1), random(200, 10, seed=2)
    nest, got = gradient_step(200, tf.train.AdamOptimizer(0.01), x, dy, w)
    best, *_ = alternatives(nest, Schedule(nest.axes), MACHINES[1], 1)
    assert best.vector is nest.axes[0]
    gradient = x.T.astype(np.float64) @ dy
    wanted = w - 0.01 * gradient / (np.abs(gradient) + 1e-8)  # Adam's first step
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)  # where a gradient is almost 0


@pytest.mark.skipif(Target.host().architecture != "x86_64", reason="reads x86's assembly")
def test_sums_along_the_rows_stay_in_registers() -> None:
    """12 sums, three vectors, and one element of each row after the other: 16 registers."""
    x, dy, w = random(100, 768), random(100, 16, seed=1), random(768, 16, seed=2)
    nest, _ = gradient_step(768, tf.train.GradientDescentOptimizer(0.5), x, dy, w)
    rows, columns = nest.axes
    schedule = complete(nest, Schedule(nest.axes, rows, 8, {rows: 24, columns: 4}))
    target = Target.host().restricted("x86-64-v3")
    loops = innermost_loops(Jit(target).assembly(emit(nest, schedule, target)))
    sums = [loop for loop in loops if "vfmadd" in loop]
    assert sums
    assert not any(re.search(r"\(%rsp\), %ymm|%ymm\d+, -?\d*\(%rsp\)", loop) for loop in sums)


def innermost_loops(assembly: str) -> list[str]:
    """The code between a label and a jump back to it, with no label in between."""
    found = re.findall(r"(?m)^(\.LBB\w+):((?:\n(?!\.LBB).*)*?)\n\s+j\w+\s+\1\b", assembly)
    return [body for _, body in found]
