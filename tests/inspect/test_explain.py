"""What a run is said to do."""

from __future__ import annotations

import re

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import FeedError
from thalweg.inspect.explain import explain


def _network() -> tuple[tf.Tensor, tf.Tensor]:
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    with tf.name_scope("dense"):
        W = tf.Variable(tf.ones([8, 4]), name="W")
        b = tf.Variable(tf.zeros([4]), name="b")
        return x, tf.nn.relu(tf.matmul(x, W) + b)


def test_kernels_with_their_costs() -> None:
    x, y = _network()
    shown = explain(y, {x: np.zeros((6, 8), np.float32)})
    (kernel,) = shown.kernels
    assert kernel.flops == shown.flops == 2 * 6 * 8 * 4 + 2 * 6 * 4
    assert kernel.bytes == shown.bytes == 4 * (6 * 8 + 8 * 4 + 4 + 6 * 4)
    assert {"dense/MatMul", "dense/add", "dense/Relu"} <= set(kernel.ops)
    assert [extent for _, extent in kernel.loops] == [6, 4]
    assert shown.arena_bytes == 0


def test_text() -> None:
    x, y = _network()
    lines = str(explain(y, {x: np.zeros((6, 8), np.float32)})).splitlines()
    assert lines[0] == f"{y.name}: 1 kernel, 432 FLOP, 432 B moved, 0 B of temporaries"
    assert lines[2].split() == ["#", "loops", "tile", "tasks", "FLOP", "bytes", "operations"]
    assert lines[3].startswith("0  i<6 j<4  ")
    assert lines[3].endswith("dense/{MatMul, add, Relu}")
    assert lines[-2:] == ["plans made:", f"  {y.name}: first run"]


def test_formulas_and_width() -> None:
    x, y = _network()
    shown = explain(y, {x: np.zeros((6, 8), np.float32)}, formulas=True)
    assert "for i<6, j<4:" in str(shown)
    assert "sum[k<8]" in str(shown)
    assert max(map(len, shown.text(width=50).splitlines())) == 50


def test_shapes_may_stand_for_arrays() -> None:
    x, y = _network()
    fed = explain(y, {x: np.zeros((6, 8), np.float32)})
    assert explain(y, feed_shapes={x: [6, 8]}).kernels == fed.kernels


def test_the_plan_is_the_one_that_run_uses_and_nothing_is_run() -> None:
    counter = tf.Variable(0, name="counter")
    count = tf.assign_add(counter, 1)
    with tf.Session() as session:
        explain(count, session=session)
        assert session.run(count) == 1
        assert len([line for line in session.why_recompiled if "assign" in line.lower()]) <= 2
        assert session.run(count) == 2
        before = list(session.why_recompiled)
        assert explain(count).why_recompiled == tuple(before)


def test_nothing_to_compute() -> None:
    x, _ = _network()
    shown = explain(x, {x: np.zeros((1, 8), np.float32)})
    assert shown.kernels == ()
    assert "nothing to compute" in str(shown)


def test_numpy_backend_lists_operations() -> None:
    x, y = _network()
    with tf.Session(config=tf.ConfigProto(backend="numpy")) as session:
        shown = explain(y, feed_shapes={x: [2, 8]}, session=session)
    assert shown.kernels == ()
    assert "MatMul" in str(shown)


def test_a_missing_feed_is_an_error() -> None:
    _, y = _network()
    with pytest.raises(FeedError, match="was not fed"):
        explain(y)


def test_operations_of_gradients_and_updates_are_gathered() -> None:
    x, y = _network()
    train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(y))
    text = explain(train, feed_shapes={x: [16, 8]}).text(width=200)
    assert "grad dense/MatMul" in text
    assert "Adam/update_dense/W (" in text


def test_all_stages_of_the_compiler_are_shown() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(tf.ones([3, 2]), name="w")
    y = tf.nn.relu(tf.matmul(x, w), name="y")
    tf.add(x, 1.0, name="elsewhere")
    text = str(tf.explain(y, feed_shapes={x: [4, 3]}, stages=True))
    parts = dict(re.findall(r"^== (.*?) ==\n(.*?)(?=\n== |\Z)", text, re.S | re.M))
    graph, plan, loops, llvm, code = parts.values()
    assert "%MatMul = MatMul(%x, %w/read) : float32[?, 2]" in graph
    assert "elsewhere" not in text
    assert "%MatMul = MatMul(%x, %w/read) : float32[4, 2]" in plan
    assert "for i<4, j<2:\n    y[2*i + j] = max(sum[k<3](x[3*i + k] * w[2*k + j]), 0)" in loops
    assert "loops i j" in loops
    assert "define void @kernel(" in llvm
    assert code.rstrip().splitlines()[-1].split()[0].startswith("ret")
    labels = set(re.findall(r"^(\.?L\w+):", code, re.M))
    assert set(re.findall(r"\bj\w+\s+(\.?L\w+)", code)) <= labels  # on x86


def test_the_stages_of_a_run_that_python_has_a_part_in() -> None:
    x = tf.placeholder(tf.float32, [3])
    y = tf.py_func(np.sin, [x + 1.0], tf.float32)
    assert "==" not in str(tf.explain(y, {x: [1, 2, 3]}, stages=True))
