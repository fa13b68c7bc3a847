"""What is remembered of kernels, and tuning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native import library
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm import emit
from thalweg.backends.native.llvm.jit import Jit
from thalweg.base.record import replace
from thalweg.kernels.nests.nest import Nest

Array = np.ndarray[Any, Any]


class Memory:
    """A cache that forgets nothing."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._entries[key] = data


def product(rows: int, columns: int = 48) -> Nest:
    """A matrix product with a varying number of rows."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 40])
        y = tf.matmul(x, tf.Variable(tf.zeros([40, columns])))
        _, program = session.program(y, {x: np.zeros((rows, 40), np.float32)})
        assert isinstance(program, NativeProgram)
        return program.steps[-1].nest


def test_a_later_process_finds_schedules_and_code() -> None:
    memory, nest = Memory(), product(30)
    first = Library(Jit(cache=memory), memory)
    schedule = first.schedule(nest)
    first.code([(nest, schedule)])
    jit = Jit(cache=memory)
    second = Library(jit, memory)
    assert second.schedule(nest) == schedule
    second.code([(nest, schedule)])
    assert (jit.stats.compiled, jit.stats.from_disk) == (0, 1)


def test_a_new_number_of_rows_shares_schedule_and_code() -> None:
    jit = Jit()
    library, few, many = Library(jit), product(30), product(31)
    one, other = library.schedule(few), library.schedule(many)
    assert list(one.tile.values()) == list(other.tile.values())
    assert len(set(library.code([(few, one), (many, other)]))) == 1
    assert jit.stats.compiled == 1


def test_schedules_that_are_not_used_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MOST_SCHEDULES", 3)
    own, used, jit = [], product(30), Jit()
    chosen = Library(jit)
    for columns in range(41, 47):
        own.append(product(30, columns))
        chosen.schedule(own[-1])
        chosen.schedule(used)
    assert list(chosen._schedules) == [own[-2].structure, own[-1].structure, used.structure]


def noise(seed: int) -> Nest:
    """Random numbers of a varying number of rows."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 40])
        y = tf.nn.dropout(x, 0.5, seed=seed)
        _, program = session.program(y, {x: np.zeros((30, 40), np.float32)})
        assert isinstance(program, NativeProgram)
        return program.steps[-1].nest


def test_a_later_process_finds_the_schedule_under_another_seed() -> None:
    class Counted(Memory):
        found = 0

        def get(self, key: str) -> bytes | None:
            data = super().get(key)
            self.found += data is not None
            return data

    memory = Counted()
    assert noise(5).numbers != noise(7).numbers
    schedule = Library(Jit(), memory).schedule(noise(5))
    assert memory.found == 0
    assert list(Library(Jit(), memory).schedule(noise(7)).tile.values()) == list(
        schedule.tile.values()
    )
    assert memory.found == 1


def test_what_was_remembered_is_used() -> None:
    memory, nest = Memory(), product(30)
    library = Library(Jit(), memory)
    other = replace(library.schedule(nest), unroll=8)
    library.remember(nest, other)
    assert library.schedule(nest) == other
    assert Library(Jit(), memory).schedule(nest) == other


def test_a_process_that_begins_with_another_batch_is_not_told() -> None:
    """Which of two forms of a sum is chosen may depend on the first batch, so bits would."""
    memory = Memory()
    library = Library(Jit(), memory)
    nest = product(30)
    library.remember(nest, replace(library.schedule(nest), unroll=8))
    assert Library(Jit(), memory).schedule(product(31)).unroll != 8


def test_tuning_keeps_the_bits() -> None:
    rng = np.random.default_rng(0)
    value = rng.standard_normal((64, 300)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 300])
        w = tf.Variable(rng.standard_normal((300, 200)).astype(np.float32))
        y = tf.nn.relu(tf.matmul(x, w))
        before = session.run(y, {x: value})
        gains = session.tune(y, {x: value})
        assert any("MatMul" in kernel for kernel in gains)
        assert all(gain >= 1 for gain in gains.values())
        np.testing.assert_array_equal(session.run(y, {x: value}), before)


def test_there_is_nothing_to_tune_in_numpy() -> None:
    config = tf.ConfigProto(backend="numpy")
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        assert session.tune(tf.constant(1.0) + 1.0) == {}


@pytest.mark.parametrize("extent", [8, 12, 20])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_batch_may_be_as_large_as_something_else(extent: int, times: int) -> None:
    """The code that the first batch makes must not take an extent for a number that is equal."""
    rng = np.random.default_rng(extent)
    weights = rng.standard_normal((times * extent, 10)).astype(np.float32)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, times * extent])
        w = tf.constant(weights)
        y = tf.tanh(tf.matmul(x, w))
        flat = tf.reshape(tf.transpose(y), [-1])
        loss = tf.reduce_sum(y * tf.reduce_max(y, 0)) + tf.reduce_sum(flat * flat)
        fetches = [y, flat, *tf.gradients(loss, [x, w])]
        with (
            tf.Session() as native,
            tf.Session(config=tf.ConfigProto(backend="numpy")) as reference,
        ):
            for batch in (extent, 7, 2 * extent, 10, 1):
                fed = {x: rng.standard_normal((batch, times * extent)).astype(np.float32)}
                for got, wanted in zip(
                    native.run(fetches, fed), reference.run(fetches, fed), strict=True
                ):
                    # Sums of at most 80 products, in another order.
                    atol = 1e-5 * max(1.0, np.abs(wanted).max())
                    np.testing.assert_allclose(got, wanted, rtol=0, atol=atol)


def test_a_stride_that_varies_is_not_one_that_happens_to_be_equal() -> None:
    """The parts of `y` are 10 * batch apart, those of the weights 2560."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((1024, 10)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 1024])
        y = tf.matmul(x, tf.constant(weights)) * 1.25  # no other test's structure
        for batch in (256, 128, 300):
            rows = rng.standard_normal((batch, 1024)).astype(np.float32)
            wanted = rows.astype(np.float64) @ weights * 1.25
            # A sum of 1,024 products of standard normal numbers.
            np.testing.assert_allclose(session.run(y, {x: rows}), wanted, rtol=0, atol=3e-4)


def test_code_is_made_anew_when_anything_that_writes_it_has_changed() -> None:
    """Every file of the backend that `emit` loads, directly or not, is part of the stamp."""
    folder, left, found = Path(emit.__file__).parent, ["emit"], set[str]()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            text = (folder / f"{name}.py").read_text()
            left += re.findall(r"(?m)^from thalweg\.backends\.native\.llvm\.(\w+) import", text)
            for names in re.findall(
                r"(?m)^from thalweg\.backends\.native\.llvm import (.+)$", text
            ):
                left += names.split(", ")
    assert {"builder", "halves"} <= found
    assert found <= {Path(name).name for name in library._TEXT}
