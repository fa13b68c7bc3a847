"""Runs on XLA: variables, feeds, failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.xla.running import session
from thalweg.backends.protocol import DeviceProgram
from thalweg.backends.registry import registered
from thalweg.backends.xla.devices import device_of


def test_a_variable_keeps_its_value_on_the_device() -> None:
    table = tf.Variable(np.arange(6.0).reshape(3, 2), dtype=tf.float32)
    grown = table.assign_add(tf.ones([3, 2]))
    with session() as s:
        for _ in range(3):
            s.run(grown.op)
        np.testing.assert_array_equal(s.run(table), np.arange(6.0).reshape(3, 2) + 3)
        table.load(np.zeros([3, 2]), s)
        assert s.run(grown).tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("kind", [tf.float64, tf.int64, tf.uint8, tf.bool, tf.float16, tf.bfloat16])
def test_types_are_what_they_say(kind: Any) -> None:
    x = tf.placeholder(kind, [3])
    kept = tf.Variable(tf.zeros([3], kind))
    with session() as s:
        value = s.run(kept.assign(x), {x: np.array([1, 0, 1])})
        assert value.dtype == kind.numpy
        assert value.astype(int).tolist() == s.run(kept).astype(int).tolist() == [1, 0, 1]


def test_what_is_fetched_and_fed_belongs_to_the_caller() -> None:
    """JAX looks at a fed array when the run is over for its caller, and lends out its own."""
    x = tf.placeholder(tf.float32, [1000, 1000])
    kept = tf.Variable(tf.zeros([1000, 1000]))
    product = kept.assign(tf.matmul(tf.matmul(x, x), x)).op
    with session() as s:
        fed = np.eye(1000, dtype=np.float32)
        s.run(kept)
        for _ in range(3):
            s.run(product, {x: fed})
            fed[:] = 7
            fetched = s.run(kept)
            np.testing.assert_array_equal(fetched, np.eye(1000))
            fetched[:] = 5
            fed[:] = np.eye(1000)


def test_a_run_that_fails_has_written_nothing() -> None:
    table = tf.Variable(tf.zeros([4, 2]))
    count = tf.Variable(0)
    rows = tf.placeholder(tf.int32, [None])
    more = [tf.scatter_add(table, rows, tf.ones([tf.size(rows), 2])), tf.assign_add(count, 1)]
    with session() as s:
        s.run(more, {rows: [1, 1]})
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            s.run(more, {rows: [1, 4]})
        assert "indices[1] = 4 is not in [0, 4)" in str(caught.value)
        assert "test_program.py" in str(caught.value)
        assert s.run([table, count])[0].tolist() == [[0, 0], [2, 2], [0, 0], [0, 0]]
        assert s.run(count) == 1


def test_numbers_that_are_not_finite_are_named() -> None:
    x = tf.placeholder(tf.float32, [2])
    kept = tf.Variable(tf.zeros([2]))
    step = kept.assign(tf.log(x))
    config = tf.ConfigProto(backend="xla", check_numerics=True)
    with tf.Session(config=config) as s:
        s.run(step, {x: [1, 2]})
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Log.*NaN values, the first"):
            s.run(step, {x: [1, -2]})
        np.testing.assert_allclose(s.run(kept), np.log([1, 2]), rtol=1e-6)


def test_the_last_update_of_a_row_stays() -> None:
    table = tf.Variable(tf.zeros([3]))
    rows = [2, 0, 2, 0, 2]
    with session() as s:
        assert s.run(tf.scatter_update(table, rows, [1.0, 2, 3, 4, 5])).tolist() == [4, 0, 5]


def test_too_little_memory_is_said_with_sizes() -> None:
    n = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [])
    large = tf.zeros([n, 10**6, 10**3]) + x
    with session() as s, pytest.raises(tf.errors.ResourceExhaustedError, match="4000000000000 byt"):
        s.run(large, {n: 1000, x: 1.0})


def test_another_shape_is_compiled_anew_and_the_log_says_so() -> None:
    x = tf.placeholder(tf.float32, [None])
    total = tf.reduce_sum(x)
    with session() as s:
        assert [s.run(total, {x: np.ones(n)}) for n in (3, 5, 3)] == [3, 5, 3]
        log = s.why_recompiled
        assert len(log) == 2
        assert "new shape" in log[1]
        assert "[3] -> [5]" in log[1]


def test_random_numbers_are_those_of_the_cpu() -> None:
    drawn = [
        tf.random_uniform([50], seed=3),
        tf.random_uniform([50], maxval=10**9, dtype=tf.int64, seed=4),
        tf.random_uniform([50], dtype=tf.float64, seed=5),
    ]
    runs = []
    for backend in ("native", "xla"):
        with session(backend) as s:
            runs.append([s.run(drawn) for _ in range(3)])
    for ours, theirs in zip(*runs, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(runs[0][0][0], runs[0][1][0])


def test_operations_of_the_host_stand_between_programs() -> None:
    x = tf.placeholder(tf.int32, [None])
    found = tf.Variable(tf.zeros([8], tf.int32))
    distinct, _ = tf.unique(x + 1)
    step = tf.scatter_add(found, distinct, tf.ones_like(distinct))
    with session() as s:
        s.run(step, {x: [3, 3, 1]})
        assert s.run(step, {x: [1, 2, 2]}).tolist() == [0, 0, 2, 1, 1, 0, 0, 0]


def test_a_program_takes_and_leaves_values_on_the_device() -> None:
    x = tf.placeholder(tf.float32, [3])
    with session() as s:
        _, program = s.program(x * 2.0, {x: np.ones(3)})
        assert isinstance(program, DeviceProgram)
        (first,) = program.run_on_device([np.ones(3, np.float32)], 0)
        (second,) = program.run_on_device([first], 1)
        assert not isinstance(second, np.ndarray)
        assert np.asarray(second).tolist() == [4, 4, 4]


def test_explain_has_xla_s_account() -> None:
    x = tf.placeholder(tf.float32, [8, 8])
    with session() as s:
        text = str(tf.explain(tf.matmul(x, x), {x: np.ones((8, 8))}, s))
    assert "one program of XLA on XLA_CPU:0" in text
    assert "1,024 FLOP" in text


def test_devices_are_listed() -> None:
    (device, *_) = [d for d in registered("xla").devices() if d.kind == "XLA_CPU"]
    assert device.name == "XLA_CPU:0"
    assert device.memory_bytes > 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="no device 'GPU:77'; JAX finds"):
        device_of("GPU:77")
