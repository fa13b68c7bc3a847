"""Graphs of thousands of operations, and operations on thousands of tensors."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base import dtypes
from thalweg.formula import Apply, Const, Expr, Read, Rewrite, affine, apply, axes, walk
from thalweg.kernels.pipeline import make_kernels
from thalweg.kernels.printer import LONGEST, show_expr
from thalweg.kernels.schedules.schedule import Machine, plain
from thalweg.kernels.values import Value, is_free
from thalweg.passes.make_plan import make_plan
from thalweg.passes.order import order

Array = np.ndarray[Any, Any]
DEEP = 20_000


def added(times: int) -> tuple[Expr, Expr]:
    """`x[i] + 1 + 1 ...`, and `x[i]`."""
    (i,) = axes(4)
    read = Read(0, (affine(i),), dtypes.float32)
    expr: Expr = read
    for _ in range(times):
        expr = apply("add", expr, Const(1, dtypes.float32))
    return expr, read


def test_deep_expressions_are_walked_and_rewritten() -> None:
    expr, read = added(DEEP)
    other = Const(0.0, dtypes.float32)
    assert walk(expr)[0] is read
    assert expr.parts == 2 * DEEP + 1
    assert Rewrite()(expr) is expr
    replaced = Rewrite(read=lambda _: other)(expr)
    assert replaced.reads == ()
    assert replaced.parts == expr.parts
    assert not is_free(expr)


def test_a_deep_cast_is_free() -> None:
    expr: Expr = Const(0.0, dtypes.float32)
    for n in range(DEEP):
        expr = Apply("cast", (expr,), (dtypes.float64, dtypes.float32)[n % 2])
    assert is_free(expr)


def test_the_text_of_an_expression_that_is_shared_often_stays_short() -> None:
    expr, _ = added(0)
    for _ in range(200):
        expr = expr * expr
    assert len(show_expr(expr, [Value("x", (4,), dtypes.float32)])) <= LONGEST


def test_more_axes_than_letters_have_different_names() -> None:
    names = [axis.name for axis in axes(*[2] * 40)]
    assert len(set(names)) == 40
    assert names[0] == "i"


def test_a_chain_of_operations() -> None:
    x = tf.placeholder(tf.float32, [4])
    y = x
    for _ in range(1500):
        y = y + x
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(y, {x: np.ones(4)}), np.full(4, 1501.0))
        assert "add" in str(tf.explain(y, {x: np.ones(4)}, session, formulas=True))


def test_the_gradient_of_a_chain() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x
    for _ in range(200):
        y = tf.sin(y) + x
    (slope,) = tf.gradients(y, x)
    value = angle = np.float64(0.5)
    derivative = np.float64(1.0)
    for _ in range(200):
        derivative = np.cos(value) * derivative + 1
        value = np.sin(value) + angle
    with tf.Session() as session:
        made = session.run([y, slope], {x: np.full(3, 0.5)})
    np.testing.assert_allclose(made[0], np.full(3, value), rtol=1e-5)  # it tends to a fixed point
    np.testing.assert_allclose(made[1], np.full(3, derivative), rtol=1e-4)


def test_operations_on_thousands_of_tensors() -> None:
    parts = [tf.placeholder(tf.float32, [2]) for _ in range(1000)]
    feeds = {part: np.full(2, n, np.float32) for n, part in enumerate(parts)}
    whole, stacked, total = tf.concat(parts, 0), tf.stack(parts, 1), tf.add_n(parts)
    weights = np.random.default_rng(0).normal(size=(2, 1000)).astype(np.float32)
    slopes = tf.gradients(stacked * weights, [parts[0], parts[567], parts[-1]])
    with tf.Session() as session:
        joined, columns, added, slope = session.run([whole, stacked, total, slopes], feeds)
    np.testing.assert_array_equal(joined, np.repeat(np.arange(1000, dtype=np.float32), 2))
    np.testing.assert_array_equal(columns, np.tile(np.arange(1000, dtype=np.float32), (2, 1)))
    np.testing.assert_array_equal(added, np.full(2, 499500.0))
    np.testing.assert_array_equal(slope, weights[:, [0, 567, 999]].T)


def test_parts_of_unknown_extent() -> None:
    parts = [tf.placeholder(tf.float32, [None]) for _ in range(100)]
    feeds = {part: np.full(n % 3, n, np.float32) for n, part in enumerate(parts)}
    whole = tf.concat(parts, 0)
    slopes = tf.gradients(whole * whole, parts)
    with tf.Session() as session:
        joined, made = session.run([whole, slopes], feeds)
    np.testing.assert_array_equal(joined, np.concatenate(list(feeds.values())))
    for slope, part in zip(made, feeds.values(), strict=True):
        np.testing.assert_array_equal(slope, 2 * part)


def test_an_error_of_many_tensors_speaks_of_all() -> None:
    parts: list[Any] = [tf.zeros([2])] * 99
    with pytest.raises(ValueError, match="the ranks differ"):
        tf.concat([*parts, tf.zeros([2, 2])], 0)


def sums(count: int) -> tuple[Any, dict[Any, Array]]:
    x = tf.placeholder(tf.float32, [4])
    y = x
    for _ in range(count):
        y = y * x
    return tf.gradients(y, x)[0], {x: np.ones(4)}


def layers(count: int) -> tuple[Any, dict[Any, Array]]:
    x = tf.placeholder(tf.float32, [None, 8])
    y = x
    for _ in range(count // 10):
        y = tf.nn.relu(tf.matmul(y, tf.Variable(tf.ones([8, 8]))) + tf.Variable(tf.zeros([8])))
    loss = tf.reduce_mean(tf.square(y))
    return tf.train.AdamOptimizer(0.1).minimize(loss), {x: np.ones((4, 8))}


def updates(count: int) -> tuple[Any, dict[Any, Array]]:
    x = tf.placeholder(tf.float32, [3])
    variables = [tf.Variable(tf.zeros([3])) for _ in range(count // 2)]
    return tf.group(*[v.assign_add(x) for v in variables]), {x: np.ones(3)}


def recurrent(count: int) -> tuple[Any, dict[Any, Array]]:
    x = tf.placeholder(tf.float32, [2, count // 10, 4])
    weights, state = tf.Variable(tf.ones([8, 4])), tf.zeros([2, 4])
    states = []
    for row in tf.unstack(x, axis=1):
        state = tf.tanh(tf.matmul(tf.concat([row, state], 1), weights))
        states.append(state)
    loss = tf.reduce_mean(tf.square(tf.stack(states)))
    return tf.gradients(loss, weights.value()), {x: np.ones((2, count // 10, 4))}


def in_turn(count: int) -> tuple[Any, dict[Any, Array]]:
    variable = tf.Variable(0.0)
    last: list[Any] = []
    for _ in range(count // 4):
        with tf.control_dependencies(last):
            last = [variable.assign_add(1.0)]
    return last[0], {}


@pytest.mark.parametrize("build", [sums, layers, updates, recurrent, in_turn])
def test_planning_takes_time_in_proportion(
    build: Callable[[int], tuple[Any, dict[Any, Array]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "thalweg.session.planner.MIN_CACHED_OPERATIONS", 1 << 30
    )  # so that all is planned

    def calls(count: int) -> int:
        with tf.Graph().as_default(), tf.Session() as session:
            fetch, feeds = build(count)
            with cProfile.Profile() as profile:
                session.run(fetch, feeds)
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    for count in (80, 160):
        calls(count)  # chooses and writes the kernels
    assert calls(160) < 2.4 * calls(80)


def test_kernels_of_many_steps_are_made_in_proportion() -> None:
    def calls(count: int) -> int:
        with tf.Graph().as_default():
            fetches, feeds = recurrent(count)
            plan = make_plan(fetches, [], {x: a.shape for x, a in feeds.items()}, {})
        with cProfile.Profile() as profile:
            made = make_kernels(plan, Machine(), plain, {})
        assert len(made.nests) > count // 10
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(1200) < 2.2 * calls(600)


def test_updates_of_one_variable_are_ordered_in_proportion() -> None:
    def calls(count: int) -> int:
        with tf.Graph().as_default():
            fetch, _ = in_turn(4 * count)
            plan = make_plan([fetch], [], {}, {})
        with cProfile.Profile() as profile:
            made = order(plan)
        assert sum(op.type == "Assign" for op in made) == count
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(400) < 2.2 * calls(200)


def test_updates_one_after_the_other() -> None:
    variable = tf.Variable(0.0)
    last: list[Any] = []
    for _ in range(200):
        with tf.control_dependencies(last):
            last = [variable.assign_add(1.0)]
    with tf.Session() as session:
        assert session.run(last[0]) == 200.0


def test_the_gradient_of_many_slices() -> None:
    y = tf.placeholder(tf.float32, [100, 4])
    total = tf.add_n([tf.reduce_sum(tf.square(part)) for part in tf.unstack(y)])
    array = np.arange(400, dtype=np.float32).reshape(100, 4)
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(tf.gradients(total, y)[0], {y: array}), 2 * array)
